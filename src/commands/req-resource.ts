// req_resource KEY: asks for one group. Nothing to do where it runs already; a group that runs nowhere is tried again at once;
// one that runs on the other node is not touched, because two owners would be the result.

import type {ClusterStatus, GroupStatus} from '../model/control.js';
import {ask, askOrInject, orExit} from './lib/daemon.js';
import {currentHost} from './lib/direct.js';
import {EXIT, Exit, run} from './lib/program.js';

void run(async (given) => {
  const [key] = given;
  if (key === undefined || given.length > 1 || key.startsWith('-'))
    throw new Exit(EXIT.usage, 'usage: req_resource KEY');
  const answer = await askOrInject({command: 'status'}, classicRequest(key), 'req_resource');
  // No answer: a real heartbeat took the message.
  return answer?.status ? request(key, answer.status) : EXIT.ok;
});

async function request(key: string, status: ClusterStatus): Promise<number> {
  const group = status.groups.find((each) => each.key === key);
  if (!group) throw new Exit(EXIT.usage, `req_resource: no group has the key ${key}`);
  if (group.owner === status.node) return EXIT.ok;
  if (group.owner !== undefined) throw new Exit(EXIT.refused, elsewhere(group, status));
  orExit(await ask({command: 'reset', keys: [key]}), 'req_resource');
  return EXIT.ok;
}

function elsewhere(group: GroupStatus, status: ClusterStatus): string {
  const scope = group.home === status.node ? 'local' : 'foreign';
  return `req_resource: ${group.key} is on ${group.owner}\n    hint: \`hb_takeover ${scope}\` moves it here`;
}

function classicRequest(key: string): Readonly<Record<string, string>> {
  const isNice = process.env['HA_NICEFAILBACK'] === 'yes' || process.env['HA_DONTASK'] === 'yes';
  if (!isNice) return {t: 'ip-request', ipaddr: key};
  return {t: 'ip-request-resp', dest: currentHost(), ipaddr: key, weown: 'yes', ok: 'OK'};
}

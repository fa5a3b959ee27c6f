// Goal: Debian's own cl_status, unmodified, is content with our client API. Method: it knows one socket path only, so it runs in
// a private mount namespace in which our directory lies over /run/heartbeat. Needs root and the heartbeat package.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, test} from '@jest/globals';
import type {Hold} from '../../src/model/cluster.js';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {groupId, userAccount} from '../../src/runtime/accounts.js';
import {type ClientApi, startClientApi} from '../../src/runtime/client-api.js';

const program = '/usr/bin/cl_status';
const reason =
  process.getuid?.() !== 0 ? 'needs root' : existsSync(program) ? undefined : `${program} is not installed`;
if (reason !== undefined) process.stderr.write(`cl-status.test: skipped, ${reason}\n`);
const check = reason === undefined ? test : test.skip;

let dir = '';
let api: ClientApi | undefined;
let hold: Hold | 'transition' = 'local';

beforeAll(async () => {
  if (reason !== undefined) return;
  dir = mkdtempSync(join(tmpdir(), 'systole-cl-status-'));
  const run = join(dir, 'heartbeat');
  mkdirSync(run);
  // cl_status looks for a running process in the pid file first.
  writeFileSync(join(dir, 'heartbeat.pid'), `${String(process.pid).padStart(10)}\n`);
  const link = (name: string, status: 'up' | 'dead') => ({name, status});
  api = await startClientApi({
    path: join(run, 'register'),
    keepaliveMs: 1000,
    deadtimeMs: 5000,
    apiauth: [],
    accounts: {uidOf: (user) => userAccount(user)?.uid, gidOf: groupId},
    view: () => ({
      node: 'n1',
      nodes: [
        {name: 'n1', type: 'normal', status: 'active', links: [link('eth0', 'dead'), link('eth1', 'dead')]},
        {name: 'n2', type: 'normal', status: 'active', links: [link('eth0', 'up'), link('eth1', 'dead')]},
        {name: 'router', type: 'ping', status: 'ping', links: [link('router', 'up')]},
      ],
      uuids: {},
    }),
    parameters: () => ({deadtime: '5', keepalive: '1'}),
    rscstatus: () => hold,
    send: (message) => answerAsPeer(message),
    onLog: () => undefined,
  });
});
afterAll(async () => {
  await api?.close();
  if (dir !== '') rmSync(dir, {recursive: true, force: true});
});

/** n2 says that ipfail runs there. */
function answerAsPeer(message: Message): void {
  if (fieldOf(message, 't') !== 'query-cstatus') return;
  const [cn, asker] = [fieldOf(message, 'cn') ?? '', fieldOf(message, 'from_id') ?? ''];
  const cs = cn === 'ipfail' ? 'online' : 'offline';
  api?.deliver(messageOf({t: 'respond-cstatus', src: 'n2', dest: 'n1', result: 'OK', cn, to_id: asker, cs}));
}

function run(...args: string[]): Promise<{readonly status: number; readonly output: string}> {
  const script = `mount --make-rprivate / && mkdir -p /run/heartbeat && mount --bind "$0/heartbeat" /run/heartbeat && ${program} "$@"`;
  return new Promise((resolve) => {
    execFile('unshare', ['-m', 'sh', '-c', script, dir, ...args], {timeout: 15_000}, (error, stdout) => {
      resolve({status: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, output: stdout});
    });
  });
}

check.each([
  [['hbstatus'], 0, 'Heartbeat is running on this machine.\n'],
  [['listnodes'], 0, 'router\nn2\nn1\n'],
  [['listnodes', '-n'], 0, 'n2\nn1\n'],
  [['nodestatus', 'n2'], 0, 'active\n'],
  [['nodestatus', 'router'], 0, 'ping\n'],
  [['nodetype', 'router'], 0, 'ping\n'],
  [['nodeweight', 'n2'], 0, '100\n'],
  [['nodesite', 'n2'], 0, '\n'],
  [['listhblinks', 'n2'], 0, '\teth1\n\teth0\n'],
  [['listhblinks', '-v', 'n2'], 0, '\teth1\tdead\n\teth0\tup\n'],
  [['hblinkstatus', 'n2', 'eth0'], 0, 'up\n'],
  [['hblinkstatus', 'n2', 'eth1'], 1, 'dead\n'],
  [['hbparameter', '-p', 'deadtime'], 0, '5\n'],
  [['clientstatus', 'n2', 'ipfail', '2000'], 0, 'online\n'],
  [['clientstatus', 'n2', 'dopd', '2000'], 1, 'offline\n'],
  [['clientstatus', 'n1', 'ipfail', '2000'], 1, 'offline\n'],
] as const)('cl_status %j', async (args, status, output) => {
  assert.deepEqual(await run(...args), {status, output});
});

check.each([
  [['nodestatus', 'n9'], 11],
  [['hblinkstatus', 'n2', 'eth9'], 13],
  [['listhblinks', 'n9'], 13],
  [['hbparameter', '-p', 'nonsense'], 1],
] as const)('cl_status %j fails as on the real daemon', async (args, status) => {
  assert.equal((await run(...args)).status, status);
});

check.each(['local', 'foreign', 'all', 'none', 'transition'] as const)(
  'cl_status rscstatus prints %s',
  async (word) => {
    hold = word;
    assert.deepEqual(await run('rscstatus'), {status: 0, output: `${word}\n`});
  },
);

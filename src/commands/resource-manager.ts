// ResourceManager: the names and codes of Heartbeat's script of that name. Listing reads haresources. While a daemon runs, it alone
// runs agents: status is answered from what it measured, takegroup and givegroup are refused with the command that
// does it safely. Without a daemon, and called by a real Heartbeat, they act directly, with time-outs; --direct insists.

import {spawn} from 'node:child_process';
import {resourceOf} from '../config/haresources.js';
import type {GroupStatus, ResourceStateWord} from '../model/control.js';
import type {Resource} from '../model/resource.js';
import {ask, findDaemon, isOriginalRunning, isUp, statusOf} from './lib/daemon.js';
import {createDirector, currentHost} from './lib/direct.js';
import {groupOf, keysOf, readGroups} from './lib/groups.js';
import {calledAs, EXIT, Exit, run} from './lib/program.js';

/** LSB's "not running", which is what `status` has always answered. */
const NOT_OWNED = 3;
const OFFER_AFTER_S = 30;

void run(async (given) => {
  const direct = given.includes('--direct');
  const [command, argument, ...rest] = given.filter((word) => word !== '--direct');
  switch (command) {
    case 'listkeys':
      return print(keysOf(need(argument, rest)));
    case 'allkeys':
      return print(readGroups().map((group) => group.key));
    case 'ourkeys':
    case 'otherkeys':
      return print(lines(command === 'ourkeys'));
    case 'takegroup':
    case 'givegroup':
      // Callers pass a whole haresources line as words; its first is the key.
      return moveGroup(command, given.filter((word) => word !== '--direct')[1] ?? need(undefined, []), direct);
    case 'status':
      return status(need(argument, rest), direct);
    case 'statgroup':
      return statGroup(need(argument, rest), direct);
    case 'verifyallidle':
      return verifyAllIdle();
    default:
      throw new Exit(command === '--help' || command === '-h' ? EXIT.ok : EXIT.usage, usage());
  }
});

function print(found: readonly string[]): number {
  for (const each of found) process.stdout.write(`${each}\n`);
  return EXIT.ok;
}

/** The whole resource list of each line, with the trailing blank that callers know. */
function lines(ours: boolean): readonly string[] {
  return readGroups()
    .filter((group) => (group.home === currentHost()) === ours)
    .map((group) => `${group.resources.map((each) => each.word).join(' ')} `);
}

async function moveGroup(command: 'takegroup' | 'givegroup', key: string, direct: boolean): Promise<number> {
  const group = groupOf(key);
  const scope = group.home === currentHost() ? 'local' : 'foreign';
  const isOriginal = isOriginalRunning();
  if (!direct && !isOriginal && (await isDaemonRunning())) {
    const safe = command === 'takegroup' ? `hb_takeover ${scope}` : `hb_standby ${scope}`;
    throw new Exit(
      EXIT.refused,
      `ResourceManager: heartbeat is running and manages the group ${key}\n` +
        `    hint: \`${safe}\` moves it safely; --direct runs the agents behind heartbeat's back`,
    );
  }
  const director = await createDirector();
  if (command === 'givegroup') return director.stop(group);
  const status = await director.start(group);
  if (status !== EXIT.ok && isOriginal) offerLater(scope);
  return status;
}

/** A real Heartbeat does not look at our exit code: its own script offers what failed to the other node after 30 s. */
function offerLater(scope: 'local' | 'foreign'): void {
  const program = `${process.env['HA_NOARCHBIN'] ?? '/usr/share/heartbeat'}/hb_standby`;
  const command = `sleep ${OFFER_AFTER_S}; exec "$0" "$1"`;
  spawn('/bin/sh', ['-c', command, program, scope], {detached: true, stdio: 'ignore'}).unref();
}

async function status(key: string, direct: boolean): Promise<number> {
  const known = direct ? undefined : await measured(key);
  if (known) return known === 'running' ? EXIT.ok : NOT_OWNED;
  const director = await createDirector();
  return (await director.status(resourceOf(key))) === 'running' ? EXIT.ok : NOT_OWNED;
}

async function statGroup(key: string, direct: boolean): Promise<number> {
  const {resources} = groupOf(key);
  const states = direct ? undefined : (await groupStatus(key))?.resources.map((each) => each.state === 'running');
  const running = states ?? (await measureAll(resources));
  const count = running.filter(Boolean).length;
  return print([count === 0 ? 'NONE' : count === running.length ? 'ALL' : 'SOME']);
}

async function measureAll(resources: readonly Resource[]): Promise<boolean[]> {
  const director = await createDirector();
  const found: boolean[] = [];
  for (const resource of resources) found.push((await director.status(resource)) === 'running');
  return found;
}

/** Before a start: nothing of ours may run yet. The exit code counts what does. */
async function verifyAllIdle(): Promise<number> {
  let count = 0;
  const director = await createDirector();
  for (const {key, resources} of readGroups()) {
    if ((await director.status(resources[0]!)) !== 'running') continue;
    count += 1;
    process.stderr.write(`CRITICAL: Resource ${key} is active, and should not be!\n`);
    process.stderr.write('CRITICAL: Non-idle resources can affect data integrity!\n');
  }
  return Math.min(count, 100);
}

/** The state our daemon measured; undefined when none runs, or it does not know the word. */
async function measured(word: string): Promise<ResourceStateWord | undefined> {
  const reply = await ask({command: 'status'});
  const groups = reply.ok ? reply.status?.groups : undefined;
  return groups?.flatMap((group) => group.resources).find((each) => each.word === word)?.state;
}

async function groupStatus(key: string): Promise<GroupStatus | undefined> {
  const reply = await ask({command: 'status'});
  return reply.ok ? reply.status?.groups.find((group) => group.key === key) : undefined;
}

/** A daemon that does not answer still owns its resources. */
async function isDaemonRunning(): Promise<boolean> {
  const reply = await ask({command: 'status'}, 3000);
  return statusOf(reply) !== EXIT.notRunning || isUp(findDaemon());
}

function need(argument: string | undefined, rest: readonly string[]): string {
  if (argument === undefined || rest.length > 0) throw new Exit(EXIT.usage, usage());
  return argument;
}

function usage(): string {
  return (
    `usage: ${calledAs()} listkeys machine | allkeys | ourkeys | otherkeys | takegroup key | givegroup key | ` +
    'status resource | statgroup key | verifyallidle  [--direct]'
  );
}

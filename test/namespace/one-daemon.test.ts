// Goal: a node has one heartbeat, also in the seconds in which messaging replaces a manager that died. Method: a real daemon whose
// messaging process is frozen, so that those seconds last as long as the test needs them.
import assert from 'node:assert/strict';
import {afterEach, test} from '@jest/globals';
import {root, runProgram} from '../helpers/command.js';
import {type Daemon, Pair} from '../helpers/daemons.js';

let pair: Pair | undefined;
afterEach(() => {
  pair?.close();
  pair = undefined;
});

/** n1 holds its group; its manager is dead and its messaging process does not notice yet. */
async function widowed(): Promise<{both: Pair; n1: Daemon; old: number; messaging: number}> {
  pair = new Pair({haresources: 'n1 Held::a\n'});
  const {n1} = pair;
  n1.start();
  await pair.until('n1 holds a', () => n1.holds('a'));
  await pair.until('its state is known', async () => (await n1.status())?.groups[0]?.state === 'running');
  const [old, messaging] = [n1.pid, n1.messagingPid()];
  process.kill(messaging, 'SIGSTOP');
  process.kill(old, 'SIGKILL');
  await pair.until(
    'the manager is gone',
    () => !n1.processes().some(({pid, command}) => pid === old && command !== ''),
  );
  return {both: pair, n1, old, messaging};
}

function heartbeat(node: Daemon, flag: string): ReturnType<typeof runProgram> {
  return runProgram(`${root}/bin/heartbeat`, [flag], node.env as Record<string, string>);
}

test('a daemon that is started while a dead manager is replaced leaves the node to the old one', async () => {
  const {both, n1, old, messaging} = await widowed();
  n1.start();
  await both.until('it has read its files', () => n1.processes().some(({command}) => command.startsWith('heartbeat:')));
  const status = await heartbeat(n1, '-s');
  assert.equal(status.status, 0, status.stdout);
  process.kill(messaging, 'SIGCONT');
  await both.until('the successor runs', async () => n1.pid !== old && (await n1.status()) !== undefined);
  const {pid} = n1;
  await both.until('the other says so', () => n1.read('log/ha-log').includes(`already running [pid ${pid}]`));
  assert.equal(n1.messagingPid(), messaging);
  assert.doesNotMatch(n1.read('log/ha-log'), /EADDRINUSE/);
  assert.equal(n1.read('run/journal'), 'start a\n');
});

test('heartbeat -k while a dead manager is replaced: its successor is told, and the group is stopped when it returns', async () => {
  const {n1, messaging} = await widowed();
  const stopping = heartbeat(n1, '-k');
  process.kill(messaging, 'SIGCONT');
  const {status, stderr} = await stopping;
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /already stopped/);
  assert.equal(n1.read('run/journal'), 'start a\nstop a\n');
  assert.equal(n1.processes().length, 0);
  assert.equal((await heartbeat(n1, '-s')).status, 3);
});

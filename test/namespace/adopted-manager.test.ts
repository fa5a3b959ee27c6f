// Goal: a manager that replaces a lost one goes on with what was in force, not with what lies in the files by now. Method: real
// daemons whose files are edited, damaged or in the way at the moment their manager is killed.
import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync, readdirSync, statSync, writeFileSync} from 'node:fs';
import {afterEach, test} from '@jest/globals';
import {type Daemon, Pair} from '../helpers/daemons.js';

const TIMES = 'keepalive 200ms\nwarntime 1500ms\ndeadtime 4\ninitdead 8\n';
const KEPT = 'run/config.json';
let pair: Pair | undefined;
let stuck: ChildProcess | undefined;
afterEach(() => {
  stuck?.kill('SIGKILL');
  pair?.close();
  pair = undefined;
});

/** n1 holds its group, and n2 sees that. */
async function running(...names: ('n1' | 'n2')[]): Promise<Pair> {
  const both = new Pair({haresources: 'n1 Held::a\n', haCf: TIMES});
  pair = both;
  for (const name of names) both[name].start();
  await both.until('n1 holds a', () => both.n1.holds('a'), 20_000);
  await both.until('its state is known', async () => (await both.n1.status())?.groups[0]?.state === 'running');
  if (names.length === 2) await both.untilStable(both.n1, both.n2);
  return both;
}

async function killManager(both: Pair, node: Daemon): Promise<void> {
  const old = node.pid;
  process.kill(old, 'SIGKILL');
  const knows = async () => node.pid !== old && (await node.status())?.groups[0]?.state === 'running';
  await both.until('its successor knows the group', knows, 20_000);
}

function useOtherKey(node: Daemon): void {
  writeFileSync(`${node.dir}/etc/authkeys`, 'auth 2\n2 sha1 ANOTHER-KEY\n', {mode: 0o600});
}

async function sees(node: Daemon, peer: string): Promise<boolean> {
  return (await node.status())?.nodes.find(({name}) => name === peer)?.status === 'active';
}

function losses(node: Daemon): number {
  return node.read('log/ha-log').split('The manager process was lost').length - 1;
}

async function stay(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Beyond the dead time, so that a key that one of them has not would have shown. */
async function assertTogether({n1, n2}: Pair): Promise<void> {
  await stay(6000);
  assert.ok((await sees(n1, 'n2')) && (await sees(n2, 'n1')), pair?.story());
  assert.deepEqual([n1.holds('a'), n2.holds('a')], [true, false]);
  assert.equal(n1.read('run/journal'), 'start a\n');
}

test('keys edited, manager lost: not in force, and said; a reload of both nodes makes it so', async () => {
  const both = await running('n1', 'n2');
  const {n1, n2} = both;
  useOtherKey(n1);
  useOtherKey(n2);
  await killManager(both, n1);
  await assertTogether(both);
  assert.match(n1.read('log/ha-log'), /WARN: Edited since .*: authkeys\. .*heartbeat -r/);
  for (const node of [n1, n2]) assert.match((await node.ask({command: 'reload'})).text, /Configuration reloaded/);
  await assertTogether(both);
  for (const node of [n1, n2]) {
    assert.doesNotMatch(
      node.read('log/ha-log') + node.read('log/systole.json') + node.stderr,
      /ANOTHER-KEY|A-TEST-KEY/,
    );
    assert.equal(statSync(`${node.dir}/${KEPT}`).mode & 0o777, 0o600);
  }
}, 60_000);

test('a dead time edited, manager lost: a reload restarts messaging with it', async () => {
  const both = await running('n1');
  const {n1} = both;
  writeFileSync(`${n1.dir}/etc/ha.cf`, n1.read('etc/ha.cf').replace('deadtime 4', 'deadtime 5'));
  await killManager(both, n1);
  const messaging = n1.messagingPid();
  assert.match((await n1.ask({command: 'reload'})).text, /messaging restarts/);
  await both.until('it did', () =>
    n1.processes().some(({pid, command}) => pid !== messaging && command.startsWith('systole: messaging')),
  );
}, 60_000);

// Method: the copy of a reload that was interrupted between its first and its last act.
test('a manager that is lost within a reload: its successor finishes that', async () => {
  const both = await running('n1', 'n2');
  const {n1} = both;
  const messaging = n1.messagingPid();
  writeFileSync(`${n1.dir}/${KEPT}`, n1.read(KEPT).replace('"deadtimeMs":4000', '"deadtimeMs":5000'), {mode: 0o600});
  await killManager(both, n1);
  await both.until('messaging restarted', () =>
    n1.processes().some(({pid, command}) => pid !== messaging && command.startsWith('systole: messaging')),
  );
  assert.match(n1.read('log/ha-log'), /A reload was interrupted/);
  await assertTogether(both);
  assert.equal(n1.read('log/ha-log').split('A reload was interrupted').length - 1, 1);
}, 60_000);

test('files with an error and one lost manager: nothing stops, and the log says why nothing of them is used', async () => {
  const both = await running('n1');
  const {n1} = both;
  writeFileSync(`${n1.dir}/etc/authkeys`, 'auth 3\n2 sha1 ANOTHER-KEY\n', {mode: 0o600});
  writeFileSync(`${n1.dir}/etc/nodeinfo`, 'somebody\n');
  assert.equal((await n1.ask({command: 'reload'})).ok, false);
  await killManager(both, n1);
  await both.until('it is said', () => /WARN: .*have errors/.test(n1.read('log/ha-log')));
  await stay(3000);
  assert.equal(n1.read('run/journal'), 'start a\n');
  assert.equal(losses(n1), 1);
  process.kill(n1.pid, 'SIGTERM');
  await both.until('it has gone', () => n1.processes().length === 0, 20_000);
  assert.equal(existsSync(`${n1.dir}/${KEPT}`), false);
  const left = readdirSync(`${n1.dir}/run`).filter((name) => name.includes('config'));
  assert.equal(left.join(), '');
}, 60_000);

test('files with an error, and what was in force is lost too: the log has the errors', async () => {
  const both = await running('n1');
  const {n1} = both;
  writeFileSync(`${n1.dir}/${KEPT}`, '{"format":1,"config":', {mode: 0o600});
  writeFileSync(`${n1.dir}/etc/authkeys`, 'auth 3\n2 sha1 ANOTHER-KEY\n', {mode: 0o600});
  const old = n1.pid;
  process.kill(old, 'SIGKILL');
  await both.until('the errors are told', () => /ERROR: .*authkeys.*HB_AUTHKEYS/.test(n1.read('log/ha-log')), 20_000);
  writeFileSync(`${n1.dir}/etc/authkeys`, 'auth 1\n1 sha1 A-TEST-KEY\n', {mode: 0o600});
  const isBack = async () => n1.pid !== old && (await n1.status())?.groups[0]?.state === 'running';
  await both.until('repaired in time, the next one goes on', isBack, 20_000);
  assert.equal(n1.read('run/journal'), 'start a\n');
}, 60_000);

test('what was in force cannot be read: messaging keeps its keys until a reload', async () => {
  const both = await running('n1', 'n2');
  const {n1, n2} = both;
  writeFileSync(`${n1.dir}/${KEPT}`, '{"format":1,"config":', {mode: 0o600});
  useOtherKey(n1);
  useOtherKey(n2);
  writeFileSync(`${n1.dir}/etc/ha.cf`, n1.read('etc/ha.cf').replace('deadtime 4', 'deadtime 5'));
  await killManager(both, n1);
  await assertTogether(both);
  assert.match((await n1.ask({command: 'reload'})).text, /messaging restarts/);
  await n2.ask({command: 'reload'});
  await assertTogether(both);
}, 60_000);

// Method: the process that is stuck in the kernel is played by another one that looks like a heartbeat.
test('a killed manager that is gone only after seconds: its successor waits for it', async () => {
  const both = await running('n1');
  const {n1} = both;
  stuck = spawn('sleep', ['4'], {argv0: 'heartbeat:', stdio: 'ignore'});
  await stay(100);
  const old = n1.pid;
  writeFileSync(`${n1.dir}/run/heartbeat.pid`, `${String(stuck.pid).padStart(10)}\n`);
  process.kill(old, 'SIGKILL');
  const knows = async () => n1.pid !== stuck?.pid && (await n1.status())?.groups[0]?.state === 'running';
  await both.until('its successor knows the group', knows, 20_000);
  assert.equal(n1.read('run/journal'), 'start a\n');
  assert.equal(losses(n1), 1);
}, 60_000);

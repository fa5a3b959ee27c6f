// Goal: no script, file or disk that misbehaves costs a service that runs, and each is said in words. Method: real daemons on
// loopback with bad agents and bad state files. docs/bad-input.md lists every case and its test.

import assert from 'node:assert/strict';
import {chmodSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {afterEach, test} from '@jest/globals';
import {type Daemon, Pair, type PairOptions} from '../helpers/daemons.js';

let pair: Pair | undefined;
afterEach(() => {
  pair?.close();
  pair = undefined;
});

function make(options: PairOptions): Pair {
  pair = new Pair(options);
  return pair;
}

async function stateOf(node: Daemon, key: string): Promise<string | undefined> {
  return (await node.status())?.groups.find((group) => group.key === key)?.state;
}

test('a start that hangs is ended by its time-out and the group is offered to the peer; other groups never notice', async () => {
  const systoleConf = '[timeouts]\nstart = 1\n';
  const both = make({haresources: 'n1 Held::a\nn1 Awkward::hangs\n', systoleConf});
  const {n1, n2} = both;
  n1.start();
  n2.start();
  await both.until('n1 gives it up', () => /did not end within 1\d\d\d ms/.test(n1.read('log/ha-log')));
  await both.until('n2 tries it', () => /Running .*Awkward hangs start/.test(n2.read('log/ha-log')), 15_000);
  assert.equal(n1.read('run/journal'), 'start a\n');
  assert.ok(n1.holds('a'));
}, 30_000);

test('a start that leaves a daemon with our pipes, and one that prints 200 MB: both run, memory stays', async () => {
  const both = make({haresources: 'n1 Awkward::daemon\nn1 Awkward::noisy\n'});
  const {n1, n2} = both;
  n1.start();
  n2.start();
  await both.until('both groups run', async () => {
    const states = (await n1.status())?.groups.map((group) => group.state);
    return states?.join() === 'running,running';
  });
  const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${n1.pid}/status`, 'latin1'))?.[1]);
  assert.ok(rssKb < 200_000, `the manager has ${rssKb} kB`);
  assert.ok(statSync(`${n1.dir}/log/ha-log`).size < 1_000_000, 'the log is not flooded');
  // The daemon outlives the daemon that started it, and a graceful stop ends it.
  const pid = Number(n1.read('run/awkward-daemon'));
  process.kill(n1.pid, 'SIGKILL');
  await both.until('another manager', async () => (await stateOf(n1, 'Awkward::daemon')) === 'running');
  process.kill(pid, 0);
  assert.doesNotMatch(n2.read('log/ha-log'), /Late heartbeat|is dead/);
});

test('an agent that disappears while the daemon runs: the group is offered to the peer and the reason is said', async () => {
  const both = make({haresources: 'n1 Held::a\n'});
  const {n1, n2} = both;
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  // Given away and asked back: now it cannot be started here.
  assert.ok((await n1.ask({command: 'standby', scope: 'all'})).ok);
  await both.until('n2 holds a', () => n2.holds('a'));
  await both.untilStable(n1, n2);
  rmSync(`${n1.dir}/etc/resource.d/Held`);
  await n2.ask({command: 'standby', scope: 'all'});
  await both.until('it is said', () => /Cannot locate resource script Held/.test(n1.read('log/ha-log')));
  await both.until('n2 holds a again', () => n2.holds('a'), 15_000);
}, 40_000);

test('an agent missing from the start, and authkeys that others can read: refused before anything is touched', async () => {
  const both = make({haresources: 'n1 Held::a Misspelt::x\n'});
  const {n1, n2} = both;
  n1.start();
  await both.until('n1 refuses', () => n1.stderr.includes('heartbeat not started'));
  assert.match(n1.stderr, /haresources:1:12: error: .*Misspelt/);
  writeFileSync(`${n2.dir}/etc/haresources`, 'n1 Held::a\n');
  chmodSync(`${n2.dir}/etc/authkeys`, 0o644);
  n2.start();
  await both.until('n2 refuses', () => n2.stderr.includes('heartbeat not started'));
  assert.match(n2.stderr, /authkeys.* mode .*HB_AUTHKEYS_MODE|HB_AUTHKEYS_MODE/s);
  for (const node of [n1, n2]) {
    assert.equal(node.read('run/journal'), '');
    await both.until('nothing is left', () => node.processes().length === 0);
  }
});

test('a corrupt generation file: the peer accepts the node all the same, and nothing moves', async () => {
  const both = make({haresources: 'n1 Held::a\n'});
  const {n1, n2} = both;
  writeFileSync(`${n1.dir}/lib/hb_generation`, '\0\xff garbage');
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  // Torn by a power cut: the next start.
  process.kill(n1.pid, 'SIGTERM');
  await both.until('n1 has left', () => n1.processes().length === 0 && n2.holds('a'));
  writeFileSync(`${n1.dir}/lib/hb_generation`, '');
  n1.start();
  await both.untilStable(n1, n2);
  assert.equal(n1.holds('a'), false);
  assert.ok(n2.holds('a'));
}, 30_000);

test('a cloned machine: both nodes take another uuid, hear each other, and one serves', async () => {
  const both = make({haresources: 'n1 Held::a\n', haCf: 'keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 5\n'});
  const {n1, n2} = both;
  for (const node of [n1, n2]) writeFileSync(`${node.dir}/lib/hb_uuid`, 'CLONED-MACHINE-1');
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  assert.equal(n2.holds('a'), false);
  assert.equal(n2.read('run/journal'), '');
  assert.match(n1.read('log/ha-log') + n2.read('log/ha-log'), /has our own uuid: was this machine cloned/);
  assert.notEqual(n1.read('lib/hb_uuid'), n2.read('lib/hb_uuid'));
  assert.doesNotMatch(n1.read('log/ha-log') + n2.read('log/ha-log'), /is dead/);
}, 30_000);

// The judges of the lab, with guests that are told what to show: a judge that was never seen red is none.

import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {test} from '@jest/globals';
import {until} from '../../src/lab/wait.js';
import {type Cluster, type Seen, Watch} from '../lab/cluster.js';
import {Dice, FAULTS, FENCED_WEIGHTS, WEIGHTS} from '../lab/faults.js';
import {Guest} from '../lab/guest.js';

const PRIMARY = {holds: ['drbd0 Primary', 'drbd0 mounted'], hasAddress: true} as unknown as Seen;
const OTHER = {holds: ['drbd1 Primary', 'drbd1 mounted'], hasAddress: false} as unknown as Seen;
const SECONDARY = {holds: [], hasAddress: false} as unknown as Seen;

async function watched(shown: readonly (Seen | undefined)[], isExcused = false): Promise<Watch> {
  const cluster = {guests: [0, 1], see: async (at: number) => shown[at]} as unknown as Cluster;
  const watch = new Watch(cluster);
  watch.isExcused = isExcused;
  await until(() => watch.looks >= 1, {timeoutMs: 5000, what: () => 'the watch does not look'});
  await watch.stop();
  return watch;
}

test('two Primaries and two mounts are remembered', async () => {
  const {violations} = await watched([PRIMARY, PRIMARY]);
  assert.match(violations.join(), /drbd0 Primary on both nodes.*drbd0 mounted on both nodes/);
});

test('one Primary of each resource, and a guest that is off, are in order', async () => {
  assert.deepEqual((await watched([PRIMARY, OTHER])).violations, []);
  assert.deepEqual((await watched([PRIMARY, SECONDARY])).violations, []);
  assert.deepEqual((await watched([PRIMARY, undefined])).violations, []);
});

test('what is excused is counted all the same', async () => {
  const {violations, excused} = await watched([PRIMARY, PRIMARY], true);
  assert.deepEqual(violations, []);
  assert.ok(excused > 0);
});

test('a seed gives the same faults again, another one others, and every fault exists', () => {
  const faults = (seed: number): string => {
    const dice = new Dice(seed);
    return Array.from({length: 40}, () => dice.pick(FENCED_WEIGHTS)).join(' ');
  };
  assert.equal(faults(7), faults(7));
  assert.notEqual(faults(7), faults(8));
  assert.deepEqual(Object.keys(FENCED_WEIGHTS).sort(), Object.keys(FAULTS).sort());
  // What can only be survived with STONITH.
  for (const name of ['partition', 'long-pause']) assert.ok(!(name in WEIGHTS), name);
  const all = new Set(Array.from({length: 50}, (_, seed) => faults(seed)).flatMap((text) => text.split(' ')));
  assert.equal(all.size, Object.keys(FAULTS).length);
});

test('a guest that two ask at once has one connection: QEMU reads from the first and leaves a second without an answer', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'systole-lab-guest-'));
  mkdirSync(join(directory, 'n1'));
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    if (sockets.length > 1) return;
    createInterface({input: socket}).on('line', (line) => socket.write(`${line.split(' ')[0]} 0 - -\n`));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 'n1/cmd.sock'), resolve));
  const guest = new Guest(1, 'cmd', directory);
  try {
    const both = await Promise.all([guest.exec('first', 500), guest.exec('second', 500)]);
    assert.deepEqual(
      both.map(({code}) => code),
      [0, 0],
    );
    assert.equal(sockets.length, 1);
  } finally {
    guest.disconnect();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, {recursive: true});
  }
});

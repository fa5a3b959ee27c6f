// Goal: the picture of DRBD is either what the stream says now or absent, never an old one; what it tells dopd is told once. Method: the
// stand-in drbdsetup of fixtures/drbd/bin, which prints what the test does to its state.

import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {afterEach, beforeEach, jest, test} from '@jest/globals';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {DrbdWatch} from '../../src/runtime/drbd/watch.js';
import {FakeDrbd} from '../helpers/drbd.js';

jest.setTimeout(30_000);

let drbd: FakeDrbd;
let watch: DrbdWatch;
let told: string[];

beforeEach(() => {
  drbd = new FakeDrbd();
  told = [];
});

afterEach(async () => {
  watch.close();
  await until(() => streams().length === 0);
  drbd.remove();
});

function begin(env: Readonly<Record<string, string>> = drbd.env): void {
  watch = new DrbdWatch({
    tools: new DrbdTools(env),
    onHelper: (resource, helper) => told.push(`${resource} calls ${helper}`),
    onConfigured: (resource) => told.push(`${resource} configured`),
    onConnected: (resource) => told.push(`${resource} connected`),
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 2000, 'it never became true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const connection = () => {
  const state = watch.state('data');
  return state === undefined || state === 'down' ? state : state.peers[0]?.connection;
};

/** The stand-ins that run for this test. */
function streams(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => isOurs(pid))
    .map(Number);
}

function isOurs(pid: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return words.includes('drbdsetup\0events2') && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(drbd.dir);
  } catch {
    return false;
  }
}

test('the picture follows what happens, and says what was configured, connected, called', async () => {
  begin();
  assert.equal(watch.state('data'), undefined);
  await until(() => connection() === 'Connected');
  assert.equal(watch.state('other'), 'down');
  assert.deepEqual(told, ['data configured', 'data connected']);
  drbd.set({conn: 'Connecting', repl: 'Off'});
  await until(() => connection() === 'Connecting');
  drbd.set({});
  await until(() => told.includes('data connected'));
  drbd.put('said', 'call helper name:data peer-node-id:0 conn-name:peer helper:fence-peer\n');
  await until(() => told.includes('data calls fence-peer'));
  drbd.set({up: 'no'});
  await until(() => watch.state('data') === 'down');
  drbd.set({});
  told = [];
  drbd.set({up: 'yes'});
  await until(() => told.includes('data configured'));
});

test('a change is awaited, but not for ever', async () => {
  begin();
  await until(() => connection() === 'Connected');
  const startedMs = performance.now();
  await watch.changed(50);
  assert.ok(performance.now() - startedMs >= 45);
  const changed = watch.changed(20_000);
  drbd.set({conn: 'Connecting', repl: 'Off'});
  await changed;
  assert.ok(performance.now() - startedMs < 15_000);
});

test('a stream that ends leaves no picture, and is begun again', async () => {
  begin();
  await until(() => connection() === 'Connected');
  for (const pid of streams()) process.kill(pid, 'SIGKILL');
  await until(() => watch.state('data') === undefined);
  drbd.set({conn: 'Connecting', repl: 'Off'});
  await until(() => connection() === 'Connecting');
  // A link that returns while nobody looks is told too: what was known of the peer before is old.
  told = [];
  for (const pid of streams()) process.kill(pid, 'SIGKILL');
  drbd.set({});
  await until(() => told.includes('data connected'));
});

test('without DRBD there is no picture and no process', async () => {
  begin({PATH: '/nowhere'});
  await watch.changed(300);
  assert.equal(watch.state('data'), undefined);
  assert.equal(streams().length, 0);
});

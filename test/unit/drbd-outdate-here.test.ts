// Goal: an outdate here ends in bounded time with a true answer, whatever DRBD's tools do and however old the picture is that the
// event stream keeps. Method: the runtime with the stand-in tools of fixtures/drbd/bin; pictures are given by hand.

import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {afterEach, beforeEach, jest, test} from '@jest/globals';
import {parseEvents2} from '../../src/drbd/events2.js';
import type {ResourceState} from '../../src/drbd/state.js';
import {type OutdateOptions, outdateHere} from '../../src/runtime/drbd/outdate-here.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {FakeDrbd} from '../helpers/drbd.js';

const NOTICED = {conn: 'Connecting', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'};

// Each look starts processes, and the machine may be busy.
jest.setTimeout(90_000);

let drbd: FakeDrbd;
let notesDir: string;
let options: OutdateOptions;

beforeEach(() => {
  drbd = new FakeDrbd();
  notesDir = mkdtempSync(`${tmpdir()}/systole-notes-`);
  options = {tools: new DrbdTools(drbd.env), notesDir, log: () => {}};
});

afterEach(() => {
  drbd.remove();
  rmSync(notesDir, {recursive: true});
});

async function outdate(more: Partial<OutdateOptions> = {}): Promise<number> {
  const {value, reconnected} = await outdateHere('data', 'n2', {...options, ...more});
  await reconnected;
  return value;
}

function picture(role: string, connection: string, disk: string): ResourceState | undefined {
  const lines = [
    `exists resource name:data role:${role} suspended:no`,
    `exists connection name:data peer-node-id:0 conn-name:peer connection:${connection} role:Unknown`,
    `exists device name:data volume:0 minor:0 disk:${disk}`,
    'exists -',
  ];
  return parseEvents2(lines.join('\n'))?.[0];
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('an old picture never makes an answer', async () => {
  // The picture says Outdated, the disk has been synchronised since and is connected.
  assert.equal(await outdate({guess: () => picture('Secondary', 'Connecting', 'Outdated')}), 4);
  assert.equal(drbd.get('disk'), 'Outdated');
  // The picture says Primary; it is no more.
  drbd.set(NOTICED);
  assert.equal(await outdate({guess: () => picture('Primary', 'Connecting', 'UpToDate')}), 4);
  assert.equal(drbd.get('disk'), 'Outdated');
  // The picture says Secondary; it is Primary now.
  drbd.set({...NOTICED, role: 'Primary'});
  assert.equal(await outdate({guess: () => picture('Secondary', 'Connecting', 'Outdated')}), 6);
  // The picture says not connected; nothing that is done without looking may count.
  drbd.set({});
  drbd.put('on-disconnect', 'exit 10');
  drbd.put('on-events2', ':');
  drbd.put('calls', '');
  const never = outdate({guess: () => picture('Secondary', 'StandAlone', 'UpToDate')});
  await until(() => drbd.calls().includes('outdate data'));
  drbd.set(NOTICED);
  assert.equal(await never, 4);
});

test('a link that has returned is left alone', async () => {
  drbd.put(
    'on-outdate',
    '. ./state; printf "up=yes role=Secondary conn=Connected repl=Established disk=UpToDate prole=Primary pdisk=UpToDate meta=UpToDate\\n" >state; exit 0',
  );
  drbd.set(NOTICED);
  // The peer, whose link is back as well, takes its request back.
  const wanted = () => (drbd.get('conn') === 'Connected' ? 'no' : 'yes');
  assert.equal(await outdate({wanted}), 20);
  assert.deepEqual(drbd.calls(), ['outdate data']);
});

test('an early request drops no connection; the one in earnest that joins it does', async () => {
  let pauses = 0;
  const changed = () => {
    pauses += 1;
    assert.deepEqual(drbd.calls(), []);
    return new Promise<void>((resolve) => setTimeout(resolve, 400));
  };
  // Two pauses are longer than the grace that a request in earnest has.
  const wanted = () => (pauses < 2 ? 'early' : 'yes');
  const guess = () => picture('Secondary', 'Connected', 'UpToDate');
  assert.equal(await outdate({wanted, changed, guess}), 4);
  assert.ok(pauses >= 2);
  assert.deepEqual(drbd.calls(), ['disconnect --force data', 'outdate data', 'adjust data']);
});

test('what the stream tells ends the grace at once', async () => {
  let isConnected = true;
  const changed = async () => {
    drbd.set(NOTICED);
    isConnected = false;
  };
  const guess = () => picture('Secondary', isConnected ? 'Connected' : 'Connecting', 'UpToDate');
  assert.equal(await outdate({guess, changed}), 4);
  assert.deepEqual(drbd.calls(), ['outdate data']);
});

test('tools that hang: an answer all the same, and it is 20', async () => {
  drbd.set(NOTICED);
  drbd.put('on-outdate', 'exec sleep 600');
  assert.equal(await outdate({toolMs: 1000}), 20);
  drbd.put('on-outdate', ':');
  assert.equal(await outdate(), 4);
});

test('a disconnect that hangs leaves the note, and DRBD may notice by itself meanwhile', async () => {
  drbd.put('on-disconnect', 'exec sleep 600');
  drbd.put('on-adjust', 'exit 1');
  const running = outdate({toolMs: 2000});
  await until(() => drbd.calls().includes('disconnect --force data'));
  drbd.set(NOTICED);
  assert.equal(await running, 4);
  assert.deepEqual([...readdirSync(notesDir)], ['dropped-data']);
});

test('down, and a word of the metadata is not known: no proof for any volume', async () => {
  drbd.set({up: 'no', meta: 'UpToDate'});
  const metadata = () => new DrbdTools(drbd.env).readMetadata('data');
  drbd.put('on-dstate', 'echo Outdated; echo Unconfigured; exit 0\n');
  assert.deepEqual(await metadata(), []);
  assert.equal(await outdate(), 20);
  drbd.put('on-dstate', 'echo Outdated; echo Outdated; exit 0\n');
  assert.deepEqual(await metadata(), ['Outdated', 'Outdated']);
  assert.equal(await outdate(), 4);
});

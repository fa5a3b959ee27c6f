// Goal: what DRBD says becomes facts at once, progress included; a stream that ends, lies or is missing never leaves an old
// picture in force. Method: the watch with a stand-in for drbdsetup that streams what the test sets.

import assert from 'node:assert/strict';
import {chmodSync, existsSync, readFileSync, writeFileSync} from 'node:fs';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {EMPTY_PICTURE, foldEvent, resourcesOf} from '../../src/drbd/events2.js';
import type {DiskFacts} from '../../src/model/disk.js';
import {DiskWatch, type WatchOptions} from '../../src/runtime/drbd/disk-watch.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {isUnmet} from '../../src/runtime/drbd/unproven.js';
import {sightOf} from '../../src/runtime/drbd/watch-sights.js';
import {root} from '../helpers/config.js';
import {FakeDrbd} from '../helpers/drbd.js';

let drbd: FakeDrbd;
let watch: DiskWatch | undefined;
let last: readonly DiskFacts[];
let told: number;
let wake: () => void;
beforeEach(() => {
  drbd = new FakeDrbd();
  told = 0;
  last = [];
  wake = () => {};
});
afterEach(() => {
  watch?.close();
  watch = undefined;
  drbd.remove();
});

const never = {syncing: 60_000, ill: 60_000, well: 60_000};

function open(options: Partial<WatchOptions> = {}, names: readonly string[] = ['data']): DiskWatch {
  watch = new DiskWatch({
    tools: new DrbdTools(drbd.env),
    peer: () => 'n2',
    onFacts: (facts) => {
      last = facts;
      told += 1;
      wake();
    },
    lookMs: never,
    backoffMs: {first: 20, max: 100},
    graceMs: 300,
    ...options,
  });
  watch.follow(names);
  return watch;
}

async function until(what: string, condition: (data: DiskFacts) => boolean): Promise<DiskFacts> {
  const limit = AbortSignal.timeout(8000);
  for (;;) {
    const data = last.find(({resource}) => resource === 'data');
    if (data !== undefined && condition(data)) return data;
    await new Promise<void>((resolve, reject) => {
      wake = resolve;
      limit.onabort = () => reject(new Error(`never ${what}: ${JSON.stringify(last)}`));
    });
  }
}

test('the state, and every change of it', async () => {
  open();
  assert.equal(last[0]?.found, 'unknown');
  const first = await until('up', ({found}) => found === 'up');
  assert.deepEqual(
    [first.role, first.disk, first.peerDisk, first.connection, first.bar, first.peerBar],
    ['Secondary', 'UpToDate', 'UpToDate', 'Connected', undefined, undefined],
  );
  drbd.set({disk: 'Outdated', conn: 'Connecting', repl: 'Off', pdisk: 'DUnknown', prole: 'Unknown'});
  const outdated = await until('outdated', ({disk}) => disk === 'Outdated');
  assert.match(outdated.bar?.text ?? '', /^the disk of data is Outdated here/);
  assert.equal(outdated.peerBar?.code, 'not-connected');
  drbd.set({up: 'no'});
  const down = await until('down', ({found}) => found === 'down');
  assert.deepEqual([down.bar, down.peerBar?.code], [undefined, 'down']);
  drbd.set({});
  await until('up again', ({found}) => found === 'up');
});

test('progress, speed and time left come from looks while it synchronises', async () => {
  drbd.set({repl: 'SyncSource', pdisk: 'Inconsistent', role: 'Primary'});
  // 20 MiB less at each look.
  drbd.put('left', '200000');
  drbd.put('on-events2', 'oos=$(cat left); echo $((oos - 20480)) >left');
  open({lookMs: {...never, syncing: 600}});
  const data = await until('speed', ({progress}) => progress?.speedKibS !== undefined);
  const {percent, leftKib, speedKibS, etaS} = data.progress ?? assert.fail();
  assert.ok(leftKib < 200_000 && leftKib > 60_000, String(leftKib));
  assert.equal(percent, Math.round((1 - leftKib / 262_100) * 1000) / 10);
  assert.ok(speedKibS !== undefined && speedKibS > 5000 && speedKibS < 40_000, String(speedKibS));
  assert.equal(etaS, Math.ceil(leftKib / speedKibS));
  assert.equal(data.peerBar?.code, 'sync-source');
  drbd.put('on-events2', 'oos=0');
  drbd.set({role: 'Primary'});
  const done = await until('done', ({progress}) => progress === undefined);
  assert.equal(done.peerBar, undefined);
});

describe('copies that verify found to differ', () => {
  const VERIFIED = {role: 'Primary'} as const;

  test('what an event says is looked at before it bars a move; when it is over nothing is barred, by an event or by a look', async () => {
    drbd.set({...VERIFIED, repl: 'VerifyS'});
    open({lookMs: {...never, syncing: 200, ill: 100}});
    await until('verifying', ({replication}) => replication === 'VerifyS');
    drbd.put('oos', '4096');
    const before = told;
    drbd.set(VERIFIED);
    const done = await until('told', ({replication}) => replication === 'Established');
    assert.deepEqual([done.peerBar, told], [undefined, before + 1]);
    const differs = await until('differs', ({differsKib}) => differsKib === 4096);
    assert.equal(differs.peerBar?.code, 'differs');
    // No event tells this.
    drbd.put('oos', '0');
    assert.equal((await until('agree', ({differsKib}) => differsKib === undefined)).peerBar, undefined);
    drbd.put('oos', '64');
    drbd.set({...VERIFIED, prole: 'Unknown'});
    await until('differs again', ({differsKib}) => differsKib === 64);
    drbd.put('oos', '0');
    drbd.set({...VERIFIED, repl: 'SyncSource', pdisk: 'Inconsistent'});
    await until('synchronising', ({peerBar}) => peerBar?.code === 'sync-source');
    drbd.set(VERIFIED);
    await until('agree again', ({peerBar}) => peerBar === undefined);
  });

  test('an event that is corrected by the look bars nothing at any time', async () => {
    drbd.put('on-events2', 'case "$*" in *--now*) oos=0 ;; *) oos=4096 ;; esac');
    drbd.set(VERIFIED);
    const bars: unknown[] = [];
    open({onFacts: (facts) => bars.push(facts[0]?.peerBar)});
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(
      bars.filter((bar) => bar !== undefined),
      [],
    );
  });

  test('events that keep coming put no look off', async () => {
    drbd.put('oos', '4096');
    drbd.set(VERIFIED);
    open({lookMs: {...never, ill: 600}});
    await until('differs', ({differsKib}) => differsKib === 4096);
    drbd.put('oos', '0');
    const noise = setInterval(() => drbd.put('said', 'change resource name:data suspended:no\n'), 150);
    try {
      await until('agree', ({differsKib}) => differsKib === undefined);
    } finally {
      clearInterval(noise);
    }
  });
});

test('a stream that keeps silent is noticed, and another one is started', async () => {
  // The first stream says Outdated, and nothing ever again.
  const lines = [
    'resource name:data role:Secondary suspended:no',
    'connection name:data peer-node-id:0 conn-name:peer connection:Connected role:Secondary congested:no',
    'device name:data volume:0 minor:0 disk:Outdated',
    'peer-device name:data peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate',
    '-',
  ];
  drbd.put('lines', lines.map((line) => `exists ${line}\n`).join(''));
  drbd.put(
    'on-events2',
    'case "$*" in *--now*) ;; *) [ -e again ] || { touch again; cat lines; exec sleep 30; } ;; esac',
  );
  open({lookMs: {...never, ill: 200}});
  await until('outdated', ({disk}) => disk === 'Outdated');
  await until('the truth', ({disk}) => disk === 'UpToDate');
  drbd.set({disk: 'Inconsistent'});
  await until('the new stream tells', ({disk}) => disk === 'Inconsistent');
});

test('a stream that ends is started again; one that stays away leaves nothing known', async () => {
  drbd.put('on-events2', 'echo x >>starts; [ ! -e broken ] || exit 20');
  open({lookMs: never});
  await until('up', ({found}) => found === 'up');
  const before = told;
  drbd.put('broken', '');
  // The stream ends when its state is gone for a moment.
  const state = drbd.read('state');
  drbd.put('state.gone', state);
  drbd.lose('state');
  await until('unknown', ({found}) => found === 'unknown');
  assert.equal(told, before + 1, 'nothing was told in between');
  drbd.put('state', state);
  drbd.lose('broken');
  await until('up again', ({found}) => found === 'up');
  assert.ok(drbd.read('starts').trim().split('\n').length < 60, 'the back-off works');
});

test('looks that fail twice: what is known is not known any more', async () => {
  drbd.put('on-events2', 'case "$*" in *--now*) exit 20 ;; esac');
  open({lookMs: {...never, well: 50}});
  await until('up', ({found}) => found === 'up');
  await until('unknown', ({found}) => found === 'unknown');
});

test('other resources are passed over; endless lines do no harm', async () => {
  const noise = `${drbd.dir}/drbdsetup`;
  writeFileSync(
    noise,
    `#!/bin/sh\nyes "change resource name:other role:Primary" | head -20000\nhead -c 300000 /dev/zero | tr '\\0' x\nsleep 30\n`,
  );
  chmodSync(noise, 0o755);
  const tools = new DrbdTools({...drbd.env, PATH: `${drbd.dir}:${drbd.env['PATH']}`});
  open({tools, backoffMs: {first: 50, max: 50}});
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.deepEqual(
    last.map(({resource, found}) => [resource, found]),
    [['data', 'unknown']],
  );
});

test('all: whatever DRBD has; without drbdsetup nothing', async () => {
  open({}, ['all']);
  await until('data', ({found}) => found === 'up');
  watch?.close();
  const tools = new DrbdTools({PATH: '/nowhere'});
  Object.defineProperty(tools, 'find', {value: () => undefined});
  const lone = new DiskWatch({tools, peer: () => undefined, onFacts: () => {}});
  lone.follow(['data']);
  lone.close();
});

describe('a disk that lost its peer before heartbeat started', () => {
  const LOST = {conn: 'Connecting', repl: 'Off', pdisk: 'DUnknown', prole: 'Unknown'};
  const FENCED = 'resource data { disk { fencing resource-only; } }\n';
  const note = (): string => `${drbd.dir}/drbd/data.unproven`;

  test('bars its group until the two have met', async () => {
    drbd.put('show', FENCED);
    drbd.set(LOST);
    open({places: {runDir: drbd.dir}, isFreshStart: true});
    const lost = await until('barred', ({bar}) => bar !== undefined);
    assert.equal(lost.bar?.code, 'unproven');
    assert.match(lost.bar.text, /is UpToDate here: the other node may have gone on writing/);
    assert.ok(existsSync(note()));
    drbd.set({});
    const met = await until('met', ({connection}) => connection === 'Connected');
    assert.deepEqual([met.bar, existsSync(note())], [undefined, false]);
    // Lost while heartbeat is here: its dopd hears it.
    drbd.set(LOST);
    const again = await until('lost again', ({connection}) => connection !== 'Connected');
    assert.equal(again.bar, undefined);
  });

  test('goes on barring it when a handshake ends with nothing agreed, and when it is attached anew', async () => {
    drbd.put('show', FENCED);
    drbd.set(LOST);
    open({places: {runDir: drbd.dir}, isFreshStart: true});
    await until('barred', ({bar}) => bar?.code === 'unproven');
    const before = told;
    drbd.set({...LOST, conn: 'Connected', disk: 'Attaching'});
    await until('in the handshake', ({disk}) => disk === 'Attaching');
    drbd.set({...LOST, conn: 'Connected'});
    const handshake = await until('good in the handshake', ({disk}) => disk === 'UpToDate');
    assert.deepEqual([handshake.bar?.code, handshake.connection], ['unproven', 'Connecting']);
    drbd.set(LOST);
    drbd.set({...LOST, conn: 'NetworkFailure'});
    const over = await until('broken off', ({connection}) => connection === 'NetworkFailure');
    assert.equal(over.bar?.code, 'unproven');
    assert.ok(existsSync(note()) && told > before);
  });

  test('bars it also when the note cannot be written, and says that the agent does not know', async () => {
    drbd.put('show', FENCED);
    drbd.set(LOST);
    // Not a directory.
    drbd.put('run', '');
    const said: string[] = [];
    open({places: {runDir: `${drbd.dir}/run`}, isFreshStart: true, warn: (text) => said.push(text)});
    const lost = await until('barred', ({found}) => found === 'up');
    assert.equal(lost.bar?.code, 'unproven');
    assert.match(
      said.join('\n'),
      /^data: it cannot be noted for drbddisk that the copy here is not proven good: .*ENOTDIR/,
    );
    drbd.set({});
    assert.equal((await until('met', ({connection}) => connection === 'Connected')).bar, undefined);
    drbd.set(LOST);
    assert.equal((await until('lost again', ({connection}) => connection !== 'Connected')).bar, undefined);
  });

  test('every line of a recorded handshake that ended in a split brain: not met', () => {
    const lines = readFileSync(`${root}/fixtures/drbd/8.4/events2-split-brain`, 'utf8').split('\n');
    let picture = EMPTY_PICTURE;
    let handshakes = 0;
    for (const line of lines.map((each) => each.replaceAll('role:Primary', 'role:Secondary'))) {
      picture = foldEvent(picture, line);
      const [state] = picture.isComplete ? resourcesOf(picture) : [];
      if (state === undefined) continue;
      if (state.peers[0]?.connection === 'Connected') handshakes += 1;
      assert.ok(isUnmet(state), line);
      assert.equal(sightOf(state).isConnected, false, line);
    }
    assert.ok(handshakes > 0);
  });

  test('bars nothing for another manager, beside a peer known to be old, nor where DRBD is not to care', async () => {
    drbd.put('show', FENCED);
    drbd.set(LOST);
    open({places: {runDir: drbd.dir}});
    assert.equal((await until('up', ({found}) => found === 'up')).bar, undefined);
    watch?.close();
    last = [];
    // Inconsistent: the other one died in the middle of a synchronisation from here.
    for (const pdisk of ['Outdated', 'Inconsistent']) {
      drbd.set({...LOST, pdisk});
      open({places: {runDir: drbd.dir}, isFreshStart: true});
      assert.equal((await until('up', ({found}) => found === 'up')).bar, undefined, pdisk);
      watch?.close();
      last = [];
    }
    drbd.put('show', 'resource data { disk { fencing dont-care; } }\n');
    drbd.set(LOST);
    open({places: {runDir: drbd.dir}, isFreshStart: true});
    await until('free', ({found, bar}) => found === 'up' && bar === undefined);
    assert.ok(!existsSync(note()));
  });
});

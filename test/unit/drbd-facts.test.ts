// Goal: what becomes of DRBD's picture of a resource. Method: states as the parsers make them, and the samples of a real 8.4 pair.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from '@jest/globals';
import {EMPTY_PICTURE, foldEvent, resourcesOf} from '../../src/drbd/events2.js';
import {factsOf, factsWithout, sampleOf, withSample} from '../../src/drbd/facts.js';
import type {ResourceState} from '../../src/drbd/state.js';
import {parseStatusJson} from '../../src/drbd/status-json.js';
import {progressText} from '../../src/model/disk.js';
import {root} from '../helpers/config.js';
import {facts, SEEN} from '../helpers/disk-facts.js';

test('every line of a real synchronisation: barred as a target, never promised to the peer before the end', () => {
  const lines = readFileSync(`${root}/fixtures/drbd/8.4/events2-sync`, 'utf8').split('\n');
  let picture = EMPTY_PICTURE;
  const seen = new Set<string>();
  for (const line of lines) {
    picture = foldEvent(picture, line);
    if (!picture.isComplete) continue;
    const [state] = resourcesOf(picture);
    if (state === undefined) continue;
    const {disk, peerDisk, replication, peerBar} = factsOf(state, 'n2');
    seen.add(replication);
    if (peerDisk !== 'UpToDate' || disk === 'Inconsistent')
      assert.ok(peerBar !== undefined || peerDisk === 'UpToDate', line);
    if (peerBar === undefined) assert.equal(peerDisk, 'UpToDate', line);
  }
  assert.ok(seen.has('SyncSource') || seen.has('SyncTarget'), [...seen].join());
});

test('the usual sights', () => {
  const bars = Object.entries(SEEN).map(([name, said]) => {
    const {bar, peerBar} = facts(said);
    return [name, bar?.code ?? '-', peerBar?.code ?? '-'].join(' ');
  });
  assert.deepEqual(bars, [
    'active - -',
    'standby peer-primary -',
    'idle - -',
    'differs - differs',
    'differsThere peer-primary differs',
    'alone - not-connected',
    'aloneActive - not-connected',
    'outdated outdated not-connected',
    'source - sync-source',
    'target sync-target -',
  ]);
  assert.equal(factsWithout('data', 'unknown').peerBar, undefined);
});

test('a handshake is no connection', () => {
  const {connection, peerBar} = facts({repl: 'Off', prole: 'Unknown', pdisk: 'Outdated'});
  assert.deepEqual([connection, peerBar?.code], ['Connecting', 'not-connected']);
});

test('what verify found to differ: only between two copies that are good, and connected', () => {
  const {peerBar, differsKib} = facts(SEEN.differs);
  const todo = 'on the node that does not serve: drbdadm disconnect data; drbdadm connect data';
  assert.deepEqual(
    [peerBar?.text, differsKib],
    [`4.0 MiB of data are known to differ on the two nodes; ${todo}`, 4096],
  );
  for (const repl of ['VerifyS', 'VerifyT']) {
    assert.equal(facts({...SEEN.active, repl}).peerBar, undefined, 'a verify takes nothing away');
    assert.equal(facts({...SEEN.differs, repl}).peerBar?.code, 'differs');
  }
  for (const said of [
    {disk: 'Diskless'},
    {pdisk: 'Diskless'},
    {repl: 'SyncSource'},
    {conn: 'Connecting', pdisk: 'DUnknown'},
    {differsKib: 0},
  ])
    assert.equal(facts({...SEEN.differs, ...said}).differsKib, undefined, JSON.stringify(said));
});

test('an event that changes the replication without a number: the number of before is not kept', () => {
  const line = (text: string): string => `peer-device name:data peer-node-id:0 conn-name:peer volume:0 ${text}`;
  const seen = (...lines: readonly string[]) => {
    const picture = lines.reduce(foldEvent, EMPTY_PICTURE);
    return Object.values(picture.objects).map((keys) => keys['out-of-sync']);
  };
  const before = `exists ${line('replication:SyncSource peer-disk:Inconsistent out-of-sync:4096')}`;
  assert.deepEqual(seen(before, `change ${line('replication:Established peer-disk:UpToDate')}`), [undefined]);
  assert.deepEqual(seen(before, `change ${line('replication:Established out-of-sync:8')}`), ['8']);
  assert.deepEqual(seen(before, `change ${line('resync-suspended:user')}`), ['4096']);
});

test('DRBD 9: the peer is the connection named after the other node; among strangers nothing is known', () => {
  const states = parseStatusJson(readFileSync(`${root}/fixtures/drbd/9/status.json`, 'utf8')) ?? [];
  for (const state of states) {
    for (const {name, connection} of state.peers)
      assert.equal(factsOf(state, name.toLowerCase()).connection, connection);
  }
  const [state] = states;
  assert.ok(state);
  const two: ResourceState = {
    ...state,
    peers: ['A', 'B'].flatMap((name) => state.peers.slice(0, 1).map((peer) => ({...peer, name}))),
  };
  const {connection, peerDisk, peerBar} = factsOf(two, 'c');
  assert.deepEqual([connection, peerDisk, peerBar], ['Unknown', 'Unknown', undefined]);
  assert.equal(factsOf(two, 'b').connection, two.peers[1]?.connection);
});

test('samples: the speed of the last half minute; another synchronisation begins anew', () => {
  let samples = withSample([], {monoMs: 0, leftKib: 100_000});
  for (let second = 2; second <= 60; second += 2) {
    samples = withSample(samples, {monoMs: second * 1000, leftKib: 100_000 - second * 1000});
  }
  assert.ok(samples.length <= 16 && (samples[0]?.monoMs ?? 0) >= 30_000);
  assert.deepEqual(withSample(samples, {monoMs: 61_000, leftKib: 90_000}), [{monoMs: 61_000, leftKib: 90_000}]);
  assert.deepEqual(withSample(samples, undefined), []);
  const [state] = resourcesOf(EMPTY_PICTURE);
  assert.equal(state, undefined);
  assert.equal(sampleOf({name: 'x', role: 'Primary', isSuspended: false, volumes: [], peers: []}, 0), undefined);
});

test('progress in words', () => {
  const text = (leftKib: number, speedKibS?: number, etaS?: number) =>
    progressText({percent: 12.34, leftKib, speedKibS, etaS});
  assert.equal(text(512), '12.3 %, 512 KiB to go');
  assert.equal(text(3_145_728, 20_480, 153), '12.3 %, 3.0 GiB to go, 20.0 MiB/s, about 2:33 left');
  assert.equal(text(2048, 1, 7322), '12.3 %, 2.0 MiB to go, 1 KiB/s, about 2:02:02 left');
  assert.equal(progressText({percent: undefined, leftKib: 1, speedKibS: undefined, etaS: undefined}), '1 KiB to go');
});

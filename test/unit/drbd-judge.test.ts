// Goal: only a good disk is promoted, and a refusal says what is wrong, what would be lost and what to do. Method: each row of
// the table of states that were observed on a real pair, plus several volumes.

import assert from 'node:assert/strict';
import {describe, test} from '@jest/globals';
import {explainPromotion, judgePromotion} from '../../src/drbd/judge.js';
import type {Connection, DiskState, Replication, ResourceState, Role} from '../../src/drbd/state.js';

interface Sketch {
  readonly role?: Role;
  readonly disks?: readonly DiskState[];
  readonly connection?: Connection;
  readonly peerRole?: Role;
  readonly replication?: Replication;
  readonly peer?: string;
  readonly done?: number;
}

function stateOf(sketch: Sketch): ResourceState {
  const disks = sketch.disks ?? ['UpToDate'];
  return {
    name: 'data',
    role: sketch.role ?? 'Secondary',
    isSuspended: false,
    volumes: disks.map((disk, volume) => ({volume, minor: volume, disk})),
    peers: [
      {
        name: sketch.peer ?? 'peer',
        connection: sketch.connection ?? 'Connecting',
        role: sketch.peerRole ?? 'Unknown',
        volumes: disks.map((_, volume) => ({
          volume,
          replication: sketch.replication ?? 'Off',
          disk: 'DUnknown',
          outOfSyncKib: 4096,
          donePercent: sketch.done,
        })),
      },
    ],
  };
}

const table: readonly (readonly [string, Sketch, string])[] = [
  ['alone with good data', {}, 'promote'],
  ['just booted, the other node is not there', {disks: ['Consistent'], connection: 'Connecting'}, 'refuse unproven'],
  ['just booted, the handshake is under way', {disks: ['Consistent'], connection: 'Connected'}, 'wait settling'],
  ['StandAlone with good data', {connection: 'StandAlone'}, 'promote'],
  ['connected to a Secondary', {connection: 'Connected', peerRole: 'Secondary', replication: 'Established'}, 'promote'],
  [
    'the source of a resynchronisation',
    {connection: 'Connected', peerRole: 'Secondary', replication: 'SyncSource'},
    'promote',
  ],
  ['Primary already', {role: 'Primary'}, 'already'],
  [
    'the peer is Primary',
    {connection: 'Connected', peerRole: 'Primary', replication: 'Established'},
    'wait peer-primary',
  ],
  ['attaching', {disks: ['Attaching']}, 'wait settling'],
  ['bitmap exchange, to become the target', {connection: 'Connected', replication: 'WFBitMapT'}, 'wait settling'],
  ['outdated', {disks: ['Outdated']}, 'refuse outdated'],
  [
    'outdated, and the peer is Primary',
    {disks: ['Outdated'], connection: 'Connected', peerRole: 'Primary'},
    'refuse outdated',
  ],
  ['never synchronised', {disks: ['Inconsistent']}, 'refuse inconsistent'],
  [
    'target of a resynchronisation',
    {disks: ['Inconsistent'], connection: 'Connected', replication: 'SyncTarget'},
    'refuse sync-target',
  ],
  [
    'paused target',
    {disks: ['Inconsistent'], connection: 'Connected', replication: 'PausedSyncT'},
    'refuse sync-target',
  ],
  ['detached', {disks: ['Diskless'], connection: 'Connected'}, 'refuse no-disk'],
  ['failed disk', {disks: ['Failed']}, 'refuse no-disk'],
  ['no volume', {disks: []}, 'refuse no-disk'],
  ['a state that nobody knows', {disks: ['Unknown']}, 'refuse unknown'],
  ['one volume of two is outdated', {disks: ['UpToDate', 'Outdated']}, 'refuse outdated'],
  ['one volume of two still attaches', {disks: ['UpToDate', 'Attaching']}, 'wait settling'],
];

describe('may this node promote', () => {
  test.each(table.map(([name, sketch, expected]) => ({name, sketch, expected})))(
    '$name: $expected',
    ({sketch, expected}) => {
      const judged = judgePromotion(stateOf(sketch));
      assert.equal('code' in judged ? `${judged.verdict} ${judged.code}` : judged.verdict, expected);
    },
  );
});

test('a refusal names volume, device, loss and remedy, and never proposes to force', () => {
  for (const [, sketch, expected] of table) {
    const judged = judgePromotion(stateOf(sketch));
    const text = explainPromotion('data', judged);
    assert.doesNotMatch(text.replace('never primary --force here', ''), /--force|discard/);
    if (expected.startsWith('refuse'))
      assert.match(text, /^not promoting data: .+\. Promoting would lose .+\. What to do: /);
  }
  const text = explainPromotion('data', judgePromotion(stateOf({disks: ['UpToDate', 'Outdated'], peer: 'data-1-1'})));
  assert.match(text, /data\/1 \(\/dev\/drbd1\) is Outdated: data-1-1 went on writing/);
});

test('a disk that was replaced gets metadata first; adjust is for the old one', () => {
  for (const disk of ['Diskless', 'Failed'] as const) {
    const text = explainPromotion('data', judgePromotion(stateOf({disks: [disk]})));
    assert.match(
      text,
      /the old disk again: drbdadm adjust data; new disk: drbdadm create-md data, then drbdadm up data/,
    );
    assert.match(text, /the other node's data are copied here; never primary --force here .*"A disk fails"/);
    assert.match(text, /Only where neither node ever had data: .*"First start"/);
  }
});

test('a synchronisation shows its progress', () => {
  const sketch = {disks: ['Inconsistent'], connection: 'Connected', replication: 'SyncTarget', done: 18.8} as const;
  assert.match(explainPromotion('data', judgePromotion(stateOf(sketch))), /18\.8 % done\), 4096 KiB to go/);
});

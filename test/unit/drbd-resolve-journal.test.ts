// Goal: a journal of `systole drbd resolve` counts only as long as the data are those that it began with. Method: the states a disk
// can have got into meanwhile, up and down; what cannot be read is neither the one nor the other.

import assert from 'node:assert/strict';
import {expect, test} from '@jest/globals';
import {parseEvents2} from '../../src/drbd/events2.js';
import {parseGenerations} from '../../src/drbd/generation.js';
import {isHalfUp, isJournalVoid, journalOf, standingOf} from '../../src/drbd/resolve-journal.js';
import {isUntouched, sightOf} from '../../src/drbd/resolve-plan.js';
import type {Connection, DiskState, ResourceState} from '../../src/drbd/state.js';
import type {View} from '../../src/drbd/view.js';
import {chooseAgain} from '../../src/runtime/drbd/resolve-choice.js';

const BEGUN = 'FE4FFEBB16712C65:346EC3F299DF65DE:3D60C7B8E27B770A:0000000000000004';
const OTHERS = 'AAAAAAAAAAAAAAA4:346EC3F299DF65DE:3D60C7B8E27B770A:0000000000000004';
const REBASED = 'FE4FFEBB16712C65:BBBBBBBBBBBBBBB4:3D60C7B8E27B770A:0000000000000004';

function view(disks: readonly DiskState[], more: {gi?: string; connection?: Connection; flags?: string} = {}): View {
  const {gi = BEGUN, connection = 'StandAlone', flags = '1:1'} = more;
  const [generation] = parseGenerations(`${gi}:${flags}:0:0:0:0:0`);
  return {
    node: 'n1',
    resource: 'data',
    wallMs: 1,
    isUp: more.flags === undefined,
    role: 'Secondary',
    connection,
    volumes: disks.map((disk, volume) => ({volume, disk, peerDisk: 'Unknown', outOfSyncKib: 0, generation})),
    isDiscarding: false,
  };
}

test.each([
  ['just begun', [], view(['UpToDate']), 'binding'],
  ['outdated', ['outdated'], view(['Outdated']), 'binding'],
  ['Primary then, Secondary now', ['outdated'], view(['Outdated'], {gi: BEGUN.replace('C65', 'C64')}), 'binding'],
  ['down', ['outdated', 'saved'], view(['Unknown'], {flags: '1:0'}), 'binding'],
  ['down while it was overwritten', ['outdated'], view(['Unknown'], {flags: '0:0', gi: OTHERS}), 'binding'],
  ['half overwritten', ['outdated', 'saved'], view(['Inconsistent'], {gi: OTHERS}), 'binding'],
  ['one volume is there already', ['outdated'], view(['UpToDate', 'Inconsistent'], {gi: OTHERS}), 'binding'],
  ['handshake', ['outdated'], view(['Outdated'], {gi: OTHERS, connection: 'Connected'}), 'binding'],
  ['synchronised', ['outdated', 'saved'], view(['UpToDate'], {gi: OTHERS, connection: 'Connected'}), 'void'],
  ['forced to be good', ['outdated'], view(['UpToDate']), 'void'],
  ['forced, then down', ['outdated'], view(['Unknown'], {flags: '1:1'}), 'void'],
  ['served and outdated again', ['outdated', 'saved'], view(['Outdated'], {gi: OTHERS}), 'void'],
  ['another base', ['outdated', 'saved'], view(['Outdated'], {gi: REBASED}), 'void'],
  ['served before anything was done', [], view(['UpToDate'], {gi: OTHERS}), 'void'],
  ['nothing to read', ['outdated'], view([]), 'unknown'],
  ['a volume more', ['outdated'], view(['Outdated', 'Outdated']), 'unknown'],
] as const)('%s', (_, done, now, standing) => {
  const ours = view(now.volumes.length === 2 && standing === 'binding' ? ['UpToDate', 'UpToDate'] : ['UpToDate']);
  assert.equal(standingOf({ours, done}, now), standing);
  assert.equal(isJournalVoid({ours, done}, now), standing === 'void');
});

test('begun when the identifiers could not be read: nothing is known', () => {
  assert.equal(standingOf({ours: view([]), done: ['outdated']}, view(['Outdated'])), 'unknown');
});

test('written and read again it is the same; less than a journal is none', () => {
  const journal = {
    resource: 'data',
    node: 'n1',
    startedMs: 5,
    backup: 'changed',
    directory: '/b',
    ours: view(['UpToDate']),
    theirs: undefined,
    done: ['outdated', 'saved'],
  } as const;
  assert.deepEqual(journalOf(JSON.parse(JSON.stringify(journal)), 'data'), journal);
  expect(['{}', '"x"', '[]', 'null', '7'].map((text) => journalOf(JSON.parse(text), 'data'))).toEqual(
    Array(5).fill(undefined),
  );
  assert.equal(journalOf({...journal, directory: undefined}, 'data'), undefined);
});

test('half up: volumes are missing, or have no disk', () => {
  const state = {name: 'data', role: 'Secondary', isSuspended: false, volumes: [], peers: []} as const;
  assert.ok(isHalfUp(sightOf(state)));
  assert.ok(isHalfUp(sightOf({...state, volumes: [{volume: 0, minor: 0, disk: 'Diskless'}]})));
  assert.ok(!isHalfUp(sightOf({...state, volumes: [{volume: 0, minor: 0, disk: 'Outdated'}]})));
  assert.ok(!isHalfUp(sightOf(undefined)));
});

test('untouched: every counter is there and zero', () => {
  const volume = {volume: 0, minor: 0, disk: 'Inconsistent', writtenKib: 0} as const;
  const there = {volume: 0, replication: 'PausedSyncT', disk: 'UpToDate', receivedKib: 0} as const;
  const state = (written?: number, received?: number): ResourceState => ({
    name: 'data',
    role: 'Secondary',
    isSuspended: false,
    volumes: [{...volume, ...(written === undefined ? {writtenKib: Number.NaN} : {writtenKib: written})}],
    peers: [
      {
        name: 'peer',
        connection: 'Connected',
        role: 'Primary',
        volumes: [{...there, outOfSyncKib: 1, donePercent: 0, receivedKib: received ?? Number.NaN}],
      },
    ],
  });
  assert.ok(isUntouched(state(0, 0)));
  for (const each of [
    undefined,
    state(4, 0),
    state(0, 4),
    state(undefined, 0),
    state(0),
    {...state(0, 0), volumes: []},
  ])
    assert.ok(!isUntouched(each));
  assert.ok(isUntouched({...state(0, 0), peers: []}), 'parted, 8.4 may show no peer');
  const [parsed] = parseEvents2(
    'exists resource name:data role:Secondary suspended:no\nexists device name:data volume:0 minor:0 disk:Outdated\nexists -',
  ) ?? [undefined];
  assert.ok(!isUntouched(parsed), 'without statistics nothing is known');
});

test('the words of a later call', () => {
  const words = {'backup-full': false, 'no-backup': false};
  const [changed, full, none] = [
    {backup: 'changed', directory: '/a/data-1'},
    {backup: 'full', directory: '/a/data-1'},
    {backup: 'none', directory: undefined},
  ] as const;
  assert.equal(chooseAgain(changed, words, '/d'), undefined);
  assert.equal(chooseAgain(full, {...words, backup: '/a/'}, '/d'), undefined);
  assert.equal(chooseAgain(none, {...words, 'no-backup': true}, '/d'), undefined);
  assert.deepEqual(chooseAgain(full, {...words, backup: '/b'}, '/d'), {backup: 'full', parent: '/b'});
  assert.deepEqual(chooseAgain(changed, {...words, 'backup-full': true}, '/d'), {backup: 'full', parent: '/a'});
  assert.deepEqual(chooseAgain(none, {...words, backup: '/b'}, '/d'), {backup: 'changed', parent: '/b'});
  assert.deepEqual(chooseAgain(none, {...words, 'backup-full': true}, '/d'), {backup: 'full', parent: '/d'});
  assert.equal(chooseAgain(changed, {...words, 'no-backup': true}, '/d')?.backup, 'none');
});

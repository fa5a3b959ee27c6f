// Goal: every form in which DRBD 8.4 and 9 tell their state is read right, and what is cut short or strange never looks good.
// Method: outputs recorded on a running 8.4 pair (fixtures/drbd/8.4) and the JSON of DRBD 9, then any text at all.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from '@jest/globals';
import fc from 'fast-check';
import {EMPTY_PICTURE, foldEvent, parseEvents2, resourcesOf} from '../../src/drbd/events2.js';
import {judgePromotion} from '../../src/drbd/judge.js';
import {parseProcDrbd} from '../../src/drbd/proc-drbd.js';
import {DEFAULT_SETTINGS, noticeMs, parseShow, settingsOf} from '../../src/drbd/show.js';
import {parseStatusJson} from '../../src/drbd/status-json.js';
import {parseCstate, parseDstate, parseRole, refusalOf} from '../../src/drbd/words.js';
import {root} from '../helpers/config.js';

const sample = (name: string): string => readFileSync(`${root}/fixtures/drbd/${name}`, 'utf8');

test('/proc/drbd: the normal state', () => {
  const found = parseProcDrbd(sample('8.4/proc-normal'));
  assert.equal(found?.version, '8.4.11');
  assert.deepEqual(found?.minors, [
    {
      minor: 0,
      connection: 'Connected',
      replication: 'Established',
      role: 'Primary',
      peerRole: 'Secondary',
      disk: 'UpToDate',
      peerDisk: 'UpToDate',
      isSuspended: false,
      outOfSyncKib: 0,
      progress: undefined,
    },
  ]);
});

test('/proc/drbd: a resynchronisation with its progress', () => {
  const [minor] = parseProcDrbd(sample('8.4/proc-target'))?.minors ?? [];
  assert.equal(minor?.replication, 'SyncTarget');
  assert.equal(minor?.disk, 'Inconsistent');
  assert.equal(minor?.outOfSyncKib, 216224);
  assert.deepEqual(minor?.progress, {percent: 18.8, finishS: 23, speedKibS: 9172});
});

test('/proc/drbd: StandAlone without a protocol letter, frozen, several minors, one unconfigured', () => {
  const minors = parseProcDrbd(sample('8.4/proc-several'))?.minors ?? [];
  assert.deepEqual(
    minors.map((each) => [each.minor, each.connection, each.disk, each.peerDisk, each.isSuspended]),
    [
      [0, 'StandAlone', 'UpToDate', 'Outdated', true],
      [2, 'Connecting', 'Outdated', 'DUnknown', false],
    ],
  );
  assert.equal(parseProcDrbd('nonsense'), undefined);
});

test('events2: the present state and every change', () => {
  const lines = sample('8.4/events2-sync').trimEnd().split('\n');
  const at = (count: number) => resourcesOf(lines.slice(0, count).reduce(foldEvent, EMPTY_PICTURE))[0];
  assert.equal(at(5)?.volumes[0]?.disk, 'Inconsistent');
  assert.equal(at(7)?.role, 'Primary');
  assert.equal(at(11)?.peers[0]?.volumes[0]?.replication, 'SyncSource');
  assert.deepEqual(at(lines.length), {
    name: 'data',
    role: 'Primary',
    isSuspended: false,
    volumes: [{volume: 0, minor: 0, disk: 'UpToDate'}],
    peers: [
      {
        name: 'peer',
        connection: 'Connected',
        role: 'Secondary',
        volumes: [
          {volume: 0, replication: 'Established', disk: 'UpToDate', outOfSyncKib: undefined, donePercent: undefined},
        ],
      },
    ],
  });
});

test('events2: time stamps, and a connection that goes', () => {
  const [found] = parseEvents2(sample('8.4/events2-leaving')) ?? [];
  assert.deepEqual(found?.peers, []);
  assert.equal(found?.volumes[0]?.disk, 'Outdated');
});

test('events2: a snapshot cut short is no snapshot', () => {
  const text = sample('8.4/events2-sync').split('exists -')[0] ?? '';
  assert.equal(parseEvents2(text), undefined);
  assert.deepEqual(parseEvents2('exists -\n'), []);
});

test('events2 --statistics: the percentage that 8.4 does not send', () => {
  const [found] =
    parseEvents2(`exists resource name:data role:Secondary suspended:no
exists connection name:data peer-node-id:0 conn-name:peer connection:Connected role:Primary congested:no
exists device name:data volume:0 minor:0 disk:Inconsistent size:262100 read:0
exists peer-device name:data peer-node-id:0 conn-name:peer volume:0 replication:SyncTarget peer-disk:UpToDate out-of-sync:131050
exists -`) ?? [];
  assert.equal(found?.peers[0]?.volumes[0]?.donePercent, 50);
});

test('status --json of DRBD 9: two volumes, two peers', () => {
  const [found] = parseStatusJson(sample('9/status.json')) ?? [];
  assert.equal(found?.role, 'Secondary');
  assert.deepEqual(
    found?.volumes.map((each) => [each.volume, each.minor, each.disk]),
    [
      [0, 1000, 'UpToDate'],
      [2, 1001, 'Inconsistent'],
    ],
  );
  assert.deepEqual(
    found?.peers.map((each) => [each.name, each.connection, each.role]),
    [
      ['n2', 'Connected', 'Primary'],
      ['n3', 'Connecting', 'Unknown'],
    ],
  );
  assert.equal(found?.peers[0]?.volumes[1]?.donePercent, 21.87);
  assert.equal(parseStatusJson('status: unrecognized option'), undefined);
  assert.equal(parseStatusJson('{}'), undefined);
  assert.equal(parseStatusJson('[{"role":"Primary"}]'), undefined);
  assert.equal(parseStatusJson('[{"name":"r0","suspended":"user"}]')?.[0]?.isSuspended, true);
});

test('role, dstate, cstate', () => {
  assert.equal(parseRole('Secondary/Primary\n'), 'Secondary');
  assert.equal(parseRole('Primary\n'), 'Primary');
  assert.equal(parseRole(''), 'Unknown');
  assert.deepEqual(parseDstate('UpToDate/DUnknown\nOutdated/DUnknown\n'), ['UpToDate', 'Outdated']);
  assert.deepEqual(parseDstate('Outdated\n'), ['Outdated']);
  assert.deepEqual(parseCstate('WFConnection\n'), {connection: 'Connecting', replication: 'Off'});
  assert.deepEqual(parseCstate('SyncTarget\n'), {connection: 'Connected', replication: 'SyncTarget'});
  assert.deepEqual(parseCstate('Connected\n'), {connection: 'Connected', replication: 'Established'});
});

test('what stopped a command', () => {
  const of = (code: number, output: string) => refusalOf({code, output});
  assert.equal(of(11, '0: State change failed: (-1) Multiple primaries not allowed by config'), 'peer-primary');
  assert.equal(of(11, '0: State change failed: (-12) Device is held open by someone'), 'held-open');
  assert.equal(of(17, '0: State change failed: (-2) Need access to UpToDate data'), 'no-good-data');
  assert.equal(of(10, '0: Failure: (127) Device minor not allocated'), 'not-up');
  assert.equal(of(1, "'nosuch' not defined in your config (for this host)."), 'not-configured');
  assert.equal(of(1, 'No valid meta data found'), 'no-metadata');
  assert.equal(of(5, 'anything'), 'other');
});

test('show: settings in force, with and without the defaults', () => {
  const expected = {
    timeoutMs: 5000,
    pingIntervalMs: 5000,
    pingTimeoutMs: 500,
    connectIntervalMs: 5000,
    allowsTwoPrimaries: false,
    fencing: 'resource-only',
  };
  for (const name of ['8.4/show', '8.4/show-changed']) assert.deepEqual(settingsOf(parseShow(sample(name))), expected);
  assert.equal(noticeMs(settingsOf(parseShow(sample('8.4/show')))), 5500);
  const quoted = parseShow('net { shared-secret "a;b} c"; ping-timeout 7; # 1/10 seconds\n }').blocks[0]?.values;
  assert.deepEqual(quoted, {'shared-secret': 'a;b} c', 'ping-timeout': '7'});
  assert.equal(noticeMs(DEFAULT_SETTINGS), 10_500);
  assert.equal(settingsOf(parseShow('resource r { net { allow-two-primaries; } }')).allowsTwoPrimaries, true);
});

test('any text: no parser throws, and a resource of nonsense is never fit to be promoted', () => {
  const word = fc.constantFrom('exists', 'change', 'destroy', 'resource', 'device', 'connection', 'peer-device', '-');
  const key = fc.constantFrom(
    'name:data',
    'volume:0',
    'disk:Foo',
    'role:Sekundary',
    'minor:x',
    'connection:',
    ':',
    'a',
  );
  const line = fc.array(fc.oneof(word, key, fc.string()), {maxLength: 8}).map((words) => words.join(' '));
  const text = fc.array(line, {maxLength: 12}).map((lines) => `${lines.join('\n')}\nexists -\n`);
  fc.assert(
    fc.property(text, fc.string(), (lines, other) => {
      for (const each of [lines, other]) {
        for (const state of parseEvents2(each) ?? []) assert.notEqual(judgePromotion(state).verdict, 'promote');
        parseProcDrbd(`version: 8\n${each}`);
        parseStatusJson(each);
        settingsOf(parseShow(each));
      }
    }),
    {numRuns: 300},
  );
});

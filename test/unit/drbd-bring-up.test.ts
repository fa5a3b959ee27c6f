// Goal: at its start a manager brings up what its groups need, once, in the background, and nothing more. Method: the
// service with stand-ins that play what a real 8.4 pair answered.

import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from '@jest/globals';
import {makeView, timesOf} from '../../src/drbd/view.js';
import type {DiskFacts} from '../../src/model/disk.js';
import type {LogRecord} from '../../src/model/log.js';
import {drbdNames} from '../../src/runtime/disks.js';
import {openDiskService} from '../../src/runtime/drbd/service.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {keepFinding} from '../../src/runtime/drbd/view-here.js';
import {groupsOf} from '../helpers/cluster-config.js';
import {type DrbdVariables, FakeDrbd} from '../helpers/drbd.js';

let drbd: FakeDrbd;
let said: LogRecord[];
let told: (readonly DiskFacts[])[];
beforeEach(() => {
  drbd = new FakeDrbd();
  said = [];
  told = [];
});
afterEach(() => drbd.remove());

/** Notes about disks lie in the run directory. */
const environment = () => ({...drbd.env, HA_RUNDIR: `${drbd.dir}/run`});

const common = () => ({
  env: environment(),
  log: (record: LogRecord) => void said.push(record),
  peer: () => 'n2',
  question: () => ({names: [], node: 'n1', nodes: ['n1', 'n2'], hasStonith: false}),
  isFreshStart: true,
  onFacts: (facts: readonly DiskFacts[]) => void told.push(facts),
});

async function bringUp(
  state: Partial<DrbdVariables>,
  names: readonly string[] = ['data'],
  env: Readonly<Record<string, string>> = environment(),
) {
  drbd.set(state);
  const service = openDiskService({...common(), env, bringUp: {pollMs: 10, lookMs: 300}});
  service.follow(names);
  // The same again is no new work.
  service.follow(names);
  await service.idle();
  service.close();
  return said.filter(({level}) => level === 'WARN').map(({text}) => text);
}

test('what is down is brought up, and not promoted', async () => {
  assert.deepEqual(await bringUp({up: 'no'}), []);
  assert.deepEqual(drbd.calls(), ['up data']);
  assert.equal(drbd.get('role'), 'Secondary');
});

test('what is up and connected, or waits for its peer, is left alone', async () => {
  await bringUp({});
  await bringUp({role: 'Primary', conn: 'Connecting', repl: 'Off', pdisk: 'Outdated'});
  assert.deepEqual(drbd.calls(), []);
});

test('alone: one attempt to connect; a connection that waits is a good one', async () => {
  assert.deepEqual(await bringUp({conn: 'StandAlone', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'}), []);
  assert.deepEqual(drbd.calls(), ['connect data']);
});

test('alone after a split brain: one attempt, then it is left and said', async () => {
  drbd.put('on-connect', 'exit 0');
  const [text, ...others] = await bringUp({role: 'Primary', conn: 'StandAlone', repl: 'Off', pdisk: 'Outdated'});
  assert.match(text ?? '', /stands alone again.+split brain/);
  assert.deepEqual(others, []);
  assert.deepEqual(drbd.calls(), ['connect data']);
});

test('alone after a split brain that the handshake finds: said, though DRBD called it Connected', async () => {
  drbd.put('on-connect', 'touch handshake; exit 0');
  drbd.put('on-events2', '[ ! -e handshake ] || { rm handshake; conn=Connected repl=Off prole=Unknown; }');
  const [text] = await bringUp({conn: 'StandAlone', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'});
  assert.match(text ?? '', /stands alone again.+split brain/);
});

test('alone after a split brain that is known: left alone', async () => {
  const env = {...drbd.env, HA_RUNDIR: `${drbd.dir}/run`, HA_VARLIBDIR: `${drbd.dir}/lib`};
  const view = makeView({
    node: 'n1',
    resource: 'data',
    wallMs: 1,
    generations: [],
    times: timesOf(undefined),
    state: undefined,
    isDiscarding: false,
  });
  keepFinding({runDir: env.HA_RUNDIR, varLibDir: env.HA_VARLIBDIR}, 'data', {
    kind: 'split-brain',
    sinceMs: 1,
    seenMs: 1,
    ours: view,
    theirs: undefined,
  });
  const [text] = await bringUp({conn: 'StandAlone', repl: 'Off'}, ['data'], env);
  assert.match(text ?? '', /after a split brain, and is left so/);
  assert.deepEqual(drbd.calls(), []);
});

test('without a disk: adjusted, but never under a Primary', async () => {
  await bringUp({disk: 'Diskless'});
  assert.deepEqual(drbd.calls(), ['adjust data']);
  await bringUp({disk: 'Diskless', role: 'Primary'});
  assert.deepEqual(drbd.calls(), ['adjust data']);
});

test('a disk that was replaced: what it needs is said, by up and by adjust alike', async () => {
  const needs =
    /has no DRBD metadata\..+ new disk: drbdadm create-md data, then drbdadm up data .+; never primary --force here/;
  const [up] = await bringUp({up: 'no', meta: ''});
  assert.match(up ?? '', needs);
  said = [];
  drbd.put('on-adjust', 'echo "No valid meta data found" >&2; exit 1');
  const [adjust, ...others] = await bringUp({disk: 'Diskless'});
  assert.match(adjust ?? '', needs);
  assert.deepEqual(others, []);
});

test('no metadata, no such resource: one warning each that says what to do', async () => {
  const [text] = await bringUp({up: 'no', meta: ''});
  assert.match(text ?? '', /no DRBD metadata.+First start/);
  said = [];
  const unknown = await bringUp({up: 'no'}, ['logs']);
  assert.equal(unknown.length, 1);
  assert.match(unknown[0] ?? '', /gives this host no resource logs.+uname -n/);
});

test('all: every resource of the configuration', async () => {
  await bringUp({up: 'no'}, ['all']);
  assert.deepEqual(drbd.calls(), ['up data']);
});

test('what drbd.conf lacks is said once, after the disks are up', async () => {
  drbd.put(
    'dump',
    '# resource data on n1: not ignored, not stacked\n# defined at /etc/drbd.conf:3\nresource data { on n1 { } on n2 { } }',
  );
  const [text, ...others] = await bringUp({up: 'no'});
  assert.deepEqual(others, []);
  assert.match(text ?? '', /^\/etc\/drbd\.conf:3: data: no fencing: .+\. What to do: fencing resource-only;/);
  assert.deepEqual([said[0]?.code, said.at(-1)?.code], ['DISK_UP', 'DRBD_CONF_FENCING']);
});

test('without its programs nothing is done, and only told that nothing will be known', async () => {
  const service = openDiskService({...common(), tools: bare()});
  service.follow(['data']);
  await service.idle();
  assert.deepEqual(said, []);
  assert.deepEqual(told, [[]]);
});

function bare(): DrbdTools {
  const tools = new DrbdTools(drbd.env);
  Object.defineProperty(tools, 'find', {value: () => undefined});
  return tools;
}

test('two that bring up at once wait for each other', async () => {
  drbd.set({up: 'no'});
  drbd.put('on-up', 'echo begin >>order; sleep 0.3; echo end >>order');
  const tools = new DrbdTools({...drbd.env, HA_RUNDIR: drbd.dir});
  await Promise.all([tools.admAlone('up', 'data', 5000), tools.admAlone('up', 'data', 5000)]);
  assert.deepEqual(drbd.read('order').trim().split('\n'), ['begin', 'end', 'begin', 'end']);
});

test('names come from the agents of the groups', () => {
  assert.deepEqual(drbdNames(groupsOf('n1 A drbddisk::data Fs; n2 B drbddisk::logs drbddisk::data')), ['data', 'logs']);
  assert.deepEqual(drbdNames(groupsOf('n1 A drbddisk')), ['all']);
  assert.deepEqual(drbdNames(groupsOf('n1 A drbddisk::data/0 drbddisk::/dev/drbd1')), ['data']);
  assert.deepEqual(drbdNames(groupsOf('n1 A mysqld')), []);
});

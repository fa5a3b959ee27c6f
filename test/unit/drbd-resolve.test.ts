// Goal: a split brain is resolved only on the right node, with evidence, when nobody uses the disk; nothing is overwritten before the
// backup that was asked for exists; and a run that is killed at any step goes on when it is started again. Method: the programs
// against stand-in tools over a real file as the disk. The judge compares bytes: the disk ends as the winner's, and the backup
// laid over a copy of it gives what was there before.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {afterEach, describe, test} from '@jest/globals';
import {groupsUsing} from '../../src/commands/lib/drbd-resolve.js';
import {type ResolveRequest, refusalToResolve} from '../../src/drbd/resolve-check.js';
import {nextResolveStep, type ResolveSight, type Step} from '../../src/drbd/resolve-plan.js';
import type {Connection, DiskState, ResourceState, Role} from '../../src/drbd/state.js';
import type {View} from '../../src/drbd/view.js';
import type {ClusterStatus, GroupStatus} from '../../src/model/control.js';
import {layOver} from '../../src/runtime/drbd/backup.js';
import {readManifest} from '../../src/runtime/drbd/manifest.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {viewHere} from '../../src/runtime/drbd/view-here.js';
import {type Ended, root} from '../helpers/command.js';
import type {FakeDrbd} from '../helpers/drbd.js';
import {
  BLOCK,
  backupDirectory,
  changes,
  disk,
  drbd,
  dump,
  gi,
  HERE,
  journal,
  knowsOther,
  laidOver,
  loser,
  resolve,
  resolveAt,
  sideOf,
  systole,
  THERE,
  where,
  winner,
  written,
} from '../helpers/resolve.js';

describe('resolve', () => {
  test('outdated, saved, met in pause, saved around, synchronised; and the backup gives the old disk back', async () => {
    const ended = await resolve('--yes');
    assert.equal(ended.status, 0, ended.stderr + ended.stdout);
    const order = changes().filter((call) => !call.startsWith('apply-al'));
    assert.deepEqual(order, [
      'outdate data',
      'down data',
      'dump-md data',
      'new-resource data',
      'new-minor data',
      'attach data',
      'pause-sync data',
      'connect --discard-my-data data',
      'disconnect data',
      'down data',
      'dump-md data',
      'up data',
    ]);
    assert.match(ended.stdout, /SPLIT BRAIN/);
    assert.match(ended.stdout, /throw away what n1 wrote to data on its own/);
    assert.match(ended.stdout, /saved 12 KiB .*changed here/);
    assert.match(ended.stdout, /saved 12 KiB more/);
    assert.equal(readManifest(backupDirectory()).isExact, true);
    assert.ok(disk().equals(winner));
    assert.ok((await laidOver()).equals(loser));
    assert.ok(!existsSync(journal()));
    assert.match((await systole('restore', backupDirectory())).stdout, /all sums are right/);
    copyFileSync(`${drbd.dir}/disk`, `${where.dir}/copy`);
    const restored = await systole('restore', backupDirectory(), '--onto', `${where.dir}/copy`);
    assert.equal(restored.status, 0, restored.stderr);
    assert.doesNotMatch(restored.stdout, /mixture|lost/);
    assert.ok(readFileSync(`${where.dir}/copy`).equals(loser));
  });

  test('the whole disk: the backup is an image', async () => {
    const ended = await resolve('--yes', '--backup-full');
    assert.equal(ended.status, 0, ended.stderr);
    assert.ok(drbd.calls().includes('resume-sync data'));
    assert.ok(readFileSync(`${backupDirectory()}/volume-0.blocks`).equals(loser));
    assert.ok(disk().equals(winner));
  });

  test('the name of the resource, typed, is the confirmation', async () => {
    const ended = await resolveAt('data\r');
    assert.equal(ended.status, 0, ended.stdout);
    assert.match(ended.stdout, /KiB of changed blocks.*No backup is made.*Type the name/s);
    assert.ok(disk().equals(winner));
  });

  test('no backup, because it was said so', async () => {
    const ended = await resolve('--yes', '--no-backup');
    assert.equal(ended.status, 0, ended.stderr);
    assert.ok(!existsSync(`${where.dir}/lib/drbd-backup`));
    assert.ok(!changes().includes('dump-md data'));
    assert.ok(disk().equals(winner));
  });

  test('a backup that was damaged later is not laid over anything', async () => {
    await resolve('--yes');
    const blocks = `${backupDirectory()}/volume-0.blocks`;
    const bytes = readFileSync(blocks);
    bytes[BLOCK * 40 + 7] = 0;
    writeFileSync(blocks, bytes);
    copyFileSync(`${drbd.dir}/disk`, `${where.dir}/copy`);
    const ended = await systole('restore', backupDirectory(), '--onto', `${where.dir}/copy`);
    assert.equal(ended.status, 3);
    assert.match(ended.stderr, /is damaged at 163840/);
    assert.ok(readFileSync(`${where.dir}/copy`).equals(winner));
    assert.equal((await systole('restore', backupDirectory(), '--onto', '/dev/null')).status, 3);
  });
});

describe('killed at a step, it goes on', () => {
  test.each([
    ['outdate', 1],
    ['dump-md', 1],
    ['connect', 1],
    ['down', 2],
    ['dump-md', 2],
  ] as const)('%s, the %d. time', async (verb, time) => {
    // Without a run directory there is no lock between us and the tool, whose parent is then the program itself.
    rmSync(`${where.dir}/run`, {recursive: true});
    const peer = ['--peer-gi', gi('get-gi-here').trim()];
    drbd.put(`on-${verb}`, `echo x >>count; [ "$(wc -l <count)" -ne ${time} ] || { kill -9 $PPID; exit 1; }\n`);
    const first = await resolve('--yes', ...peer);
    assert.equal(first.status, null, `not killed: ${first.stdout}${first.stderr}`);
    assert.ok(disk().equals(loser), 'overwritten before the run was over');
    const second = await resolve('--yes', ...peer);
    assert.equal(second.status, 0, second.stderr + second.stdout);
    assert.ok(disk().equals(winner));
    assert.ok((await laidOver()).equals(loser));
  });

  test('the power stops while it is paused, and DRBD synchronises at the boot: the changes are safe, and it ends well', async () => {
    drbd.put('on-down', 'echo x >>count; [ "$(wc -l <count)" -ne 2 ] || { kill -9 $PPID; exit 1; }\n');
    assert.equal((await resolve('--yes')).status, null);
    rmSync(`${drbd.dir}/paused`);
    copyFileSync(`${drbd.dir}/winner`, `${drbd.dir}/disk`);
    drbd.set({role: 'Secondary', disk: 'UpToDate', pdisk: 'UpToDate', conn: 'Connected', repl: 'Established'});
    const second = await resolve();
    assert.equal(second.status, 0, second.stderr);
    assert.match(second.stdout, /going on with what was begun .*\(done: outdated, saved\)/);
    const copy = await laidOver();
    for (const block of HERE) assert.ok(block_(copy, block).equals(block_(loser, block)));
    assert.equal(readManifest(backupDirectory()).isExact, false);
  });

  const block_ = (bytes: Buffer, block: number): Buffer => bytes.subarray(block * BLOCK, (block + 1) * BLOCK);
});

describe('a journal that is left over', () => {
  const OTHER = 'AAAAAAAAAAAAAAA4:BBBBBBBBBBBBBBB4:FE4FFEBB16712C64:346EC3F299DF65DE:1:1:1:0:0:0:0\n';
  const newer = (): Buffer => written(winner, [9, 11], 'newer');
  const places = () => ({runDir: `${where.dir}/run`, varLibDir: `${where.dir}/lib`});

  /** A first run that has saved, and met; then DRBD ended it, this node served, and there is a new split brain. */
  async function servedSince(variables: Parameters<FakeDrbd['set']>[0]): Promise<void> {
    drbd.put('on-resume-sync', 'exit 1\n');
    assert.equal((await resolve('--yes', '--backup-full')).status, 3);
    drbd.lose('on-resume-sync');
    drbd.lose('paused');
    drbd.set({conn: 'StandAlone', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown', ...variables});
    drbd.put('gi', OTHER);
    writeFileSync(`${drbd.dir}/disk`, newer());
    drbd.put('md', dump([9, 11]));
    drbd.put('md-union', dump([9, 11, ...THERE]));
    drbd.put('calls', '');
    const theirs = {
      ...sideOf('n2', 'CCCCCCCCCCCCCCC4:BBBBBBBBBBBBBBB4:FE4FFEBB16712C64:346EC3F299DF65DE:1:1:1:0:0:0:0'),
    };
    knowsOther(theirs);
  }

  const served: readonly [string, Parameters<FakeDrbd['set']>[0]][] = [
    ['and is good', {disk: 'UpToDate'}],
    ['and was outdated again', {disk: 'Outdated'}],
    ['and is down', {up: 'no', meta: 'UpToDate'}],
  ];

  test.each(served)('the node has served since %s: it asks, and touches nothing', async (_, variables) => {
    await servedSince(variables);
    const ended = await resolve();
    assert.equal(ended.status, 1, ended.stdout + ended.stderr);
    assert.match(ended.stdout, /is not gone on with: .*its backup stays in \/.*SPLIT BRAIN/s);
    assert.deepEqual(changes(), []);
    assert.ok(disk().equals(newer()));
    assert.ok(!existsSync(journal()));
  });

  test('the node has served since, and the question was answered: the new changes are saved beside the old backup', async () => {
    await servedSince({disk: 'UpToDate'});
    const [old] = readdirSync(`${where.dir}/lib/drbd-backup`);
    // Directories have the time to the second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const ended = await resolve('--yes');
    assert.equal(ended.status, 0, ended.stdout + ended.stderr);
    const fresh = readdirSync(`${where.dir}/lib/drbd-backup`).find((name) => name !== old);
    assert.ok(fresh !== undefined);
    const directory = `${where.dir}/lib/drbd-backup/${fresh}`;
    copyFileSync(`${drbd.dir}/disk`, `${where.dir}/copy`);
    const [saved] = readManifest(directory).volumes;
    assert.ok(saved);
    await layOver(directory, saved, `${where.dir}/copy`);
    assert.ok(readFileSync(`${where.dir}/copy`).equals(newer()));
    assert.match(ended.stdout, new RegExp(`the backup is in ${directory}`));
  });

  test('the disk was forced to be good: it asks', async () => {
    drbd.put('on-resume-sync', 'exit 1\n');
    assert.equal((await resolve('--yes', '--no-backup')).status, 3);
    drbd.lose('on-resume-sync');
    drbd.set({conn: 'StandAlone', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'});
    assert.equal((await resolve()).status, 1);
    assert.ok(disk().equals(loser));
  });

  test('identifiers that cannot be read: nothing is thrown away, and nothing forgotten', async () => {
    await servedSince({disk: 'Outdated'});
    drbd.put('on-get-gi', 'exit 10\n');
    const ended = await resolve('--yes');
    assert.equal(ended.status, 3);
    assert.match(ended.stderr, /not known.*identifiers cannot be read.*hint: drbdadm get-gi data/s);
    assert.deepEqual(changes(), []);
    assert.ok(existsSync(journal()));
  });

  test('status says so, and what to do about the new split brain; the other node is not told that this one discards', async () => {
    await servedSince({disk: 'UpToDate'});
    const {stdout} = await systole('status', 'data');
    assert.match(stdout, /A run of resolve, begun .*, is over/);
    assert.match(stdout, /on n1: systole drbd resolve data --discard-node n1/);
    assert.doesNotMatch(stdout, /under way/);
    const looked = await viewHere(new DrbdTools({...where.env, ...drbd.env}), 'n1', 'data', places());
    assert.ok('view' in looked && !looked.view.isDiscarding);
  });

  test('nothing was done yet: it asks', async () => {
    drbd.put('on-outdate', 'exit 1\n');
    assert.equal((await resolve('--yes')).status, 3);
    drbd.lose('on-outdate');
    const ended = await resolve();
    assert.equal(ended.status, 1, ended.stderr);
    assert.ok(!existsSync(journal()));
  });
});

describe('the winner serves while it is paused', () => {
  test.each([
    ['it wrote', 'received', '8'],
    ['it discarded blocks, which are not counted as received', 'written', '8'],
    ['it is not known', 'received', 'x'],
  ])('%s: the backup is not called exact, and has what was changed here', async (_, name, count) => {
    drbd.put('on-pause-sync', `echo ${count} >${name}\n`);
    const ended = await resolve('--yes');
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal(readManifest(backupDirectory()).isExact, false);
    assert.match(ended.stdout, /may have written here since they met/);
    assert.match((await systole('restore', backupDirectory())).stdout, /may be a mixture/);
    copyFileSync(`${drbd.dir}/disk`, `${where.dir}/copy`);
    const laid = await systole('restore', backupDirectory(), '--onto', `${where.dir}/copy`);
    assert.match(laid.stdout, /may be a mixture/);
  });

  test('between the last look and the end of the connection', async () => {
    drbd.put('on-disconnect', 'echo 4 >written\n');
    assert.equal((await resolve('--yes')).status, 0);
    assert.equal(readManifest(backupDirectory()).isExact, false);
  });

  test.each(['pause-sync', 'disconnect', 'down', 'dump-md'])(
    'a run that met before, and stopped at %s',
    async (verb) => {
      const time = verb === 'down' || verb === 'dump-md' ? 2 : 1;
      const what =
        verb === 'pause-sync' ? 'touch paused; conn=Connected repl=PausedSyncT pdisk=UpToDate; begin; save;' : '';
      drbd.put(`on-${verb}`, `echo x >>count; [ "$(wc -l <count)" -ne ${time} ] || { ${what} exit 1; }\n`);
      assert.equal((await resolve('--yes')).status, verb === 'dump-md' ? 0 : 3);
      if (verb !== 'dump-md') assert.equal((await resolve()).status, 0);
      assert.equal(readManifest(backupDirectory()).isExact, false);
    },
  );
});

describe('without its terminal', () => {
  test('the session drops: it goes on to its end, and writes to nobody', async () => {
    rmSync(`${where.dir}/run`, {recursive: true});
    drbd.put('on-outdate', 'kill -HUP $PPID\n');
    const words = ['drbd', 'resolve', 'data', '--discard-node', 'n1', '--yes', '--peer-gi', gi('get-gi-here').trim()];
    const child = spawn(`${root}/bin/systole`, words, {
      cwd: '/',
      env: {...where.env, ...drbd.env},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    child.stderr.destroy();
    const status = await new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    assert.equal(status, 0);
    assert.ok(disk().equals(winner));
    assert.ok((await laidOver()).equals(loser));
  });

  test('a terminal that is gone', async () => {
    const words = `${root}/bin/systole drbd resolve data --discard-node n1 --yes --wait 30`;
    drbd.put('on-outdate', 'touch reached; sleep 1\n');
    const child = spawn('script', ['-qefc', words, '/dev/null'], {cwd: '/', env: {...where.env, ...drbd.env}});
    child.stdin.on('error', () => undefined);
    child.stdout.resume();
    await until(() => existsSync(`${drbd.dir}/reached`));
    child.kill('SIGKILL');
    await until(() => disk().equals(winner));
    await until(() => !existsSync(journal()));
    assert.ok((await laidOver()).equals(loser));
  });

  test.each([
    ['with', true],
    ['without', false],
  ])('a second one beside it is refused, and the first goes on: %s a run directory', async (_, hasRunDir) => {
    // Empty after a boot until heartbeat is started.
    if (!hasRunDir) rmSync(`${where.dir}/run`, {recursive: true});
    drbd.put('on-outdate', 'touch reached; while [ ! -e go ]; do sleep 0.1; done\n');
    const first = resolve('--yes');
    await until(() => existsSync(`${drbd.dir}/reached`));
    const second = await resolve('--yes');
    drbd.put('go', '');
    assert.equal(second.status, 3, second.stdout);
    assert.match(second.stderr, /another run works on it here/);
    assert.equal((await first).status, 0);
    assert.ok((await laidOver()).equals(loser));
  });

  async function until(isSo: () => boolean): Promise<void> {
    const endMs = performance.now() + 60_000;
    while (!isSo()) {
      assert.ok(performance.now() < endMs, 'it does not end');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});

describe('refused, with what to do, and nothing is touched', () => {
  afterEach(() => {
    assert.deepEqual(changes(), []);
    assert.ok(disk().equals(loser));
    assert.ok(!existsSync(journal()));
  });

  async function says(ended: Ended, status: number, ...texts: readonly RegExp[]): Promise<void> {
    assert.equal(ended.status, status, ended.stderr + ended.stdout);
    for (const text of texts) assert.match(ended.stderr, text);
  }

  test('on the wrong node: the command for the right one', async () => {
    const ended = await systole('resolve', 'data', '--discard-node', 'n2');
    await says(ended, 3, /this is n1/, /hint: on n2: systole drbd resolve data --discard-node n2/);
    const strange = await systole('resolve', 'data', '--discard-node', 'n3');
    await says(strange, 3, /n3 is neither of the two nodes/);
  });

  test('another name, none, the end of the input, an interruption', async () => {
    for (const keys of ['date\r', '\r', 'DATA\r', '\x04', '\x03'])
      await says(await resolveAt(keys), 3, /not confirmed: nothing was changed/);
  });

  test('whoever names the disk in haresources uses it, by whatever word', () => {
    const uses = (word: string, more: Partial<GroupStatus> = {}): boolean => {
      const group = {key: 'A', owner: 'n1', state: 'running', resources: [{word: 'IPaddr::10.0.0.1'}, {word}], ...more};
      return groupsUsing('data', {node: 'n1', groups: [group]} as unknown as ClusterStatus).join() === 'A';
    };
    for (const word of ['drbddisk::data', 'drbddisk::data/0', 'drbddisk', 'drbddisk::all']) {
      assert.equal(uses(word), true, word);
      assert.equal(uses(word, {owner: 'n2', state: 'stopped'}), false, word);
    }
    for (const word of ['drbddisk::database', 'drbddisk::logs/0', 'data']) assert.equal(uses(word), false, word);
  });

  test('nobody to ask', async () => says(await resolve(), 1, /hint: --yes/));

  test('a journal that is half a file: something was begun, and nobody can tell what', async () => {
    mkdirSync(dirname(journal()), {recursive: true});
    writeFileSync(journal(), '{"resource": "da');
    await says(await resolve('--yes'), 3, /the journal of an earlier run cannot be read/);
    rmSync(journal());
  });
  test('not a resource', async () => {
    const ended = await systole('resolve', 'nosuch', '--discard-node', 'n1');
    await says(ended, 1, /nosuch is not a resource of this node/);
  });

  const view = (more: Partial<View> = {}, generation = gi('get-gi-there')): View => ({
    ...sideOf('n1', generation),
    ...more,
  });
  const request = (more: Partial<ResolveRequest> = {}): ResolveRequest => ({
    resource: 'data',
    node: 'n1',
    discard: 'n1',
    ours: view(),
    state: undefined,
    theirs: {...sideOf('n2', gi('get-gi-here'))},
    peerGi: undefined,
    kernelLog: '',
    holders: [],
    groups: [],
    ...more,
  });
  const state = (role: Role, connection: Connection, disk: DiskState): ResourceState => ({
    name: 'data',
    role,
    isSuspended: false,
    volumes: [{volume: 0, minor: 0, disk}],
    peers: [{name: 'peer', connection, role: 'Unknown', volumes: []}],
  });
  const old = '346EC3F299DF65DE:0000000000000000:3D60C7B8E27B770A:0000000000000004:1:1:0:0:0:0:0';

  test.each<[string, Partial<ResolveRequest>, RegExp, RegExp]>([
    [
      'Primary here',
      {state: state('Primary', 'StandAlone', 'UpToDate'), holders: ['it is mounted on /data']},
      /Primary on n1: it is mounted on \/data/,
      /drbdadm secondary data/,
    ],
    ['a group uses it', {groups: ['10.0.0.17']}, /the group 10.0.0.17 runs here/, /systole standby/],
    [
      'connected',
      {state: state('Secondary', 'Connected', 'UpToDate')},
      /connected to the other node: there is no split brain/,
      /nothing/,
    ],
    [
      'no data here',
      {state: state('Secondary', 'StandAlone', 'Inconsistent')},
      /is Inconsistent: it has nothing/,
      /adjust/,
    ],
    [
      'the other node has merely newer data',
      {ours: view({}, old)},
      /no split brain of data: n2 has the newer data/,
      /drbdadm adjust data/,
    ],
    ['the other side is not known', {theirs: undefined}, /not known/, /--peer-gi/],
    [
      'the kernel said it of other data',
      {theirs: undefined, kernelLog: gi('kernel-split-brain')},
      /not known/,
      /--peer-gi/,
    ],
    ['an identifier that is none', {peerGi: 'nonsense'}, /which is newer is not known/, /adjust/],
    [
      'the other node discards too',
      {theirs: {...sideOf('n2', gi('get-gi-here')), isDiscarding: true}},
      /n2 is throwing its own changes/,
      /let it finish/,
    ],
    [
      'the other disk is Outdated',
      {theirs: sideOf('n2', gi('get-gi-here'), 'Outdated')},
      /the disk of data on n2 is Outdated/,
      /primary --force/,
    ],
  ])('%s', (_, more, why, todo) => {
    const refusal = refusalToResolve(request(more));
    assert.match(refusal?.why ?? '', why);
    assert.match(refusal?.todo ?? '', todo);
  });

  test('one volume is not in it, and newer here: DRBD would take that one from here', () => {
    const two = (first: View, second: View): View => ({
      ...first,
      volumes: [...first.volumes, ...second.volumes.map((each) => ({...each, volume: 1}))],
    });
    const mixed = request({ours: two(view(), view()), theirs: two(sideOf('n2', gi('get-gi-here')), sideOf('n2', old))});
    assert.match(refusalToResolve(mixed)?.why ?? '', /volume 1 .*newer here/);
    assert.match(refusalToResolve(mixed)?.todo ?? '', /drbdadm invalidate data\/1/);
    const same = request({
      ours: two(view(), view({}, old)),
      theirs: two(sideOf('n2', gi('get-gi-here')), sideOf('n2', old)),
    });
    assert.equal(refusalToResolve(same), undefined);
  });

  test('with evidence of any of the three kinds it is not refused', () => {
    assert.equal(refusalToResolve(request()), undefined);
    assert.equal(refusalToResolve(request({theirs: undefined, peerGi: gi('get-gi-here')})), undefined);
    const here = view({}, gi('get-gi-here'));
    const said = {theirs: undefined, ours: here, state: state('Secondary', 'StandAlone', 'UpToDate')};
    assert.equal(refusalToResolve(request({...said, kernelLog: gi('kernel-split-brain')})), undefined);
  });

  test('no room for the backup', async () => {
    const [volume] = sideOf('n2', gi('get-gi-here')).volumes;
    assert.ok(volume);
    knowsOther({volumes: [{...volume, outOfSyncKib: 1e15}]});
    await says(await resolve('--yes'), 3, /free, and the backup needs/, /--no-backup/);
  });
});

test('the wrong direction: it stops before anything is overwritten, and says so', async () => {
  drbd.put('peer-there', 'PausedSyncS');
  const ended = await resolve('--yes');
  assert.equal(ended.status, 3);
  assert.match(ended.stderr, /DRBD would overwrite the other node from here \(PausedSyncS\)/);
  assert.ok(disk().equals(loser));
});

test.each([
  ['of one volume it is not known', 'echo Outdated; echo Unconfigured; exit 0\n'],
  ['more volumes than were seen', 'echo Outdated; echo Outdated; exit 0\n'],
])('%s, down: whether all is Outdated is not believed, and it stops', async (_, script) => {
  drbd.set({up: 'no'});
  drbd.put('on-dstate', script);
  const ended = await resolve('--yes');
  assert.equal(ended.status, 3, ended.stdout);
  assert.match(ended.stderr, /drbdadm outdate ended without an error, but the disk is/);
  assert.ok(disk().equals(loser));
});

test('the other node does not come: dopd is asked, it ends in time, and goes on later', async () => {
  rmSync(`${drbd.dir}/peer-there`);
  drbd.put('on-events2', '[ ! -e "$HA_RUNDIR/drbd/data.connect" ] || echo asked >>wishes');
  const first = await systole('resolve', 'data', '--discard-node', 'n1', '--wait', '1', '--yes');
  assert.equal(first.status, 4, first.stderr);
  assert.match(first.stderr, /the other node does not connect/);
  assert.match(drbd.read('wishes'), /asked/);
  assert.ok(!existsSync(`${where.dir}/run/drbd/data.connect`));
  assert.ok(disk().equals(loser));
  drbd.put('peer-there', 'SyncTarget');
  assert.equal((await resolve()).status, 0);
  assert.ok((await laidOver()).equals(loser));
});

test('the plan never overwrites before what was asked for is saved, whatever is seen', () => {
  const steps: readonly Step[] = ['outdated', 'saved', 'around', 'released'];
  const sights: ResolveSight[] = [];
  for (const isUp of [true, false])
    for (const connection of ['StandAlone', 'Connecting', 'Connected'] as const)
      for (const replication of ['Off', 'PausedSyncT', 'PausedSyncS', 'SyncTarget', 'Established'] as const)
        for (const disk of ['UpToDate', 'Outdated', 'Inconsistent', 'Diskless'] as const)
          for (const peerDisk of ['UpToDate', 'Outdated', 'DUnknown'] as const)
            for (const role of ['Primary', 'Secondary'] as const)
              sights.push({isUp, connection, role, replications: [replication], disks: [disk], peerDisks: [peerDisk]});
  for (let mask = 0; mask < 16; mask += 1) {
    const done = steps.filter((_, index) => mask & (1 << index));
    for (const sight of sights) {
      const next = nextResolveStep(done, 'changed', sight);
      const isGoing = sight.isUp && sight.connection === 'Connected';
      if (sight.isUp && sight.role === 'Primary') assert.equal(next.do, 'stop');
      if (isGoing && sight.replications[0] === 'PausedSyncS') assert.equal(next.do, 'stop');
      if (isGoing && sight.replications[0] === 'PausedSyncT' && sight.peerDisks[0] !== 'UpToDate')
        assert.equal(next.do, 'stop');
      // Not yet a target of a synchronisation, hence its blocks are still those of this node.
      const isWhole = !isGoing && sight.disks[0] !== 'Inconsistent';
      if (isWhole && !done.includes('saved')) assert.ok(['outdate', 'save', 'stop'].includes(next.do), next.do);
      if (!done.includes('saved')) assert.ok(!['meet', 'release', 'bring-up'].includes(next.do), next.do);
      if (next.do === 'bring-up') assert.ok(done.includes('around') || done.includes('released'));
      if (next.do === 'save-around') assert.ok(done.includes('saved'));
    }
  }
});

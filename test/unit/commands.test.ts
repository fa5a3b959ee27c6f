// Goal: what transcripts cannot show: files, FIFOs, signals, waiting, speed. Method: real child processes, each in
// directories of its own.

import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {afterEach, beforeEach, test} from '@jest/globals';
import {parseMove} from '../../src/commands/lib/move.js';
import {waitsFor} from '../../src/commands/lib/move-disks.js';
import {renderStatus} from '../../src/commands/lib/render-status.js';
import {frame} from '../../src/commands/lib/watch.js';
import type {ClusterStatus, ControlReply, DiskStatus} from '../../src/model/control.js';
import {type Place, place, root, runBin, runProgram} from '../helpers/command.js';
import {type FakeServer, fakeControl} from '../helpers/fake-daemon.js';

let where: Place;
let server: FakeServer | undefined;

beforeEach(() => {
  where = place();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  where.remove();
});

const BINS = readdirSync(`${root}/bin`).filter((name) => !name.includes('.'));

function standbyStatus(standby: string | undefined, owner: string, peerState: 'running' | 'starting'): ControlReply {
  const group = {key: 'A', home: 'n1', owner, state: 'stopped', peerState, failCount: 0, resources: []} as const;
  const status: ClusterStatus = {
    node: 'n1',
    version: '0',
    generation: 1,
    rscstatus: 'none',
    phase: 'stable',
    nodes: [],
    groups: [{...group, activity: undefined, reason: undefined}],
    standby,
    warnings: [],
  };
  return {ok: true, text: '', status};
}

test('every program answers --help without a daemon, from any directory and through a link', async () => {
  assert.ok(BINS.length >= 12);
  for (const name of BINS) {
    symlinkSync(`${root}/bin/${name}`, `${where.dir}/${name}`);
    const {status, stdout, stderr} = await runProgram(`${where.dir}/${name}`, ['--help'], where.env);
    assert.match(stdout + stderr, /usage/i, name);
    assert.ok(status === 0 || status === 1, `${name}: ${status}`);
  }
}, 120_000);

test('plain programs hold no package: each is one file that needs only Node', () => {
  for (const name of BINS.filter((each) => each !== 'systole')) {
    if (!readFileSync(`${root}/bin/${name}`, 'utf8').includes('launch.js')) continue; // A shell script.
    const file = name
      .replace(/([a-z])([A-Z])/g, '$1-$2')
      .replaceAll('_', '-')
      .toLowerCase();
    const text = readFileSync(`${root}/dist/bundle/${file}.cjs`, 'utf8');
    assert.doesNotMatch(text, /^\s*\/\/ .*node_modules\//m, name);
    for (const [, wanted] of text.matchAll(/\brequire\("([^"]+)"\)/g)) assert.match(wanted ?? '', /^node:/, name);
  }
});

test('a Node that is too old is named', () => {
  const script = `Object.defineProperty(process.versions, 'node', {value: '18.19.0'}); require('${root}/bin/launch.js')('cl_status')`;
  assert.throws(
    () => execFileSync(process.execPath, ['-e', script], {stdio: 'pipe'}),
    (error: {status: number; stderr: Buffer}) =>
      error.status === 5 &&
      error.stderr.toString() === 'cl_status: Node.js 20.19 or newer is needed; this is 18.19.0.\n',
  );
});

test('a real heartbeat gets its block through the FIFO, without waiting', async () => {
  const fifo = `${where.dir}/lib/fifo`;
  execFileSync('mkfifo', [fifo]);
  const refused = await runBin('hb_standby', [], where);
  assert.equal(refused.status, 7, 'nobody reads the FIFO');
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const sent = await runBin('hb_standby', ['failback'], where);
    assert.equal(sent.status, 0, sent.stderr);
    await runBin('hb_takeover', ['failback'], where);
    await runBin('hb_addnode', ['N3', 'n4'], where);
    const bytes = Buffer.alloc(4096);
    const text = bytes.toString('latin1', 0, readSync(reader, bytes));
    assert.equal(
      text,
      '>>>\nt=ask_resources\nrsc_hold=foreign\ninfo=me\n<<<\n' +
        '>>>\nt=hb_takeover\nrsc_hold=failback\n<<<\n' +
        '>>>\nt=addnode\nnodelist=n3 n4\n<<<\n',
    );
  } finally {
    closeSync(reader);
  }
});

test('no FIFO: none is created', async () => {
  assert.equal((await runBin('hb_standby', [], where)).status, 7);
  assert.equal(existsSync(`${where.dir}/lib/fifo`), false);
});

test('a daemon that never answers does not hold a command for ever', async () => {
  server = await fakeControl(`${where.dir}/run/systole`, () => undefined);
  const {status, stderr, tookMs} = await runBin('hb_standby', [], where);
  assert.equal(status, 2);
  assert.match(stderr, /no answer/);
  assert.ok(tookMs < 14_000);
}, 20_000);

test('--wait ends when the groups run on the other node', async () => {
  let looks = 0;
  server = await fakeControl(`${where.dir}/run/systole`, (request) => {
    if (request.command !== 'status') return {ok: true, text: ''};
    looks += 1;
    if (looks === 1) return standbyStatus('giving all to n2', 'n1', 'starting');
    return looks === 2 ? standbyStatus(undefined, 'n2', 'starting') : standbyStatus(undefined, 'n2', 'running');
  });
  const {status, stderr} = await runBin('hb_standby', ['--wait'], where);
  assert.equal(status, 0, stderr);
  assert.equal(looks, 3);
  assert.match(stderr, /A is on n2/);
});

const progress = {percent: 37.5, leftKib: 163_840, speedKibS: 10_240, etaS: 16};
const source = {
  resource: 'data',
  found: 'up',
  role: 'Primary',
  peerRole: 'Secondary',
  disk: 'UpToDate',
  peerDisk: 'Inconsistent',
  connection: 'Connected',
  replication: 'SyncSource',
  bar: undefined,
  peerBar: {code: 'sync-source', text: 'data is still being synchronised to it'},
  progress,
  groups: ['A'],
} as const satisfies DiskStatus;

/** The status while n1 holds the group and its disks are like this. */
function withDisks(disks: readonly DiskStatus[], owner = 'n1'): ControlReply {
  const reply = standbyStatus(undefined, owner, 'running');
  return reply.ok && reply.status ? {...reply, status: {...reply.status, disks}} : reply;
}

const NOT_READY = {
  ok: false,
  code: 'DISK_NOT_READY',
  text: 'n2 cannot take A: data is still being synchronised',
} as const;

for (const [program, words] of [
  ['hb_standby', ['--wait']],
  ['systole', ['standby']],
] as const) {
  test(`${program}: --wait waits for the synchronisation first, and asks again when it has ended`, async () => {
    let [looks, asked] = [0, 0];
    server = await fakeControl(`${where.dir}/run/systole`, (request) => {
      if (request.command !== 'status') {
        asked += 1;
        return asked === 1 ? NOT_READY : {ok: true, text: 'n1 gives A to n2'};
      }
      looks += 1;
      if (looks < 3) return withDisks([source]);
      return withDisks([{...source, peerBar: undefined, progress: undefined}], asked > 1 ? 'n2' : 'n1');
    });
    const {status, stderr, stdout} = await runBin(program, [...words], where);
    assert.equal(status, 0, stderr);
    assert.equal(asked, 2);
    assert.match(stderr, /^waiting: n2 cannot take A: data is still being synchronised$/m);
    // Not a terminal: one line in ten seconds.
    assert.equal(stderr.match(/waiting:/g)?.length, 1);
    assert.match(stderr + stdout, /A is on n2/);
  }, 20_000);
}

test('without --wait a disk that is not ready is a refusal; with it, the time is bounded', async () => {
  server = await fakeControl(`${where.dir}/run/systole`, (request) =>
    request.command === 'status' ? withDisks([source]) : {...NOT_READY, hint: 'wait'},
  );
  const refused = await runBin('hb_takeover', [], where);
  assert.equal(refused.status, 3);
  assert.match(refused.stderr, /n2 cannot take A.+\n {4}hint: wait/);
  const late = await runBin('hb_standby', ['--wait', '--timeout', '1.2'], where);
  assert.equal(late.status, 4);
  assert.match(late.stderr, /not begun in time: data is still being synchronised to it, 37\.5 %, 160\.0 MiB to go/);
}, 20_000);

test('what a move waits for: the disks in its scope, as the asking node sees them', () => {
  const reply = withDisks([source]);
  assert.ok(reply.ok && reply.status);
  const {status} = reply;
  const target = {
    ...source,
    role: 'Secondary',
    bar: {code: 'sync-target', text: 'data is being synchronised'},
  } as const;
  const lost = {...source, role: 'Secondary', connection: 'StandAlone', progress: undefined} as const;
  const of = (direction: 'standby' | 'takeover', scope: 'all' | 'foreign', disk: DiskStatus) =>
    waitsFor({direction, scope}, {...status, disks: [disk]});
  assert.match(of('standby', 'all', source) ?? '', /^data is still being synchronised to it, 37\.5 %/);
  assert.equal(of('standby', 'foreign', source), undefined);
  assert.equal(of('takeover', 'all', source), undefined);
  assert.match(of('takeover', 'all', target) ?? '', /^data is being synchronised, 37\.5 %/);
  assert.match(of('takeover', 'all', lost) ?? '', /to it$/);
  assert.equal(of('takeover', 'all', {...target, found: 'unknown'}), undefined);
  const differs = {
    ...lost,
    connection: 'Connected',
    peerBar: {code: 'differs', text: '4.0 MiB of data differ'},
  } as const;
  assert.equal(of('takeover', 'all', differs), '4.0 MiB of data differ');
  assert.equal(of('takeover', 'all', {...differs, bar: {code: 'peer-primary', text: ''}}), '4.0 MiB of data differ');
});

test('the disks in systole status, with and without trouble; without disks no such section', () => {
  const reply = withDisks([source]);
  assert.ok(reply.ok && reply.status);
  const {status} = reply;
  const {disks: _none, ...without} = status;
  assert.doesNotMatch(renderStatus(without, false), /Disks/);
  const show = (...disks: DiskStatus[]) => renderStatus({...status, disks}, false).split('\nDisks\n')[1];
  assert.equal(
    show(source),
    '  data  here Primary UpToDate, there Secondary Inconsistent, SyncSource\n' +
      '      synchronising: 37.5 %, 160.0 MiB to go, 10.0 MiB/s, about 0:16 left\n' +
      '      no planned move: data is still being synchronised to it',
  );
  const good = {...source, peerDisk: 'UpToDate', replication: 'Established', peerBar: undefined, progress: undefined};
  assert.equal(show(good), '  data  here Primary UpToDate, there Secondary UpToDate, Established');
  const lost = {...good, disk: 'Diskless'};
  assert.match(
    show(lost) ?? '',
    /\n {6}its disk is lost here: systole standby first, then docs\/drbd\.md, "A disk fails"$/,
  );
  const alone = {...lost, peerBar: {code: 'peer-disk', text: 'the copy there is Failed'}};
  assert.match(show(alone) ?? '', /\n {6}its disk is lost here, and no other is good\n/);
  assert.doesNotMatch(show({...lost, role: 'Secondary'}) ?? '', /is lost here/);
  const peerBar = {code: 'differs', text: '4.0 MiB of data differ'};
  for (const role of ['Primary', 'Secondary'])
    assert.match(show({...good, role, peerBar}) ?? '', /\n {6}no planned move: 4\.0 MiB of data differ$/, role);
  const outdated = {
    ...good,
    role: 'Secondary',
    peerRole: 'Unknown',
    disk: 'Outdated',
    peerDisk: 'DUnknown',
    connection: 'Connecting',
    bar: {code: 'outdated', text: 'the disk of data is Outdated here'},
  };
  assert.equal(
    show(outdated, {...good, resource: 'journal', found: 'down'}, {...good, resource: 'logs', found: 'unknown'}),
    '  data     here Secondary Outdated, there Unknown DUnknown, Connecting\n' +
      '      no start here: the disk of data is Outdated here\n' +
      '  journal  not up\n' +
      '  logs     not known: DRBD gives no answer',
  );
  assert.match(renderStatus({...status, disks: [outdated]}, true), /\u001b\[31mOutdated\u001b\[0m/);
});

test('--wait says so when the move failed, and when time ran out', async () => {
  let owner = 'n1';
  let standby: string | undefined;
  server = await fakeControl(`${where.dir}/run/systole`, (request) =>
    request.command === 'status' ? standbyStatus(standby, owner, 'running') : {ok: true, text: ''},
  );
  assert.equal((await runBin('hb_standby', ['--wait'], where)).status, 3);
  standby = 'giving all to n2';
  owner = 'n2';
  const late = await runBin('hb_standby', ['--wait', '--timeout', '0.2'], where);
  assert.equal(late.status, 4);
  assert.match(late.stderr, /giving all to n2/);
});

test('heartbeat -s, start and -k see the process behind the pid file', async () => {
  // argv[0] is how a heartbeat is told from another program with a reused pid.
  const daemon = spawn('sleep', ['60'], {argv0: 'heartbeat: test', stdio: 'ignore'});
  const gone = new Promise((resolve) => daemon.once('exit', resolve));
  const pidFile = `${where.dir}/run/heartbeat.pid`;
  writeFileSync(pidFile, `${String(daemon.pid).padStart(10)}\n`);
  const running = await runBin('heartbeat', ['-s'], where);
  assert.match(
    running.stdout,
    new RegExp(`^heartbeat OK \\[pid ${daemon.pid} et al\\] is running on .* \\[.*\\]\\.\\.\\.\\n$`),
  );
  assert.equal(running.status, 0);
  const again = await runBin('heartbeat', [], where);
  assert.match(again.stderr, new RegExp(`info: heartbeat: already running \\[pid ${daemon.pid}\\]\\.`));
  assert.equal(again.status, 0);
  const inPlace = await runBin('heartbeat', ['-R'], where);
  assert.match(inPlace.stderr, /ERROR: Heartbeat already running \[pid \d+\]\./);
  assert.equal(inPlace.status, 1);
  const reload = await runBin('heartbeat', ['-r'], where);
  assert.match(reload.stderr, /HB_CONFIG_MISSING[\s\S]*NOT restarted/);
  assert.equal(reload.status, 1);
  const stopped = await runBin('heartbeat', ['-k'], where);
  assert.equal(stopped.status, 0);
  await gone;
  const stale = await runBin('heartbeat', ['-s'], where);
  assert.deepEqual([stale.stdout, stale.status], ['heartbeat is stopped. No process\n', 1]);
}, 30_000);

test('ResourceManager acts directly, with the agents in HA_DIR, when no daemon runs', async () => {
  const log = `${where.dir}/calls`;
  cpSync(`${root}/ha.d.example/authkeys`, `${where.dir}/ha.d/authkeys`);
  chmodSync(`${where.dir}/ha.d/authkeys`, 0o600);
  const host = execFileSync('uname', ['-n']).toString().trim();
  writeFileSync(`${where.dir}/ha.d/ha.cf`, `auto_failback off\nudpport 694\nucast lo 127.0.0.2\nnode ${host} n2\n`);
  writeFileSync(`${where.dir}/ha.d/haresources`, `${host} one two::arg bad\n${host} four\n`);
  execFileSync('mkdir', [`${where.dir}/ha.d/resource.d`]);
  for (const name of ['one', 'two', 'bad', 'four']) {
    const path = `${where.dir}/ha.d/resource.d/${name}`;
    const fails = name === 'bad' ? '[ "$1" = start ] && exit 1' : ':';
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>${log}\n${fails}\ncase "$*" in *status) echo stopped;; esac\n`);
    chmodSync(path, 0o755);
  }
  const failed = await runBin('ResourceManager', ['takegroup', 'one'], where);
  assert.equal(failed.status, 1, failed.stderr);
  assert.match(failed.stderr, /CRIT: Giving up resources due to failure of bad/);
  assert.equal(
    readFileSync(log, 'utf8'),
    'one status\none start\ntwo arg status\ntwo arg start\nbad status\nbad start\nbad stop\ntwo arg stop\none stop\n',
  );
  assert.equal((await runBin('ResourceManager', ['takegroup', 'four'], where)).status, 0);
  assert.equal((await runBin('ResourceManager', ['status', 'four'], where)).status, 3);
  assert.equal((await runBin('ResourceManager', ['verifyallidle'], where)).status, 0);
}, 30_000);

test('systole install lays out a tree that works, twice, and keeps what was changed', async () => {
  const tree = `${where.dir}/root`;
  const dry = await runBin('systole', ['install', '--destdir', tree, '--dry-run'], where);
  assert.equal(dry.status, 0, dry.stderr);
  assert.equal(existsSync(tree), false);
  const first = await runBin('systole', ['install', '--destdir', tree], where);
  assert.match(first.stdout, /created {3}\/usr\/sbin\/heartbeat\n/);
  assert.match(first.stdout, /\n\d+ created\n$/);
  const again = await runBin('systole', ['install', '--destdir', tree], where);
  assert.match(again.stdout, /^\d+ unchanged\n$/);
  const run = (path: string, ...args: string[]) => runProgram(`${tree}${path}`, args, where.env);
  assert.equal((await run('/usr/sbin/heartbeat', '-s')).stdout, 'heartbeat is stopped. No process\n');
  assert.equal((await run('/usr/bin/cl_status', 'hbstatus')).status, 1);
  assert.equal((await run('/usr/share/heartbeat/hb_standby')).status, 7);
  assert.equal((await run('/usr/libexec/heartbeat/heartbeat', '-V')).status, 0);
  assert.equal((await run('/usr/sbin/systole', 'status')).status, 7);
  assert.equal(statSync(`${tree}/etc/init.d/heartbeat`).mode & 0o777, 0o755);
  writeFileSync(`${tree}/etc/ha.d/harc`, '#!/bin/sh\n# mine\n');
  const kept = await runBin('systole', ['install', '--destdir', tree], where);
  assert.match(
    kept.stdout,
    /kept {6}\/etc\/ha\.d\/harc {2}\(changed by somebody; ours is \/etc\/ha\.d\/harc\.systole-new\)/,
  );
  assert.match(readFileSync(`${tree}/etc/ha.d/harc`, 'utf8'), /mine/);
  assert.equal(readFileSync(`${tree}/etc/ha.d/harc.systole-new`, 'utf8'), readFileSync(`${root}/ha.d/harc`, 'utf8'));
  execFileSync('rm', [`${tree}/usr/bin/cl_status`]);
  writeFileSync(`${tree}/usr/bin/cl_status`, 'of another package');
  const inTheWay = await runBin('systole', ['install', '--destdir', tree], where);
  assert.equal(inTheWay.status, 1);
  assert.equal(readFileSync(`${tree}/usr/bin/cl_status`, 'utf8'), 'of another package');
}, 120_000);

test('one screen of --watch overwrites each line and clears what was below', () => {
  assert.equal(frame('a\nb', 24), '\u001b[Ha\u001b[K\nb\u001b[K\n\u001b[J');
  assert.equal(frame('a\nb\nc', 3), '\u001b[Ha\u001b[K\nb\u001b[K\n\u001b[J');
});

test('failback means home: given, the foreign groups; taken, our own', () => {
  assert.equal(parseMove('standby', ['failback']).scope, 'foreign');
  assert.equal(parseMove('takeover', ['failback']).scope, 'local');
});

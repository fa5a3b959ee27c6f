// Goal: drbddisk promotes what may be promoted, brings up what nobody brought up, refuses the rest in words, waits as long as
// DRBD's own timers and no longer, and names who keeps a device open. Method: the agent itself (resource.d/drbddisk) and its
// parts against stand-ins that play what a real 8.4 pair answered.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmodSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import type {ResourceState} from '../../src/drbd/state.js';
import {type DiskOptions, demote, promote, secondAttemptMs} from '../../src/runtime/drbd/disk.js';
import {type Holder, holdersOf} from '../../src/runtime/drbd/holders.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {judgedHere, noteUnproven} from '../../src/runtime/drbd/unproven.js';
import {root, runProgram} from '../helpers/command.js';
import {type DrbdVariables, FakeDrbd} from '../helpers/drbd.js';

let drbd: FakeDrbd;
beforeEach(() => {
  drbd = new FakeDrbd();
  // Timers of 0.1 s, so that what waits for them ends soon.
  drbd.put('show', 'resource data { net { timeout 1; ping-int 0; ping-timeout 1; connect-int 1; } }\n');
});
afterEach(() => drbd.remove());

const agent = (...words: readonly string[]) =>
  runProgram(`${root}/resource.d/drbddisk`, words, {...drbd.env, HA_RUNDIR: drbd.dir});

function options(more: Partial<DiskOptions> = {}): DiskOptions & {readonly said: string[]} {
  const said: string[] = [];
  const say = (text: string) => {
    said.push(text);
  };
  return {tools: new DrbdTools(drbd.env), info: say, warn: say, pollMs: 10, slackMs: 300, meetMs: 300, said, ...more};
}

describe('the agent', () => {
  test('start, status, stop', async () => {
    assert.deepEqual((await agent('data', 'status')).stdout, 'stopped (Secondary)\n');
    const start = await agent('data', 'start');
    assert.equal(start.status, 0, start.stderr);
    assert.equal(start.stdout, '');
    assert.match(start.stderr, /INFO: drbddisk: data is Primary/);
    assert.deepEqual((await agent('data', 'status')).stdout, 'running (Primary)\n');
    assert.equal((await agent('data', 'stop')).status, 0);
    assert.deepEqual((await agent('data', 'stop')).status, 0);
    assert.deepEqual((await agent('data', 'status')).stdout, 'stopped (Secondary)\n');
  });

  test('the ordinary start needs no Node; whatever is odd is judged', async () => {
    drbd.put('node', '#!/bin/sh\necho "node $*" >>$SYSTOLE_DRBD/calls\nexit 1\n');
    chmodSync(`${drbd.dir}/node`, 0o755);
    mkdirSync(`${drbd.dir}/drbd`);
    const env = {...drbd.env, PATH: `${drbd.dir}:${drbd.env['PATH']}`, HA_VARLIBDIR: drbd.dir, HA_RUNDIR: drbd.dir};
    const isJudged = async (variables: Partial<DrbdVariables>): Promise<boolean> => {
      drbd.set(variables);
      drbd.put('calls', '');
      await runProgram(`${root}/resource.d/drbddisk`, ['data', 'start'], env);
      return drbd.allCalls().includes('node ');
    };
    assert.equal(await isJudged({}), false);
    assert.equal(drbd.get('role'), 'Primary');
    assert.equal(await isJudged({conn: 'Connecting', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'}), false);
    assert.equal(await isJudged({role: 'Primary'}), false, 'there is nothing to do');
    for (const odd of [
      {disk: 'Outdated'},
      {disk: 'Consistent'},
      {conn: 'StandAlone', repl: 'Off', prole: 'Unknown'},
      {repl: 'SyncTarget'},
      {up: 'no'},
    ])
      assert.equal(await isJudged(odd), true, JSON.stringify(odd));
    assert.equal(await isJudged({prole: 'Primary'}), false, 'it lives');
    assert.deepEqual(drbd.calls(), ['primary data']);
    drbd.put('on-primary', 'prole=Unknown conn=Connecting repl=Off');
    assert.equal(await isJudged({prole: 'Primary'}), false, 'the kernel notices that it is gone');
    drbd.put('on-primary', '[ "$prole" != Primary ] || { prole=Unknown conn=Connecting repl=Off; save; exit 11; }');
    assert.equal(await isJudged({prole: 'Primary'}), false, 'it gives up once, having noticed');
    assert.deepEqual(drbd.calls(), ['primary data', 'primary data']);
    drbd.put('show', 'resource data { net { allow-two-primaries; } }\n');
    assert.equal(await isJudged({prole: 'Primary'}), true, 'the kernel would allow two');
    assert.deepEqual(drbd.calls(), []);
    // `on-events2` answers in the tool's place: it was killed before it had named every disk.
    const first = 'exists resource name:data role:Secondary suspended:no';
    drbd.put('on-events2', `echo '${first}'; echo 'exists device name:data volume:0 minor:0 disk:UpToDate'; exit 1`);
    assert.equal(await isJudged({}), true, 'half an answer');
    drbd.lose('on-events2');
    drbd.put('on-primary', 'exit 0');
    assert.equal(await isJudged({}), true, 'the kernel did nothing');
    drbd.lose('on-primary');
    drbd.put('drbd/data.finding.json', '{}');
    assert.equal(await isJudged({}), true, 'a finding of a split brain');
  });

  describe('with 8.4 every device is told by itself, by drbdsetup', () => {
    const agent8 = async (action: string) => {
      drbd.put('calls', '');
      const env = {...drbd.env, HA_RUNDIR: drbd.dir, HA_VARLIBDIR: drbd.dir, SYSTOLE_PROC_DRBD: `${drbd.dir}/proc`};
      const {status} = await runProgram(`${root}/resource.d/drbddisk`, ['data', action], env);
      return [status, ...drbd.allCalls().trim().split('\n')];
    };
    const look = 'drbdsetup events2 --now data';
    beforeEach(() => drbd.put('proc', 'version: 8.4.11 (api:1/proto:86-101)\n'));

    test('there and back; drbdadm is not asked, so no typing error keeps it', async () => {
      drbd.put('typo', '');
      assert.deepEqual(await agent8('start'), [0, look, 'drbdsetup primary 0']);
      assert.equal(drbd.get('role'), 'Primary');
      assert.deepEqual(await agent8('stop'), [0, look, 'drbdsetup secondary 0']);
      assert.equal(drbd.get('role'), 'Secondary');
    });

    test('a peer that has lost its power: asked twice, as 8.4 wants it', async () => {
      drbd.set({prole: 'Primary'});
      drbd.put('on-primary', '[ "$prole" != Primary ] || { prole=Unknown conn=Connecting repl=Off; save; exit 11; }');
      const primary = 'drbdsetup primary 0';
      assert.deepEqual(await agent8('start'), [0, look, 'drbdsetup show data', primary, look, look, primary]);
    });

    test('of two volumes one is refused: judged, and failed', async () => {
      const device = (at: number) => `echo exists device name:data volume:${at} minor:${at} disk:UpToDate\n`;
      drbd.put(
        'on-events2',
        `echo exists resource name:data role:$role\n${device(0)}${device(1)}echo exists -\nexit 0\n`,
      );
      drbd.put(
        'on-primary',
        'case $2 in 0) role=Primary; save; exit 0 ;; *) refused -10 "refused by peer node" 11 ;; esac',
      );
      const [status, ...calls] = await agent8('start');
      assert.equal(status, 1);
      assert.deepEqual(calls.slice(0, 4), [look, 'drbdsetup primary 0', 'drbdsetup primary 1', look]);
      assert.ok(calls.length > 4, 'not judged');
    });

    test('held open: judged', async () => {
      drbd.set({role: 'Primary'});
      drbd.put('held', 'somebody\n');
      const [status, , first, ...more] = await agent8('stop');
      assert.deepEqual([status, first, more.length > 0], [1, 'drbdsetup secondary 0', true]);
    });
  });

  test('of all resources one is Primary: the others are not taken for it', async () => {
    drbd.set({role: 'Primary'});
    drbd.put('resources', 'data\nlogs\n');
    const start = await agent('all', 'start');
    assert.equal(start.status, 1, start.stderr);
    assert.match(start.stderr, /logs/);
  });

  test('a resource that is not up is brought up; its status is a clear stopped', async () => {
    drbd.set({up: 'no'});
    const status = await agent('data', 'status');
    assert.deepEqual([status.status, status.stdout], [3, 'stopped (Unconfigured)\n']);
    drbd.put('on-up', 'up=yes role=Secondary disk=$meta conn=Connected repl=Established prole=Secondary; save; exit 0');
    const start = await agent('data', 'start');
    assert.equal(start.status, 0, start.stderr);
    assert.match(start.stderr, /is not up: running drbdadm up data/);
    assert.deepEqual(drbd.calls(), ['up data', 'primary data']);
  });

  test('an outdated disk: refused at once, in words, without asking DRBD', async () => {
    drbd.set({disk: 'Outdated', conn: 'Connecting', repl: 'Off', prole: 'Unknown'});
    const start = await agent('data', 'start');
    assert.equal(start.status, 1);
    assert.match(start.stderr, /^ERROR: drbddisk: not promoting data: the disk of data \(\/dev\/drbd0\) is Outdated/m);
    assert.match(start.stderr, /would lose every write/);
    assert.deepEqual(drbd.calls(), []);
  });

  test('no metadata, and no such resource', async () => {
    drbd.set({up: 'no', meta: ''});
    assert.match((await agent('data', 'start')).stderr, /has no DRBD metadata.+First start/);
    const other = await agent('logs', 'start');
    assert.equal(other.status, 1);
    assert.match(other.stderr, /gives this host no resource logs.+uname -n/);
  });

  test('a disk that was replaced: the agent says what it needs, and adjust is no longer all of it', async () => {
    drbd.set({disk: 'Diskless'});
    drbd.put('on-adjust', 'echo "No valid meta data found" >&2; exit 1');
    const {said, ...asked} = options();
    assert.equal((await promote('data', {...asked, warn: (text) => void said.push(text)})).exit, 1);
    assert.match(said.join('\n'), /has no DRBD metadata\..+ new disk: drbdadm create-md data, then drbdadm up data/);
  });

  test('all: every resource of the configuration', async () => {
    assert.equal((await agent('start')).status, 0);
    assert.equal(drbd.get('role'), 'Primary');
    assert.equal((await agent('all', 'stop')).status, 0);
    assert.equal(drbd.get('role'), 'Secondary');
  });
});

describe('promote', () => {
  test('the peer is Primary and stays so: refused after the timers of DRBD, with the reason', async () => {
    drbd.set({prole: 'Primary'});
    const startedMs = performance.now();
    const result = await promote('data', options());
    assert.equal(result.exit, 1);
    assert.match(result.text, /data is Primary on the other node, and the replication link to it works/);
    assert.match(result.text, /Promoting would lose what one of two Primaries writes/);
    // 0.1 s + 0.1 s of the timers, and 0.3 s.
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs > 500 && tookMs < 3000, `${tookMs}`);
    assert.equal(drbd.get('role'), 'Secondary');
  });

  test('a peer that lost its power is noticed when the kernel is asked, and then promotion goes on', async () => {
    drbd.set({prole: 'Primary'});
    drbd.put('on-primary', 'case $(grep -c "drbdadm primary" calls) in 1) ;; *) conn=Connecting prole=Unknown ;; esac');
    assert.deepEqual(await promote('data', options()), {exit: 0, text: 'data is Primary'});
    assert.deepEqual(drbd.calls(), ['primary data', 'primary data']);
  });

  test('what is only watched makes way for the agents', async () => {
    drbd.put('on-events2', 'until [ "$(nice)" = 10 ]; do :; done');
    assert.equal((await new DrbdTools(drbd.env).inBackground().read('data')).found, 'up');
  });

  test('with two Primaries allowed nothing is tried while the peer is Primary', async () => {
    drbd.put('show', 'resource data { net { timeout 1; ping-int 0; ping-timeout 1; allow-two-primaries yes; } }\n');
    drbd.set({prole: 'Primary'});
    assert.equal((await promote('data', options())).exit, 1);
    assert.deepEqual(drbd.calls(), []);
  });

  test('the fence-peer handler found the peer Primary, and outdated the disk: said so', async () => {
    drbd.set({conn: 'Connecting', prole: 'Unknown', repl: 'Off'});
    drbd.put('on-primary', 'disk=Outdated; save; refused -2 "Need access to UpToDate data" 17');
    const {exit, text} = await promote('data', options());
    assert.equal(exit, 1);
    assert.match(text, /the other node is Primary \(the fence-peer handler asked it\)/);
  });

  test('the fence-peer handler proved nothing: not promoted', async () => {
    drbd.set({conn: 'Connecting', prole: 'Unknown', repl: 'Off'});
    drbd.put('on-primary', 'refused -2 "Need access to UpToDate data" 17');
    assert.match((await promote('data', options())).text, /did not confirm that it is dead or outdated/);
  });

  test('exit code 0 is not believed: the role is read back', async () => {
    drbd.put('on-primary', 'exit 0');
    assert.equal((await promote('data', options())).exit, 1);
  });

  test('a peer is given time for two attempts to connect, by the timers in force, within bounds', async () => {
    const tools = new DrbdTools(drbd.env);
    for (const [seconds, ms] of [
      [1, 4000],
      [10, 11_000],
      [120, 30_000],
    ] as const) {
      drbd.put('show', `resource data { net { connect-int ${seconds}; } }\n`);
      assert.equal(await secondAttemptMs('data', tools, 4000), ms);
    }
  });

  test('good by DRBD, but nobody was here to hear that it is old: refused until it has met the other node', async () => {
    const places = {runDir: drbd.dir};
    const judged = (state: ResourceState) => judgedHere(places, state);
    const lost = {conn: 'Connecting', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'};
    drbd.set(lost);
    noteUnproven(places, 'data');
    const refused = await promote('data', options({judged}));
    assert.equal(refused.exit, 1);
    assert.match(refused.text, /had lost the other node when heartbeat started here.*Promoting would lose every write/);
    const byAgent = await runProgram(`${root}/resource.d/drbddisk`, ['data', 'start'], {
      ...drbd.env,
      HA_RUNDIR: drbd.dir,
    });
    assert.equal(byAgent.status, 1, byAgent.stderr);
    assert.match(byAgent.stderr, /had lost the other node when heartbeat started here/);
    assert.deepEqual(drbd.calls(), []);
    drbd.set({...lost, pdisk: 'Outdated'});
    assert.equal((await promote('data', options({judged}))).exit, 0, 'the other one is known to be old');
    drbd.set({});
    assert.equal((await promote('data', options({judged}))).exit, 0, 'they have met');
  });

  test('settings that cannot be read allow nothing: beside a Primary nothing is tried', async () => {
    drbd.set({prole: 'Primary'});
    drbd.put('on-primary', 'prole=Secondary');
    drbd.put('on-show', 'exit 10');
    const {exit} = await promote('data', options());
    assert.equal(exit, 1);
    assert.deepEqual(drbd.calls(), []);
  });

  test('StandAlone: the connection is taken up before anything is decided', async () => {
    drbd.set({conn: 'StandAlone', repl: 'Off', prole: 'Unknown'});
    drbd.put('on-adjust', 'conn=Connected repl=SyncTarget disk=Inconsistent; save; exit 0');
    const {exit, text} = await promote('data', options());
    assert.equal(exit, 1);
    assert.match(text, /is being synchronised/);
    assert.deepEqual(drbd.calls(), ['adjust data']);
  });

  test('StandAlone: a handshake that has only begun is waited for', async () => {
    drbd.set({conn: 'StandAlone', repl: 'Off', prole: 'Unknown'});
    drbd.put('on-adjust', 'echo 4 >handshake; conn=Connecting; save; exit 0');
    const agreed = 'conn=Connected repl=SyncTarget disk=Inconsistent';
    const looks = 'left=$(cat handshake); echo $((left - 1)) >handshake';
    drbd.put(
      'on-events2',
      `[ ! -e handshake ] || { ${looks}; [ $left -gt 0 ] && conn=Connected repl=Off || { ${agreed}; }; }`,
    );
    const {exit, text} = await promote('data', options({meetMs: 5000}));
    assert.equal(exit, 1);
    assert.match(text, /is being synchronised/);
    assert.deepEqual(drbd.calls(), ['adjust data']);
  });

  test('without the tools: exit 5', async () => {
    const tools = new DrbdTools({PATH: '/nonexistent'});
    const {exit, text} = await promote('data', options({tools}));
    // A machine that has drbd-utils reads a resource that is not there.
    assert.ok(exit === 5 || exit === 1, text);
  });
});

describe('of two volumes 8.4 promotes one after the other, and shows the highest role', () => {
  const SECOND = 'echo "1: State change failed: (-10) State change was refused by peer node" >&2; exit 11';
  const proc = (...roles: readonly string[]): {readonly procDrbd: string} => {
    const minors = roles.map((role, at) => ` ${at}: cs:Connected ro:${role}/Secondary ds:UpToDate/UpToDate C r-----\n`);
    drbd.put('proc', `version: 8.4.11 (api:1/proto:86-101)\n${minors.join('')}`);
    return {procDrbd: `${drbd.dir}/proc`};
  };
  beforeEach(() => {
    const devices = [0, 1].flatMap((at) => [
      `device name:data volume:${at} minor:${at} disk:UpToDate`,
      `peer-device name:data peer-node-id:0 conn-name:peer volume:${at} replication:Established peer-disk:UpToDate`,
    ]);
    const peer = 'connection name:data peer-node-id:0 conn-name:peer connection:Connected role:Secondary';
    const lines = ['resource name:data role:$role suspended:no', peer, ...devices, '-'];
    drbd.put('on-events2', `${lines.map((line) => `echo "exists ${line}"`).join('\n')}\nexit 0\n`);
    drbd.put('on-primary', `role=Primary; save; ${SECOND}`);
  });

  test('the second one was refused: failed, with the words of the command', async () => {
    const {exit, text} = await promote('data', options(proc('Primary', 'Secondary')));
    assert.equal(exit, 1);
    assert.match(text, /cannot make data Primary: exit code 11: 1: State change failed: \(-10\)/);
  });

  test('half promoted by an earlier try: the rest is promoted too', async () => {
    drbd.set({role: 'Primary'});
    const half = proc('Primary', 'Secondary');
    drbd.put('on-primary', `sed -i 's/ro:Secondary/ro:Primary/' proc; exit 0`);
    assert.equal((await promote('data', options(half))).exit, 0);
    assert.deepEqual(drbd.calls(), ['primary data']);
    assert.equal((await promote('data', options(half))).exit, 0);
    assert.deepEqual(drbd.calls(), ['primary data'], 'there is nothing left to do');
  });

  test('all of them are Primary whatever the exit code said; 9 promotes all or none', async () => {
    assert.equal((await promote('data', options(proc('Primary', 'Primary')))).exit, 0);
    drbd.set({});
    drbd.put('proc', 'version: 9.2.14 (api:2/proto:118-122)\n');
    assert.equal((await promote('data', options({procDrbd: `${drbd.dir}/proc`}))).exit, 0);
  });

  test('which are Primary cannot be told: failed, unless the command ends well when it is asked again', async () => {
    for (const nothing of [{procDrbd: `${drbd.dir}/none`}, proc('Primary')]) {
      drbd.set({});
      const {exit, text} = await promote('data', options(nothing));
      assert.equal(exit, 1);
      assert.match(text, /cannot make every volume of data Primary: exit code 11: 1: State change failed/);
    }
    drbd.put('on-primary', 'role=Primary; save; exit 0');
    assert.equal((await promote('data', options({procDrbd: `${drbd.dir}/none`}))).exit, 0);
  });

  test('the agent', async () => {
    const start = await agent('data', 'start');
    assert.equal(start.status, 1, start.stderr);
    assert.match(start.stderr, /State change failed: \(-10\)/);
    drbd.put('on-primary', 'role=Primary; save; exit 0');
    assert.equal((await agent('data', 'start')).status, 0);
  });
});

describe('demote', () => {
  const quick = {patience: 50, term: 2000, kill: 2000};

  test('a process that has the device open is named, asked to end, and the disk let go', async () => {
    const child = spawn('sleep', ['60'], {stdio: 'ignore'});
    const ended = once(child, 'exit');
    drbd.set({role: 'Primary'});
    drbd.put('held', 'x');
    drbd.put('on-secondary', `kill -0 ${child.pid} 2>/dev/null || : >held`);
    const holder: Holder = {pid: child.pid, kind: 'open', text: `process ${child.pid} (sleep 60) has it open`};
    const asked = options({escalationMs: quick, holders: () => [holder]});
    assert.equal((await demote('data', asked)).exit, 0);
    assert.match(asked.said.join('\n'), /sending SIGTERM to it: process \d+ \(sleep 60\)/);
    assert.equal((await ended)[1], 'SIGTERM');
  });

  test('what cannot be ended is named in the refusal, and the resource stays what it is', async () => {
    drbd.set({role: 'Primary'});
    drbd.put('held', 'x');
    const holder: Holder = {pid: undefined, kind: 'device', text: '/dev/dm-0 is built on it'};
    const asked = options({escalationMs: {patience: 20, term: 20, kill: 20}, holders: () => [holder]});
    const {exit, text} = await demote('data', asked);
    assert.equal(exit, 1);
    assert.match(text, /held open by someone.*\/dev\/dm-0 is built on it/);
    assert.equal(drbd.get('role'), 'Primary');
  });

  test('a forgotten mount is unmounted, never lazily', async () => {
    drbd.set({role: 'Primary'});
    drbd.put('held', 'x');
    const unmounted: string[] = [];
    const asked = options({
      escalationMs: quick,
      holders: () => [{pid: undefined, kind: 'mount', point: '/mnt', isOurs: true, text: 'it is mounted on /mnt'}],
      unmount: async (point) => {
        unmounted.push(point);
        drbd.put('held', '');
        return true;
      },
    });
    assert.equal((await demote('data', asked)).exit, 0);
    assert.deepEqual(unmounted, ['/mnt']);
  });

  test('a resource that is down, or does not exist here, is demoted already', async () => {
    drbd.set({up: 'no'});
    assert.equal((await demote('data', options())).exit, 0);
    assert.deepEqual(drbd.calls(), []);
  });
});

test('a mount is named with the processes that keep it busy, in whatever namespace it is', () => {
  const proc = drbd.dir;
  const make = (pid: string, namespace: string, mounts: string, links: Record<string, string>): void => {
    mkdirSync(`${proc}/${pid}/ns`, {recursive: true});
    mkdirSync(`${proc}/${pid}/fd`);
    symlinkSync(`mnt:[${namespace}]`, `${proc}/${pid}/ns/mnt`);
    writeFileSync(`${proc}/${pid}/mountinfo`, mounts);
    writeFileSync(`${proc}/${pid}/cmdline`, `program-${pid}\0-x\0`);
    for (const [name, target] of Object.entries(links)) symlinkSync(target, `${proc}/${pid}/${name}`);
  };
  const here = '36 35 147:4711 / /my\\040data rw - ext4 /dev/drbd4711 rw\n';
  make('self', '1', here, {});
  make('100', '1', here, {'fd/3': '/my data/mysql/ibdata1'});
  make('101', '1', here, {cwd: '/my data'});
  make('102', '1', here, {cwd: '/my database', 'fd/0': '/dev/null'});
  make('200', '2', here.replace('my\\040data', 'other'), {cwd: '/', exe: '/other/bin/x'});
  const found = holdersOf(4711, proc, `${proc}/sys`);
  assert.deepEqual(
    found.map(({text, point, isOurs}) => [text, point, isOurs]),
    [
      ['it is mounted on /my data, used by process 100 (program-100 -x), 101 (program-101 -x)', '/my data', true],
      [
        'it is mounted on /other in the mount namespace of process 200 (program-200 -x), used by process 200 (program-200 -x)',
        '/other',
        false,
      ],
    ],
  );
});

test('nobody holds a device that does not exist', () => {
  assert.deepEqual(holdersOf(4711), []);
});

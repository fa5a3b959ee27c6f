// Goal: shellfuncs, harc and the init script behave as their callers know. Method: run them under sh with stubs beside them.

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {afterEach, beforeEach, test} from '@jest/globals';
import {type Ended, type Place, place, root, runProgram} from '../helpers/command.js';

let where: Place;

beforeEach(() => {
  where = place();
  cpSync(`${root}/ha.d`, `${where.dir}/ha.d`, {recursive: true});
});
afterEach(() => where.remove());

function shell(script: string, env: Readonly<Record<string, string>> = {}, input = ''): Promise<Ended> {
  const text = `. "$HA_DIR/shellfuncs"\n${script}`;
  return runProgram('/bin/sh', ['-c', text, 'agent'], {...where.env, OCF_ROOT: '/nonexistent', ...env}, input);
}

function program(name: string, text: string): string {
  const path = `${where.dir}/${name}`;
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('every shell part is valid sh', () => {
  const parts = ['shellfuncs', 'harc', 'rc.d/status', 'rc.d/ip-request', 'rc.d/ip-request-resp', 'rc.d/hb_takeover'];
  for (const part of parts) execFileSync('sh', ['-n', `${root}/ha.d/${part}`]);
  execFileSync('sh', ['-n', `${root}/packaging/heartbeat.init`]);
});

test('ha_log writes the lines of heartbeat into both files', async () => {
  const env = {HA_LOGFILE: `${where.dir}/log`, HA_DEBUGLOG: `${where.dir}/debug`, HA_DATEFMT: '%Y/%m/%d_%T\t'};
  const files = {HA_LOGFILE: `${where.dir}/L`, HA_DEBUGLOG: `${where.dir}/D`};
  await shell('ha_log "info: a  b"; ha_debug "not now"; HA_debug=1; ha_debug "debug: c"', {...env, ...files});
  assert.match(
    readFileSync(files.HA_LOGFILE, 'utf8'),
    /^\d{4}\/\d\d\/\d\d_\d\d:\d\d:\d\d {2}agent\(default\)\[\d+\]: {4}info: a {2}b\n$/,
  );
  assert.match(
    readFileSync(files.HA_DEBUGLOG, 'utf8'),
    /^agent\(default\)\[\d+\]:\t\S+ info: a {2}b\nagent\(default\)\[\d+\]:\t\S+ debug: c\n$/,
  );
});

test('without any log file the line goes to stderr', async () => {
  const {stderr} = await shell('ha_log "WARN: x"');
  assert.match(stderr, /^[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d WARN: x\n$/);
});

test('ha_parameter reads ha.cf, with the two defaults scripts rely on', async () => {
  writeFileSync(`${where.dir}/ha.d/ha.cf`, '#deadtime 9\nkeepalive 3 # c\nLogFile   /x y\n');
  const {stdout} = await shell('for p in keepalive DEADTIME logfile nope; do echo "[$(ha_parameter $p)]"; done');
  assert.equal(stdout, '[3]\n[7]\n[/x]\n[]\n');
});

test('ha_clustermsg writes a block, and fails at once when nobody reads', async () => {
  const fifo = `${where.dir}/lib/fifo`;
  const absent = await shell('ha_clustermsg', {}, 't=x\n');
  assert.equal(absent.status, 1);
  execFileSync('mkfifo', [fifo]);
  assert.equal((await shell('ha_clustermsg', {}, 't=x\n')).status, 1, 'no daemon');
  writeFileSync(`${where.dir}/run/heartbeat.pid`, `${process.pid}\n`);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    assert.equal((await shell('ha_clustermsg', {}, 'x=1\n')).status, 1, 'a block without t= is dropped by the daemon');
    assert.equal((await shell('ha_clustermsg', {}, 't=foo\nx=1\n')).status, 0);
    const bytes = Buffer.alloc(999);
    assert.equal(bytes.toString('latin1', 0, readSync(reader, bytes)), '>>>\nt=foo\nx=1\n<<<\n');
  } finally {
    closeSync(reader);
  }
});

test('harc runs the hook of that name and no other file', async () => {
  program('ha.d/rc.d/foo', 'echo "$1 $HA_src"; exit 3');
  const harc = (...args: string[]) => runProgram(`${where.dir}/ha.d/harc`, args, {...where.env, HA_src: 'n2'});
  const {status, stdout, stderr} = await harc('FOO');
  assert.deepEqual([status, stdout], [3, 'foo n2\n']);
  assert.match(stderr, /info: Running .*\/rc\.d\/foo foo/);
  assert.equal((await harc('../harc')).status, 1);
  // As the daemon of a checkout calls it: no harc and no shellfuncs in HA_DIR.
  rmSync(`${where.dir}/ha.d/shellfuncs`);
  const checkout = await runProgram(`${root}/bin/harc`, ['foo'], {
    ...where.env,
    HA_FUNCS: '/nonexistent',
    HA_src: 'n2',
  });
  assert.deepEqual([checkout.status, checkout.stdout], [3, 'foo n2\n']);
  cpSync(`${root}/ha.d/shellfuncs`, `${where.dir}/ha.d/shellfuncs`);
  assert.equal((await harc('nope')).status, 1);
  assert.equal((await harc()).status, 1);
});

// A stub that remembers how it was called and answers by a table.
function init(word: string, heartbeat: string): Promise<Ended> {
  mkdirSync(`${where.dir}/share`, {recursive: true});
  const stub = program('heartbeat', `echo "heartbeat $*" >>${where.dir}/calls\ncase "$*" in\n${heartbeat}\nesac`);
  for (const name of ['ResourceManager', 'hb_standby']) {
    program(`share/${name}`, `echo "${name} $*" >>${where.dir}/calls`);
  }
  const env = {...where.env, HEARTBEAT: stub, HA_NOARCHBIN: `${where.dir}/share`};
  return runProgram(`${root}/packaging/heartbeat.init`, word === '' ? [] : [word], env);
}

test('init script: not configured', async () => {
  const {status, stdout} = await init('start', '*) ;;');
  assert.equal(status, 0);
  assert.match(stdout, /^Heartbeat not configured: .*ha\.cf not found\. Heartbeat failure \[rc=1\]\. Failed\.\n$/);
});

test('init script: start, stop, restart, reload, wrong word', async () => {
  writeFileSync(`${where.dir}/ha.d/ha.cf`, 'auto_failback off\n');
  mkdirSync(`${where.dir}/ha.d/resource.d`);
  program('ha.d/resource.d/startstop', `echo "startstop $*" >>${where.dir}/calls`);
  const calls = (): string => {
    const text = readFileSync(`${where.dir}/calls`, 'utf8');
    writeFileSync(`${where.dir}/calls`, '');
    return text;
  };
  const start = await init('start', '-s) exit 3;;');
  assert.deepEqual([start.stdout, start.status], ['Starting High-Availability services: Done.\n\n', 0]);
  assert.equal(
    calls(),
    'startstop pre-start\nheartbeat -s\nResourceManager verifyallidle\nheartbeat \nstartstop post-start 0\n',
  );
  const bad = await init('start', '-s) exit 3;; *) echo wrong >&2; exit 6;;');
  assert.deepEqual(
    [bad.stdout, bad.status],
    ['Starting High-Availability services:  Heartbeat failure [rc=6]. Failed.\nwrong\n', 6],
  );
  calls();
  const restart = await init('restart', '-s) exit 3;;');
  assert.equal(restart.status, 0);
  assert.match(calls(), /heartbeat -k[\s\S]*heartbeat \n/);
  const reload = await init('force-reload', '-s) exit 0;;');
  assert.deepEqual([reload.stdout, reload.status], ['Reloading High-Availability services: Done.\n\n', 0]);
  const wrong = await init('bogus', '*) ;;');
  assert.match(wrong.stdout, /^Usage: .* \{start\|stop\|status\|restart\|reload\|force-reload\|standby\}\n$/);
  assert.equal(wrong.status, 1);
}, 30_000);

test('init script: standby', async () => {
  writeFileSync(`${where.dir}/ha.d/ha.cf`, 'node a b\n');
  const legacy = await init('standby', '*) ;;');
  assert.deepEqual([legacy.stdout, legacy.status], ['auto_failback defaulted to legacy.  Cannot enter standby.\n', 1]);
  writeFileSync(`${where.dir}/ha.d/ha.cf`, 'auto_failback off\n');
  const stopped = await init('standby', '*) exit 3;;');
  assert.deepEqual([stopped.stdout, stopped.status], ['auto_failback: off\nHeartbeat is not currently running.\n', 1]);
  const going = await init('standby', '*) exit 0;;');
  assert.deepEqual([going.stdout, going.status], ['auto_failback: off\nAttempting to enter standby modeDone.\n', 0]);
});

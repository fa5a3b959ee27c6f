import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {HaConfig} from '../../src/model/config.js';
import type {LogRecord} from '../../src/model/log.js';
import {resolvePaths} from '../../src/model/paths.js';
import type {ResourceAction, ResourceCall} from '../../src/model/resource.js';
import {startTimeOf} from '../../src/runtime/process-group.js';
import {scriptEnv} from '../../src/runtime/script-env.js';
import {endOrphans, openScriptJournal} from '../../src/runtime/script-journal.js';
import {createScriptRunner, type ScriptRunner} from '../../src/runtime/scripts.js';

const bin = new URL('../../../fixtures/bin', import.meta.url).pathname;
let dir = '';
let logs: LogRecord[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-scripts-'));
  logs = [];
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

function runner(): ScriptRunner {
  const env = {PATH: process.env['PATH'] ?? ''};
  return createScriptRunner({
    agentDirs: [bin],
    env,
    log: (record) => logs.push(record),
    journal: openScriptJournal(join(dir, 'scripts')),
  });
}

function call(script: string, action: ResourceAction, args: string[] = [], timeoutMs = 5000): ResourceCall {
  const resource = {word: [script, ...args].join('::'), script, args};
  return {group: 'g', index: 0, resource, action, timeoutMs, killDelayMs: 200};
}
const lines = (): string[] => logs.filter(({level}) => level !== 'debug').map(({level, text}) => `${level}: ${text}`);

test('a start is announced as in the real log, and a failure too', async () => {
  const scripts = runner();
  assert.equal((await scripts.run(1, call('prints-words', 'start', ['10.0.0.1']))).output, 'running: 10.0.0.1 start\n');
  assert.equal((await scripts.run(2, call('fails', 'stop'))).code, 7);
  assert.deepEqual(lines(), [
    `info: Running ${bin}/prints-words 10.0.0.1 start`,
    `info: prints-words::10.0.0.1: warning from ${bin}/prints-words`,
    `info: Running ${bin}/fails stop`,
    `ERROR: Return code 7 from ${bin}/fails`,
  ]);
});

test('status is silent whatever it answers', async () => {
  await runner().run(1, call('fails', 'status'));
  assert.deepEqual(lines(), []);
});

test('a missing or non-executable agent is told, once per call', async () => {
  const scripts = runner();
  for (const name of ['Filesytem', 'not-executable', '../fails']) {
    const exit = await scripts.run(1, call(name, 'start'));
    assert.deepEqual([exit.missing, exit.code], [true, undefined]);
  }
  assert.equal(lines()[0], 'ERROR: Cannot locate resource script Filesytem');
  assert.equal(lines().length, 3);
});

test('a running script is journalled, can be cancelled, and is forgotten after', async () => {
  const scripts = runner();
  const exit = scripts.run(5, call('forever', 'start'));
  assert.equal(readdirSync(join(dir, 'scripts')).length, 1);
  assert.equal(scripts.running, 1);
  scripts.cancel(4);
  scripts.cancel(5);
  assert.equal((await exit).timedOut, true);
  assert.equal(readdirSync(join(dir, 'scripts')).length, 0);
  assert.match(lines()[1] ?? '', /forever start did not end within \d+ ms; its process group was killed/);
});

// Goal: a manager that was killed leaves no script running beside its successor's; a reused pid is not touched.
test('orphans of a killed manager are ended, bystanders are not', async () => {
  const orphan = spawn(`${bin}/ignores-term`, [], {detached: true, stdio: 'ignore'});
  const bystander = spawn(`${bin}/forever`, [], {detached: true, stdio: 'ignore'});
  const journal = openScriptJournal(join(dir, 'scripts'));
  journal.started(orphan.pid ?? 0);
  writeFileSync(join(dir, 'scripts', String(bystander.pid)), '1');
  writeFileSync(join(dir, 'scripts', '-1'), '');
  const gone = once(orphan, 'exit');
  assert.deepEqual(await endOrphans({runDir: dir, agentDirs: [bin], graceMs: 100}), {count: 1, allEnded: true});
  await gone;
  assert.ok(startTimeOf(bystander.pid ?? 0) !== undefined);
  assert.equal(readdirSync(join(dir, 'scripts')).length, 0);
  process.kill(bystander.pid ?? 0, 'SIGKILL');
  assert.deepEqual(await endOrphans({runDir: dir, agentDirs: [bin], graceMs: 100}), {count: 0, allEnded: true});
});

// Goal: a manager that was killed between the start of a script and its entry in the journal leaves no second start either.
test('a script that never got into the journal is found, but no script of another daemon and no child of a living one', async () => {
  const made: number[] = [];
  const orphanOf = async (runDir: string): Promise<number> => {
    const program = `const {spawn} = require('node:child_process');
      const child = spawn('${bin}/ignores-term', ['x', 'start'], {detached: true, stdio: 'ignore', env: {...process.env, HA_RUNDIR: '${runDir}'}});
      console.log(child.pid); process.exit(0)`;
    const parent = spawn(process.execPath, ['-e', program], {stdio: ['ignore', 'pipe', 'inherit']});
    const [line] = await once(parent.stdout, 'data');
    if (parent.exitCode === null) await once(parent, 'exit');
    made.push(Number(String(line)));
    return Number(String(line));
  };
  const [ours, theirs] = [await orphanOf(dir), await orphanOf('/nowhere')];
  const env = {...process.env, HA_RUNDIR: dir};
  const child = spawn(`${bin}/ignores-term`, ['x', 'start'], {detached: true, stdio: 'ignore', env});
  made.push(child.pid ?? 0);
  try {
    assert.deepEqual(await endOrphans({runDir: dir, agentDirs: [bin], graceMs: 100}), {count: 1, allEnded: true});
    assert.equal(startTimeOf(ours), undefined);
    for (const pid of [theirs, child.pid ?? 0]) assert.ok(startTimeOf(pid) !== undefined);
  } finally {
    for (const pid of made.filter((each) => startTimeOf(each) !== undefined)) process.kill(-pid, 'SIGKILL');
  }
});

test("the environment is the real daemon's", () => {
  const ha = {
    node: 'n1',
    debug: 1,
    logfile: '/var/log/ha-log',
    debugfile: undefined,
    logfacility: 'none',
    parameters: {deadtime: '5', deadping: '5000ms', 'bad name': 'x'},
    env: {MINE: 'yes'},
  } as unknown as HaConfig;
  const env = scriptEnv(ha, resolvePaths({}, '/pkg'), {
    PATH: '/opt/bin',
    LC_ALL: 'de_DE',
    LANGUAGE: 'de',
    HOME: '/root',
    NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
    NODE_OPTIONS: '--no-warnings',
  });
  const expected = {
    HA_DIR: '/etc/ha.d/',
    HA_FUNCS: '/etc/ha.d//shellfuncs',
    HA_DATEFMT: '%Y/%m/%d_%T\t',
    OCF_ROOT: '/usr/lib/ocf',
    HA_CURHOST: 'n1',
    HA_LOGFILE: '/var/log/ha-log',
    HA_DEBUGLOG: '/dev/null',
    HA_LOGFACILITY: 'none',
    HA_debug: '1',
    HA_deadtime: '5',
    HA_deadping: '5000ms',
    HA_MINE: 'yes',
    HOME: '/root',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(env[name], value, name);
  assert.match(env['PATH'] ?? '', /^\/opt\/bin:.*\/usr\/sbin/);
  for (const name of ['LC_ALL', 'LANGUAGE', 'HA_bad name', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'])
    assert.equal(env[name], undefined);
});

test('while a killed script does not end, nothing of its group is run or believed', async () => {
  let isStuck = true;
  writeFileSync(join(dir, 'slow'), '#!/bin/sh\nexec sleep 100\n', {mode: 0o755});
  const slow = {...call('slow', 'start', [], 50), killDelayMs: 20};
  const agents = createScriptRunner({
    agentDirs: [dir, bin],
    env: {PATH: process.env['PATH'] ?? ''},
    log: (record) => logs.push(record),
    journal: openScriptJournal(join(dir, 'scripts')),
    isGroupAlive: () => isStuck,
  });
  assert.equal((await agents.run(1, slow)).timedOut, true);
  // A successor finds it in the journal.
  assert.equal(readdirSync(join(dir, 'scripts')).length, 1);
  const stop = await agents.run(2, call('prints-words', 'stop'));
  assert.deepEqual([stop.timedOut, stop.code, stop.output], [true, undefined, '']);
  assert.match(lines().at(-1) ?? '', /prints-words stop not run: process \d+ of this group/);
  assert.equal((await agents.run(3, {...call('prints-words', 'stop'), group: 'h'})).code, 0);
  isStuck = false;
  assert.equal((await agents.run(4, call('prints-words', 'stop'))).code, 0);
  assert.equal(readdirSync(join(dir, 'scripts')).length, 0);
});

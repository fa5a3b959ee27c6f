import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {acquirePidFile, isKilled, isRunningHeartbeat, readPidFile} from '../../src/runtime/pid-file.js';

const module = new URL('../../src/runtime/pid-file.js', import.meta.url).href;
let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-pid-'));
  path = join(dir, 'run/heartbeat.pid');
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

test('the file holds ten digits and a newline, and goes with its owner', () => {
  const lock = acquirePidFile(path);
  assert.ok(lock.ok);
  assert.equal(readFileSync(path, 'latin1'), `${String(process.pid).padStart(10)}\n`);
  assert.equal(readPidFile(path), process.pid);
  assert.equal(readdirSync(join(dir, 'run')).join(), 'heartbeat.pid');
  lock.release();
  assert.equal(readPidFile(path), undefined);
});

test('a living heartbeat keeps it, anything else is stale', () => {
  mkdirSync(join(dir, 'run'));
  writeFileSync(path, '         1\n');
  assert.deepEqual(
    acquirePidFile(path, () => true),
    {ok: false, pid: 1},
  );
  assert.equal(acquirePidFile(path, () => false).ok, true);
  for (const text of ['', 'garbage\n', '-1\n', '99999999999999\n']) {
    writeFileSync(path, text);
    assert.equal(acquirePidFile(path, () => true).ok, true, JSON.stringify(text));
  }
});

test('a successor does not lose the file to its predecessor', () => {
  const lock = acquirePidFile(path);
  writeFileSync(path, '         1\n');
  assert.ok(lock.ok);
  lock.release();
  assert.equal(readPidFile(path), 1);
});

test('a guard left behind holds nobody up for long', () => {
  mkdirSync(join(dir, 'run'));
  writeFileSync(path, '   4000000\n');
  mkdirSync(`${path}.taking`);
  assert.equal(acquirePidFile(path).ok, false);
  utimesSync(`${path}.taking`, 1000, 1000);
  assert.equal(acquirePidFile(path).ok, true);
});

test('this test is no heartbeat, and no process is none either', () => {
  assert.equal(isRunningHeartbeat(process.pid), false);
  assert.equal(isRunningHeartbeat(4_000_000), false);
});

// Method: lines of /proc/PID/status as they were of a process in state D, before and after SIGKILL.
test('a killed process that the kernel still holds runs nothing more', () => {
  const masks = (own: string, shared: string) =>
    `State:\tD (disk sleep)\nSigPnd:\t${own}\nShdPnd:\t${shared}\nSigBlk:\t0000000000000100\n`;
  const [none, term, kill] = ['0000000000000000', '0000000000004000', '0000000000000100'];
  assert.equal(isKilled(masks(none, none)), false);
  assert.equal(isKilled(masks(none, term)), false);
  assert.equal(isKilled(masks(kill, none)), true);
  assert.equal(isKilled(masks(none, '0000000000004100')), true);
  assert.equal(isKilled(readFileSync('/proc/self/status', 'latin1')), false);
});

// Goal: of many daemons that start at once, exactly one gets the file; over a stale file and over none.
// Method: processes that wait for one another at a directory, then all try, and hold on until all have tried.
for (const stale of [false, true]) {
  test(`a race of 8 processes has one winner (${stale ? 'stale file' : 'no file'})`, async () => {
    mkdirSync(join(dir, 'run'));
    mkdirSync(join(dir, 'ready'));
    if (stale) writeFileSync(path, '   4000000\n');
    const script = `
      const {acquirePidFile} = await import(${JSON.stringify(module)});
      const {writeFileSync, readdirSync, existsSync} = await import('node:fs');
      writeFileSync(${JSON.stringify(join(dir, 'ready'))} + '/' + process.pid, '');
      while (readdirSync(${JSON.stringify(join(dir, 'ready'))}).length < 8);
      const isAlive = (pid) => pid !== 4000000;
      const {ok} = acquirePidFile(${JSON.stringify(path)}, isAlive);
      process.stdout.write(ok ? 'won ' : 'lost ');
      process.stdin.resume().on('end', () => process.exit());`;
    const children = Array.from({length: 8}, () => spawn(process.execPath, ['--input-type=module', '-e', script]));
    const words = await Promise.all(
      children.map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()),
    );
    const winner = children[words.indexOf('won')];
    assert.equal(readPidFile(path), winner?.pid);
    for (const child of children) child.stdin.end();
    await Promise.all(children.map((child) => once(child, 'exit')));
    assert.deepEqual(words.filter((word) => word === 'won').length, 1, words.join(' '));
  });
}

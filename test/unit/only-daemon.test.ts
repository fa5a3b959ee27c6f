// Goal: the lock is never given beside a messaging process that lives, and always beside what it left behind.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {forgetMessaging, livingMessaging, noteMessaging} from '../../src/runtime/messaging-pid.js';
import {becomeOnlyDaemon, type OnlyDaemonFiles} from '../../src/runtime/only-daemon.js';

let dir = '';
let files: OnlyDaemonFiles;
let other: ReturnType<typeof spawn>;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-only-'));
  files = {pidFile: join(dir, 'heartbeat.pid'), messagingPidFile: join(dir, 'messaging.pid')};
  other = spawn('sleep', ['60'], {stdio: 'ignore'});
  noteMessaging(files.messagingPidFile, other.pid ?? 0);
});
afterEach(() => {
  other.kill('SIGKILL');
  rmSync(dir, {recursive: true, force: true});
});

test('beside a living messaging process nobody gets the lock, and the wait is bounded', async () => {
  assert.equal(livingMessaging(files.messagingPidFile), other.pid);
  assert.deepEqual(await becomeOnlyDaemon(files, 0), {ok: false, pid: undefined, messaging: other.pid});
  assert.equal(existsSync(files.pidFile), false);
});

test('the lock is given as soon as that process is gone, reaped or not', async () => {
  const waiting = becomeOnlyDaemon(files, 20_000);
  other.kill('SIGKILL');
  const lock = await waiting;
  assert.ok(lock.ok);
  lock.release();
});

test('the file goes with its process, and not before', async () => {
  forgetMessaging(files.messagingPidFile);
  assert.ok(existsSync(files.messagingPidFile));
  const ended = once(other, 'exit');
  other.kill('SIGKILL');
  await ended;
  forgetMessaging(files.messagingPidFile);
  assert.equal(existsSync(files.messagingPidFile), false);
});

test('a file without a living process behind it says nothing', async () => {
  const text = readFileSync(files.messagingPidFile, 'latin1');
  for (const stale of ['', 'garbage', text.trim(), text.replace(/\d\n/, '\n'), `1 ${text.split(' ')[1]}`, '0 0\n']) {
    writeFileSync(files.messagingPidFile, stale);
    assert.equal(livingMessaging(files.messagingPidFile), undefined, JSON.stringify(stale));
  }
  const lock = await becomeOnlyDaemon(files, 0);
  assert.ok(lock.ok);
});

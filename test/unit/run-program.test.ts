import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {isGroupAlive, pollUntil} from '../../src/runtime/process-group.js';
import {OUTPUT_BYTES_MAX, type ProgramCall, runProgram} from '../../src/runtime/run-program.js';

const bin = new URL('../../../fixtures/bin', import.meta.url).pathname;
let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'systole-run-'));
});
afterEach(() => rmSync(scratch, {recursive: true, force: true}));

function call(name: string, more: Partial<ProgramCall> = {}): ProgramCall {
  const env = {PATH: process.env['PATH'] ?? ''};
  return {path: `${bin}/${name}`, args: [], env, timeoutMs: 10_000, killDelayMs: 300, ...more};
}

test('an ordinary script: output, error lines, code, arguments', async () => {
  const lines: string[] = [];
  const exit = await runProgram(call('prints-words', {args: ['a b', 'start'], onErrorLine: (line) => lines.push(line)}))
    .done;
  assert.equal(exit.code, 0);
  assert.equal(exit.output, 'running: a b start\n');
  assert.deepEqual(lines, [`warning from ${bin}/prints-words`]);
  assert.equal(exit.timedOut || exit.missing, false);
  assert.equal((await runProgram(call('fails')).done).code, 7);
});

test('what cannot be executed is missing, not failed', async () => {
  for (const name of ['no-such-file', 'not-executable']) {
    const exit = await runProgram(call(name)).done;
    assert.deepEqual([exit.missing, exit.code, exit.timedOut], [true, undefined, false], name);
  }
  assert.equal((await runProgram(call('prints-words', {args: ['a\0b']})).done).missing, true);
});

test('what makes way for others does so soon after its start', async () => {
  const args = ['-c', 'until [ "$(nice)" = 7 ]; do :; done'];
  assert.equal((await runProgram(call('', {path: '/bin/sh', args, niceness: 7})).done).code, 0);
});

test('the deadline ends a script by SIGTERM', async () => {
  const exit = await runProgram(call('forever', {timeoutMs: 100, killDelayMs: 5000})).done;
  assert.equal(exit.timedOut, true);
  assert.equal(exit.signal, 'SIGTERM');
  assert.ok(exit.tookMs < 2000, `took ${exit.tookMs}`);
});

test('a script that ignores SIGTERM is killed after killDelayMs', async () => {
  const exit = await runProgram(call('ignores-term', {timeoutMs: 1000, killDelayMs: 200})).done;
  assert.deepEqual([exit.timedOut, exit.signal], [true, 'SIGKILL']);
  assert.ok(exit.tookMs >= 1199 && exit.tookMs < 5000, `took ${exit.tookMs}`);
});

test('cancel is an early deadline', async () => {
  const program = runProgram(call('forever'));
  program.cancel();
  assert.equal((await program.done).timedOut, true);
});

// Goal: after a time-out nothing of the script is left that could still change the resource.
// Method: a tree whose leader obeys SIGTERM and one of whose grandchildren does not.
test('a time-out takes the whole process group', async () => {
  const list = join(scratch, 'pids');
  const program = runProgram(call('forks-grandchildren', {args: [list], timeoutMs: 500, killDelayMs: 200}));
  const exit = await program.done;
  const pids = readFileSync(list, 'utf8').trim().split('\n').map(Number);
  assert.equal(exit.timedOut, true);
  assert.equal(pids.length, 2);
  assert.equal(isGroupAlive(program.pid ?? 0), false);
});

// Goal: a daemon that keeps stdout delays no verdict, and losing our end of its pipe does not kill it.
// Method: it writes to stdout and stderr only after we have let go, and notes in a file that it survived.
test('a daemon holding stdout delays no verdict and survives', async () => {
  const note = join(scratch, 'daemon');
  const exit = await runProgram(call('leaves-daemon', {args: [note]})).done;
  const pid = Number(readFileSync(note, 'utf8'));
  try {
    assert.deepEqual([exit.code, exit.output], [0, 'started\n']);
    assert.ok(exit.tookMs < 1500, `took ${exit.tookMs}`);
    assert.ok(await pollUntil(() => keepersOf(pid) === 2, 3000), 'both pipes are handed on');
    writeFileSync(`${note}.go`, '');
    assert.ok(await pollUntil(() => readFileSync(note, 'utf8').includes('survived'), 3000), 'the daemon died');
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});

/** How many `cat` processes read what that process writes: those whose stdin is the other end of its fd 1 or 2. */
function keepersOf(pid: number): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1').trim().split(' ');
  assert.ok(pid > 0);
  return children.filter((child) => commandOf(child) === '/bin/cat').length;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0] ?? '';
  } catch {
    return '';
  }
}

// Goal: 200 MB of output cost neither memory nor blocked scripts.
test('endless output is read and thrown away', async () => {
  const before = process.memoryUsage().rss;
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 5);
  const lines: string[] = [];
  const exit = await runProgram(call('noisy', {timeoutMs: 15_000, onErrorLine: (line) => lines.push(line)})).done;
  clearInterval(timer);
  assert.equal(exit.code, 0);
  assert.equal(exit.output.length, OUTPUT_BYTES_MAX);
  assert.ok(peak - before < 60e6, `grew by ${Math.round((peak - before) / 1e6)} MB`);
  assert.ok(lines.every((line) => line.length <= 500));
});

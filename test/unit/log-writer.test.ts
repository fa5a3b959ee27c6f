// Goal: a log line is in the file when write returns, whatever happens to the file; a full disk costs lines, not service.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {log} from '../../src/model/log.js';
import {LogFile} from '../../src/runtime/log-file.js';
import {facilityNumber} from '../../src/runtime/log-syslog.js';
import {type Log, type LogOptions, openLog} from '../../src/runtime/log-writer.js';

let directory: string;
let open: Log | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'systole-log-'));
});

afterEach(async () => {
  await open?.close();
  open = undefined;
  rmSync(directory, {recursive: true, force: true});
});

const at = (name: string) => join(directory, name);
const read = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : '');
const info = (text: string) => log('info', 'TEST', text);

function start(options: Partial<LogOptions>): Log {
  const context = () => ({node: 'n1', pid: 13, wallMs: 0, monoMs: 0, generation: 1});
  open = openLog({syslogmsgfmt: true, debug: 1, stderr: false, context, ...options});
  return open;
}

test('lines are there at once; debug lines only in the debug file and for programs', () => {
  const writer = start({logfile: at('log'), debugfile: at('debug'), jsonFile: at('json')});
  writer.write(info('one'));
  writer.write(log('debug', 'D', 'two'));
  assert.match(read('log'), /n1 heartbeat: \[13\]: info: one\n$/);
  assert.match(read('debug'), /info: one\n.*debug: two\n$/);
  assert.deepEqual(
    read('json')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).level),
    ['info', 'debug'],
  );
  writer.setDebug(0);
  writer.write(log('debug', 'D', 'three'));
  assert.doesNotMatch(read('debug'), /three/);
});

test('after rotation reopen() writes to the new file', () => {
  const writer = start({logfile: at('log')});
  writer.write(info('old'));
  renameSync(at('log'), at('log.1'));
  writer.reopen();
  writer.write(info('new'));
  assert.match(read('log.1'), /old\n$/);
  assert.match(read('log'), /new\n$/);
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;
asRoot('logfile and debugfile belong to the owner given, also after rotation; the JSON file does not', () => {
  const owner = {uid: 12345, gid: 23456};
  const writer = start({owner, logfile: at('log'), debugfile: at('debug'), jsonFile: at('json')});
  writer.write(info('one'));
  renameSync(at('log'), at('log.1'));
  writer.reopen();
  writer.write(info('two'));
  for (const name of ['log', 'log.1', 'debug']) {
    const {uid, gid} = statSync(at(name));
    assert.deepEqual({uid, gid}, owner, name);
  }
  assert.equal(statSync(at('json')).uid, 0);
});

test('a file that was renamed without a word is noticed', () => {
  let nowMs = 0;
  const file = new LogFile(at('log'), () => nowMs);
  file.writeLine('old');
  renameSync(at('log'), at('log.1'));
  nowMs = 2000;
  file.writeLine('new');
  file.close();
  assert.equal(read('log.1'), 'old\n');
  assert.equal(read('log'), 'new\n');
});

test('a file that was replaced by another one of its name is noticed', () => {
  let nowMs = 0;
  const file = new LogFile(at('log'), () => nowMs);
  file.writeLine('old');
  renameSync(at('log'), at('log.1'));
  writeFileSync(at('log'), 'fresh\n');
  nowMs = 2000;
  file.writeLine('new');
  file.close();
  assert.equal(read('log.1'), 'old\n');
  assert.equal(read('log'), 'fresh\nnew\n');
});

test('a full disk loses lines, never throws, and is reported once when there is space again', () => {
  let nowMs = 0;
  const file = new LogFile('/dev/full', () => nowMs);
  for (let each = 0; each < 1000; each += 1) file.writeLine('lost');
  assert.equal(file.takeLosses(), 0);
  file.close();
  const missing = new LogFile(at('sub/log'), () => nowMs);
  missing.writeLine('lost');
  missing.writeLine('lost');
  assert.equal(missing.takeLosses(), 0);
  execFileSync('mkdir', [at('sub')]);
  nowMs = 1000;
  missing.writeLine('kept');
  assert.equal(missing.takeLosses(), 2);
  assert.equal(missing.takeLosses(), 0);
  missing.close();
  assert.equal(read('sub/log').trim(), 'kept');
});

test('the report of lost lines is itself a line', () => {
  const writer = start({logfile: at('sub/log')});
  writer.write(info('lost'));
  execFileSync('mkdir', [at('sub')]);
  writer.reopen();
  writer.write(info('kept'));
  assert.match(read('sub/log'), /info: kept\n.*ERROR: 1 lines could not be written to .*\/sub\/log\n$/);
});

test('a pipe nobody reads holds nothing up', () => {
  execFileSync('mkfifo', [at('fifo')]);
  const writer = start({logfile: at('fifo')});
  for (let each = 0; each < 100; each += 1) writer.write(info('x'.repeat(4000)));
});

test('syslog lines carry facility and level, and all of them arrive', async () => {
  writeFileSync(at('logger'), `#!/bin/sh\nexec cat > ${at('syslog')}\n`, {mode: 0o755});
  const writer = start({facility: 'local3', loggerCommand: [at('logger')]});
  for (let each = 0; each < 1000; each += 1) writer.write(info(`line ${each}`));
  writer.write(log('CRIT', 'X', 'last'));
  await writer.close();
  const lines = read('syslog').trim().split('\n');
  assert.equal(lines.length, 1001);
  assert.equal(lines[0], `<${19 * 8 + 6}>[13]: info: line 0`);
  assert.equal(lines.at(-1), `<${19 * 8 + 2}>[13]: CRIT: last`);
});

test('a missing logger costs nothing but its lines', async () => {
  const writer = start({logfile: at('log'), facility: 'daemon', loggerCommand: ['/nonexistent']});
  for (let each = 0; each < 2000; each += 1) writer.write(info('x'.repeat(1000)));
  await writer.close();
  assert.equal(read('log').split('\n').length, 2001);
});

test('a logger that dies is started again and gets the lines that waited', async () => {
  writeFileSync(at('logger'), `#!/bin/sh\nread -r line; echo "$line" >> ${at('syslog')}; exit 1\n`, {mode: 0o755});
  const writer = start({facility: 'daemon', loggerCommand: [at('logger')]});
  const lineCount = () => read('syslog').split('\n').length - 1;
  writer.write(info('first'));
  await until(() => lineCount() === 1);
  // Whatever is written between the death and its notice is lost with the pipe; what comes later is not.
  await until(() => {
    writer.write(info('more'));
    return lineCount() >= 2;
  });
});

/** Bounded, so that a fault fails the test and does not keep the run from ending. */
async function until(condition: () => boolean): Promise<void> {
  for (let each = 0; !condition(); each += 1) {
    assert.ok(each < 2000, 'waited too long');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('facilities', () => {
  assert.deepEqual(
    ['kern', 'daemon', 'authpriv', 'local0', 'local7', 'nonsense'].map(facilityNumber),
    [0, 3, 10, 16, 23, 3],
  );
});

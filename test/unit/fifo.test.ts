import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {LogRecord} from '../../src/model/log.js';
import {fieldOf, type Message} from '../../src/model/message.js';
import {type Fifo, openFifo} from '../../src/runtime/fifo.js';

let dir = '';
let path = '';
let fifo: Fifo | undefined;
let messages: Message[] = [];
let logs: LogRecord[] = [];
let notice: () => void = () => undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-fifo-'));
  path = join(dir, 'fifo');
  messages = [];
  logs = [];
});
afterEach(() => {
  fifo?.close();
  rmSync(dir, {recursive: true, force: true});
});

function open(): void {
  const note = (list: unknown[]) => (each: unknown) => {
    list.push(each);
    notice();
  };
  fifo = openFifo({path, onMessage: note(messages), onLog: note(logs)});
}

function until(isDone: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    notice = () => isDone() && resolve();
    notice();
  });
}

function write(text: string): void {
  execFileSync('sh', ['-c', 'cat >"$0"', path], {input: text});
}

test('it is made with mode 0600 and read on after each writer has closed it', async () => {
  open();
  assert(statSync(path).isFIFO());
  assert.equal(statSync(path).mode & 0o777, 0o600);
  for (const word of ['one', 'two', 'three']) write(`>>>\nt=ask\nvalue=${word}\n<<<\n`);
  await until(() => messages.length === 3);
  assert.deepEqual(
    messages.map((each) => fieldOf(each, 'value')),
    ['one', 'two', 'three'],
  );
});

test('a block in pieces is one message; noise is logged and skipped', async () => {
  open();
  write('rubbish\n>>>\nt=a');
  write('sk\n<<<\n');
  write(`>>>\nt=bad\nlong=${'x'.repeat(600)}\n<<<\n>>>\nt=next\n<<<\n`);
  await until(() => messages.length === 2 && logs.length > 0);
  assert.deepEqual(
    messages.map((each) => fieldOf(each, 't')),
    ['ask', 'next'],
  );
  assert.match(logs[0]?.text ?? '', /NV failure/);
});

test('a regular file in its place is moved away with a warning; a FIFO of others gets its mode back', () => {
  writeFileSync(path, 'not a fifo');
  open();
  assert(statSync(path).isFIFO());
  assert.equal(logs[0]?.code, 'FIFO_REPLACED');
  assert(existsSync(`${path}.not-a-fifo`));
  fifo?.close();
  spawnSync('chmod', ['666', path]);
  open();
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

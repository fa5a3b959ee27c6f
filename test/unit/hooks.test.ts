import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {LogRecord} from '../../src/model/log.js';
import {messageOf} from '../../src/model/message.js';
import {createHooks, type HookOptions, type Hooks} from '../../src/runtime/hooks.js';

let dir = '';
let logs: LogRecord[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-hooks-'));
  mkdirSync(join(dir, 'rc.d'));
  logs = [];
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

function executable(path: string, body: string): void {
  writeFileSync(join(dir, path), `#!/bin/sh\n${body}\n`);
  chmodSync(join(dir, path), 0o755);
}

function hooks(more: Partial<HookOptions> = {}): Hooks {
  return createHooks({
    haDir: dir,
    harcDirs: [],
    env: () => ({PATH: process.env['PATH'] ?? ''}),
    log: (record) => logs.push(record),
    niceFailback: () => true,
    ownStatus: () => 'active',
    ...more,
  });
}
const seen = (): string => {
  try {
    return readFileSync(join(dir, 'seen'), 'utf8');
  } catch {
    return '';
  }
};

test('an unknown type with an rc.d file runs harc with the fields in the environment, in order', async () => {
  executable(
    'harc',
    `sleep 0.0$HA_wait; echo "$1 $HA_t $HA_src $HA_OSTATUS $HA_NICEFAILBACK $HA_seq [$HA_bin]" >>${dir}/seen`,
  );
  executable('rc.d/MyAlarm', '');
  const queue = hooks();
  for (const seq of ['1', '2', '3']) {
    const message = messageOf({
      t: 'MyAlarm',
      src: 'n2',
      seq,
      wait: String(9 - Number(seq)),
      'bad-name': 'x',
      nul: 'a\0',
    });
    queue.offer({fields: [...message.fields, {name: 'bin', type: 1, value: 'x'}]});
  }
  await queue.idle();
  const line = (seq: number) => `myalarm MyAlarm n2 active yes ${seq} []\n`;
  assert.equal(seen(), line(1) + line(2) + line(3));
});

test('built-in types, paths, and types without a file run nothing', async () => {
  executable('harc', `echo "$1" >>${dir}/seen`);
  for (const name of ['status', 'resource', 'ip-request-resp', 'plain']) executable(`rc.d/${name}`, '');
  chmodSync(join(dir, 'rc.d/plain'), 0o644);
  const queue = hooks();
  for (const t of ['status', 'resource', 'ip-request-resp', 'plain', 'other', '../harc', '', '.'])
    queue.offer(messageOf({t}));
  await queue.idle();
  assert.equal(seen(), '');
});

test('a hook that hangs is ended, a full queue drops, a missing harc is told', async () => {
  executable('rc.d/alarm', '');
  const alarm = messageOf({t: 'alarm'});
  const bare = hooks();
  bare.offer(alarm);
  await bare.idle();
  assert.match(logs.at(-1)?.text ?? '', /no harc/);
  executable('harc', `echo x >>${dir}/seen; exec sleep 100`);
  const queue = hooks({timeoutMs: 100, queueMax: 2});
  for (let count = 0; count < 4; count += 1) queue.offer(alarm);
  assert.equal(logs.at(-1)?.code, 'HOOK_DROPPED');
  await queue.idle();
  assert.equal(seen(), 'x\nx\nx\n');
  assert.match(logs.at(-1)?.text ?? '', /time-out/);
});

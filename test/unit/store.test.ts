// Goal: a generation is never reused and never lost in silence. Method: real files, among them a full and a read-only disk.

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {formatGeneration, loadUuid, nextGeneration, readGeneration, remember} from '../../src/runtime/store.js';

let dir = '';
let file = '';
const wallMs = 1_795_000_000_500;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-store-'));
  file = join(dir, 'hb_generation');
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

test('the file has exactly 16 bytes and the real mode, and each start adds one', () => {
  writeFileSync(file, formatGeneration(1_700_000_000));
  const result = nextGeneration({file, method: 'file', wallMs});
  assert.deepEqual(result, {ok: true, generation: 1_700_000_001, isPersisted: true, logs: []});
  assert.equal(readFileSync(file, 'latin1'), '     1700000001\n');
  assert.equal(statSync(file).mode & 0o777, 0o644);
});

test.each([
  ['missing', undefined],
  ['empty', ''],
  ['letters', 'abc\n'],
  ['zero', '              0\n'],
  ['huge', '99999999999\n'],
])('a %s file starts at time()+1, with the real log text', (_name, content) => {
  if (content !== undefined) writeFileSync(file, content);
  const result = nextGeneration({file, method: 'file', wallMs});
  assert(result.ok);
  assert.equal(result.generation, 1_795_000_001);
  assert.equal(result.logs[0]?.text, 'No Previous generation - starting at 1795000001');
  assert.equal(readGeneration(file), 1_795_000_001);
});

test('hbgenmethod time never goes below the file, whatever the clock says', () => {
  writeFileSync(file, formatGeneration(1_900_000_000));
  const result = nextGeneration({file, method: 'time', wallMs});
  assert(result.ok);
  assert.equal(result.generation, 1_900_000_001);
  writeFileSync(file, formatGeneration(5));
  const later = nextGeneration({file, method: 'time', wallMs});
  assert(later.ok);
  assert.equal(later.generation, 1_795_000_000);
});

test('no room for a new file: the 16 bytes are overwritten in place', () => {
  // A name that cannot be created stands for the full disk: the temporary file is a directory.
  writeFileSync(file, formatGeneration(1_700_000_000));
  mkdirSync(`${file}.tmp`);
  const result = nextGeneration({file, method: 'file', wallMs});
  assert(result.ok && result.isPersisted);
  assert.equal(readGeneration(file), 1_700_000_001);
});

test('/dev/full: the clock decides, and says so; a clock that is behind refuses the start', () => {
  symlinkSync('/dev/full', `${file}.tmp`);
  const missing = nextGeneration({file, method: 'file', wallMs});
  assert(missing.ok && !missing.isPersisted);
  assert.equal(missing.generation, 1_795_000_001);
  assert(missing.logs.some((each) => each.code === 'GENERATION_NOT_PERSISTED' && /ENOSPC/.test(each.text)));
});

const isRoot = process.getuid?.() === 0;

(isRoot ? test : test.skip)('a really full disk, and a read-only one', () => {
  const mount = join(dir, 'tiny');
  mkdirSync(mount);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', mount]);
  try {
    const tiny = join(mount, 'hb_generation');
    assert(nextGeneration({file: tiny, method: 'file', wallMs}).ok);
    try {
      writeFileSync(join(mount, 'fill'), Buffer.alloc(64 * 1024));
    } catch {
      // Full is what is wanted.
    }
    const full = nextGeneration({file: tiny, method: 'file', wallMs});
    assert(full.ok && full.isPersisted, 'in place it fits');
    assert.equal(readGeneration(tiny), 1_795_000_002);
    execFileSync('mount', ['-o', 'remount,ro', mount]);
    const refused = nextGeneration({file: tiny, method: 'file', wallMs});
    assert(!refused.ok, 'the clock is not ahead of the file');
    assert.match(refused.reason, /EROFS|read-only/);
    const later = nextGeneration({file: tiny, method: 'file', wallMs: wallMs + 7_200_000});
    assert(later.ok && !later.isPersisted);
    assert.equal(later.generation, 1_795_007_200);
    assert.notEqual(remember(tiny, 7), undefined);
    const again = nextGeneration({file: tiny, method: 'file', wallMs: wallMs + 7_200_000, atLeast: later.generation});
    assert(again.ok && again.generation > later.generation, 'two starts in one second differ');
  } finally {
    execFileSync('umount', [mount]);
  }
});

test('the uuid is kept; a damaged file is replaced with a warning', () => {
  const uuidFile = join(dir, 'hb_uuid');
  const made = loadUuid(uuidFile);
  assert.equal(Buffer.from(made.uuid, 'latin1').length, 16);
  assert.equal(readFileSync(uuidFile, 'latin1'), made.uuid);
  assert.deepEqual(loadUuid(uuidFile), {uuid: made.uuid, logs: []});
  for (const damage of [Buffer.alloc(16), Buffer.from('short'), Buffer.alloc(17, 1)]) {
    writeFileSync(uuidFile, damage);
    const again = loadUuid(uuidFile);
    assert.equal(again.logs[0]?.code, 'UUID_FILE_DAMAGED');
    assert.equal(readFileSync(uuidFile, 'latin1'), again.uuid);
  }
  chmodSync(uuidFile, 0o644);
});

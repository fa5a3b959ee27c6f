// Goal: what was saved of a disk is what lies over a copy afterwards, byte for byte and nowhere else; an unfinished, damaged or
// shortened backup is never taken for a whole one. Method: random disks and extents in files; every single fault that a
// bad disk or a full one could leave.

import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {afterEach, beforeEach, test} from '@jest/globals';
import fc from 'fast-check';
import {type Extent, joinExtents} from '../../src/drbd/dump-md.js';
import {checkBackup, checkSpace, layOver, saveExtents} from '../../src/runtime/drbd/backup.js';
import {
  BackupError,
  blocksOf,
  type Manifest,
  type PieceKind,
  readManifest,
  type SavedVolume,
  writeManifest,
} from '../../src/runtime/drbd/manifest.js';

const MIB = 1024 * 1024;
const SIZE = 3 * MIB + 512;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(`${tmpdir()}/systole-backup-`);
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

async function save(disk: Buffer, extents: readonly Extent[], kind: PieceKind): Promise<SavedVolume> {
  writeFileSync(`${dir}/disk`, disk);
  const task = {directory: dir, volume: 0, disk: `${dir}/disk`, deviceBytes: disk.length, extents, kind};
  const part = await saveExtents(task);
  return {volume: 0, deviceBytes: disk.length, blocks: blocksOf(0), parts: [part]};
}

test('laid over a copy: the saved bytes where they were, the others untouched', async () => {
  const extent = fc.record({offset: fc.nat(SIZE - 1), length: fc.integer({min: 1, max: MIB + 4096})});
  await fc.assert(
    fc.asyncProperty(fc.array(extent, {maxLength: 5}), fc.integer({min: 1, max: 255}), async (list, seed) => {
      const disk = Buffer.alloc(SIZE, Buffer.from([seed, seed ^ 0x55, 7]));
      const extents = joinExtents(list);
      rmSync(`${dir}/volume-0.blocks`, {force: true});
      const saved = await save(disk, extents, 'changed');
      writeFileSync(`${dir}/copy`, Buffer.alloc(SIZE, 0xee));
      await layOver(dir, saved, `${dir}/copy`);
      const expected = Buffer.alloc(SIZE, 0xee);
      for (const {offset, length} of extents) disk.copy(expected, offset, offset, Math.min(SIZE, offset + length));
      assert.ok(readFileSync(`${dir}/copy`).equals(expected));
    }),
    {numRuns: 20},
  );
});

test('a whole disk: zeros take no space, and are written back as zeros', async () => {
  const disk = Buffer.alloc(SIZE);
  disk.fill('data', 2 * MIB, 2 * MIB + 4096);
  const saved = await save(disk, [{offset: 0, length: SIZE}], 'whole');
  assert.equal(saved.parts[0]?.bytes, MIB);
  assert.ok(statSync(`${dir}/volume-0.blocks`).blocks * 512 < 2 * MIB);
  assert.ok(readFileSync(`${dir}/volume-0.blocks`).equals(disk));
  writeFileSync(`${dir}/copy`, Buffer.alloc(SIZE, 0xee));
  await layOver(dir, saved, `${dir}/copy`);
  assert.ok(readFileSync(`${dir}/copy`).equals(disk));
});

test('saved again after a power cut: what the first run left does not count', async () => {
  const disk = Buffer.alloc(SIZE, 'x');
  await save(disk, [{offset: 0, length: 8192}], 'changed');
  writeFileSync(`${dir}/volume-0.changed`, '0 8192 torn');
  const saved = await save(disk, [{offset: 4096, length: 4096}], 'changed');
  assert.equal(await checkBackup(dir, saved), 4096);
});

test('a disk that ends early, an index that is torn, blocks that are cut off or changed: errors', async () => {
  const disk = Buffer.alloc(SIZE, 'x');
  const saved = await save(disk, [{offset: 0, length: SIZE}], 'changed');
  truncateSync(`${dir}/disk`, MIB);
  const task = {directory: dir, volume: 1, disk: `${dir}/disk`, deviceBytes: SIZE, kind: 'changed' as const};
  await assert.rejects(saveExtents({...task, extents: [{offset: 0, length: SIZE}]}), /the disk ends at 1048576/);
  const index = readFileSync(`${dir}/volume-0.changed`, 'utf8');
  writeFileSync(`${dir}/volume-0.changed`, index.slice(0, -9));
  await assert.rejects(checkBackup(dir, saved), /is no piece/);
  writeFileSync(`${dir}/volume-0.changed`, index.split('\n').slice(0, 2).join('\n'));
  await assert.rejects(checkBackup(dir, saved), /has 2 pieces, and the manifest says 4/);
  writeFileSync(`${dir}/volume-0.changed`, index);
  const blocks = readFileSync(`${dir}/volume-0.blocks`);
  blocks[MIB + 1] = 0;
  writeFileSync(`${dir}/volume-0.blocks`, blocks);
  await assert.rejects(checkBackup(dir, saved), /is damaged at 1048576/);
  truncateSync(`${dir}/volume-0.blocks`, 100);
  await assert.rejects(checkBackup(dir, saved), /ends at/);
});

test('the whole disk, saved again: what an earlier try left where there are zeros now is gone', async () => {
  const whole = [{offset: 0, length: SIZE}];
  await save(Buffer.alloc(SIZE, 'x'), whole, 'whole');
  const disk = Buffer.alloc(SIZE);
  disk.fill('data', MIB, MIB + 4096);
  const saved = await save(disk, whole, 'whole');
  assert.equal(await checkBackup(dir, saved), SIZE);
  assert.ok(readFileSync(`${dir}/volume-0.blocks`).equals(disk));
});

test('another kind after it: only what was changed takes space, and what lies around it is kept beside it', async () => {
  const disk = Buffer.alloc(SIZE, 'x');
  await save(disk, [{offset: 0, length: SIZE}], 'whole');
  const changed = await save(disk, [{offset: 0, length: 4096}], 'changed');
  assert.ok(statSync(`${dir}/volume-0.blocks`).blocks * 512 < MIB);
  await save(disk, [{offset: MIB, length: 4096}], 'around');
  assert.equal(await checkBackup(dir, changed), 4096);
});

test('a piece that lies outside the device, or is longer than any: an error', async () => {
  const saved = await save(Buffer.alloc(8192, 'x'), [{offset: 4096, length: 4096}], 'changed');
  const index = readFileSync(`${dir}/volume-0.changed`, 'utf8');
  for (const words of ['8192 4096', '4096 8192', '4096 0', '0 4194304']) {
    writeFileSync(`${dir}/volume-0.changed`, index.replace('4096 4096', words));
    await assert.rejects(checkBackup(dir, saved), BackupError, words);
  }
});

test('files that are not there: said as a backup that is damaged', async () => {
  const saved = await save(Buffer.alloc(8192, 'x'), [{offset: 4096, length: 4096}], 'changed');
  for (const name of ['volume-0.changed', 'volume-0.blocks']) {
    rmSync(`${dir}/${name}`);
    await assert.rejects(checkBackup(dir, saved), BackupError, name);
  }
});

test('a damaged manifest: said as such, whatever is left of it', () => {
  const volume = {volume: 0, deviceBytes: 8, blocks: 'volume-0.blocks', parts: []};
  const part = {kind: 'changed', index: 'volume-0.changed', pieces: 1, bytes: 4096};
  const manifest = {format: 'systole-drbd-backup 1', resource: 'data', node: 'n1', takenMs: 1, isExact: true};
  const good = {...manifest, ours: {}, volumes: [{...volume, parts: [part]}]};
  const put = (text: string): void => writeFileSync(`${dir}/manifest.json`, text);
  put(JSON.stringify(good));
  assert.equal(readManifest(dir).volumes.length, 1);
  const damaged = [
    {...good, volumes: undefined},
    {...good, volumes: []},
    {...good, volumes: [{...volume, parts: undefined}]},
    {...good, volumes: [{...volume, parts: [{...part, kind: 'chanced'}]}]},
    {...good, volumes: [{...volume, parts: [{...part, pieces: '1'}]}]},
    {...good, volumes: [{...volume, parts: [{...part, index: '../volume-0.changed'}]}]},
    {...good, volumes: [{...volume, blocks: undefined}]},
    {...good, takenMs: 'today'},
    {...good, isExact: undefined},
  ].map((each) => JSON.stringify(each));
  for (const text of ['', JSON.stringify(good).slice(0, -9), 'null', '7', '"x"', '[]', ...damaged]) {
    put(text);
    assert.throws(() => readManifest(dir), BackupError, text);
  }
});

test('without its manifest it is no backup; an unknown format neither', () => {
  assert.throws(() => readManifest(dir), /no finished backup/);
  writeManifest(dir, {format: 'systole-drbd-backup 2'} as unknown as Manifest);
  assert.throws(() => readManifest(dir), /not a format/);
});

test('a file system that is too small is named before anything is written', () => {
  mkdirSync(`${dir}/place`);
  assert.throws(() => checkSpace(`${dir}/place`, 2 ** 60), /place has .* free, and the backup needs/);
  checkSpace(`${dir}/place`, 1024);
});

// Goal: a backup counts as made only when it can be read, was made while nobody could bring the resource up, and has every volume;
// and making it again after an interruption never costs what was saved before. Method: the two saving calls over stand-in
// tools, a file as the disk, and a hand on the files at the moment before the manifest is written.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {afterEach, beforeEach, jest, test} from '@jest/globals';
import type {Journal} from '../../src/drbd/resolve-journal.js';
import type {View} from '../../src/drbd/view.js';
import {checkBackup, layOver} from '../../src/runtime/drbd/backup.js';
import {makeDirectory} from '../../src/runtime/drbd/durable.js';
import {readManifest} from '../../src/runtime/drbd/manifest.js';
import {type SaveOptions, saveAround, saveBefore} from '../../src/runtime/drbd/resolve-save.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {FakeDrbd} from '../helpers/drbd.js';

const BLOCK = 4096;
const here = Buffer.alloc(64 * BLOCK, 'here ');
jest.setTimeout(90_000);

let drbd: FakeDrbd;
let dir: string;
let options: SaveOptions;
let said: string[];

beforeEach(() => {
  drbd = new FakeDrbd({up: 'no', meta: 'Outdated'});
  drbd.put('md', dump('0000000000000002'));
  writeFileSync(`${drbd.dir}/disk`, here);
  dir = mkdtempSync(`${tmpdir()}/systole-save-`);
  mkdirSync(`${dir}/run`);
  said = [];
  options = {
    tools: new DrbdTools(drbd.env),
    places: {runDir: `${dir}/run`, varLibDir: `${dir}/lib`},
    say: (text) => said.push(text),
    progress: () => {},
    lockS: 1,
  };
});
afterEach(() => {
  drbd.remove();
  rmSync(dir, {recursive: true, force: true});
});

function dump(word: string): string {
  const bits = [...BigInt(`0x${word}`).toString(2)].filter((bit) => bit === '1').length;
  return `version "v08";\nla-size-sect ${(64 * BLOCK) / 512};\nbm-byte-per-bit 4096;\nbm {\n   # at 0kB\n    0x${word};\n}\n# bits-set ${bits};\n`;
}

const backup = (): string => `${dir}/lib/drbd-backup/data-1`;
function journal(more: Partial<Journal> = {}, volumes = [0]): Journal {
  const ours: View = {
    node: 'n1',
    resource: 'data',
    wallMs: 1,
    isUp: true,
    role: 'Secondary',
    connection: 'StandAlone',
    volumes: volumes.map((volume) => ({
      volume,
      disk: 'UpToDate',
      peerDisk: 'Outdated',
      outOfSyncKib: 4,
      generation: undefined,
    })),
    isDiscarding: false,
  };
  const base = {resource: 'data', node: 'n1', startedMs: 1, backup: 'changed', directory: backup()} as const;
  return {...base, ours, theirs: undefined, done: ['outdated'], ...more};
}

async function sound(): Promise<number> {
  const [saved] = readManifest(backup()).volumes;
  assert.ok(saved);
  return checkBackup(backup(), saved);
}
/** At each look whether the resource is down: the last one is just before the manifest. */
const meanwhile = (script: string): void => drbd.put('on-events2', `${script}\n`);

test.each([
  ['the index is cut off', ': >BACKUP/volume-0.changed'],
  ['the index is gone', 'rm BACKUP/volume-0.changed'],
  ['the blocks are gone', 'rm BACKUP/volume-0.blocks'],
])('%s before it was finished: it is not made', async (_, script) => {
  meanwhile(`[ ! -e BACKUP/volume-0.changed ] || ${script}`.replaceAll('BACKUP', backup()));
  await assert.rejects(saveBefore(journal(), true, options), /volume-0|pieces/);
});

test('somebody holds the lock under which the resource is brought up: nothing is saved', async () => {
  const holder = spawn('flock', [`${dir}/run/drbd-data.lock`, 'sh', '-c', 'echo held; exec cat']);
  await once(holder.stdout, 'data');
  const failure = await saveBefore(journal(), true, options).catch(String);
  holder.stdin.end();
  assert.match(failure ?? '', /brings data up or changes it/);
  assert.ok(!existsSync(backup()));
  await once(holder, 'exit');
  await saveBefore(journal(), true, options);
  assert.equal(await sound(), BLOCK);
});

test('it is up already: nothing is read from its disk', async () => {
  drbd.set({disk: 'Outdated', conn: 'StandAlone'});
  await assert.rejects(saveBefore(journal(), true, options), /somebody brought data up/);
  assert.ok(!drbd.calls().some((call) => call.startsWith('apply-al')));
});

test('drbd.conf has a volume that was not seen when it was begun: it would be missing', async () => {
  drbd.put('on-sh-ll-dev', `echo ${drbd.dir}/disk; echo ${drbd.dir}/other; exit 0\n`);
  await assert.rejects(saveBefore(journal(), true, options), /2 disks, and 1 volumes were seen/);
});

test('made again: finished it is not made twice, and of other data what is half done does not pass for the finished one of before', async () => {
  await saveBefore(journal(), true, options);
  await saveBefore(journal(), true, options);
  assert.match(said.at(-1) ?? '', /finished already/);
  drbd.put('on-dump-md', 'exit 1\n');
  const other = {...journal().ours, wallMs: 2};
  await assert.rejects(saveBefore(journal({ours: other}), true, options));
  assert.throws(() => readManifest(backup()), /no finished backup/);
});

test('what lies around was saved already, and the run was interrupted: it is kept, and not called exact', async () => {
  await saveBefore(journal(), true, options);
  drbd.put('md', dump('0000000000000006'));
  await saveAround(journal(), true, options);
  assert.equal(readManifest(backup()).isExact, true);
  // Meanwhile the other node's Primary has written here.
  const disk = Buffer.alloc(64 * BLOCK, 'there ');
  writeFileSync(`${drbd.dir}/disk`, disk);
  await saveAround(journal(), true, options);
  assert.equal(readManifest(backup()).isExact, false);
  assert.equal(await sound(), 2 * BLOCK);
  writeFileSync(`${dir}/copy`, disk);
  const [saved] = readManifest(backup()).volumes;
  assert.ok(saved);
  await layOver(backup(), saved, `${dir}/copy`);
  const copy = readFileSync(`${dir}/copy`);
  assert.ok(copy.subarray(BLOCK, 3 * BLOCK).equals(here.subarray(BLOCK, 3 * BLOCK)));
});

test('what lies around cannot be saved: the backup of before is whole', async () => {
  await saveBefore(journal(), true, options);
  drbd.put('md', dump('0000000000000006'));
  meanwhile(`[ ! -e ${backup()}/volume-0.around ] || . ./gone`);
  drbd.put('gone', 'up=yes\n');
  await assert.rejects(saveAround(journal(), true, options), /somebody brought data up/);
  assert.equal(await sound(), BLOCK);
});

test('directories that are made are on the disk too, each in the one above it', () => {
  const synced: string[] = [];
  makeDirectory(`${dir}/a/b/c`, (directory) => synced.push(directory));
  assert.ok(existsSync(`${dir}/a/b/c`));
  assert.deepEqual(synced.sort(), [dir, `${dir}/a`, `${dir}/a/b`]);
  makeDirectory(`${dir}/a/b/c`, (directory) => synced.push(directory));
  assert.equal(synced.length, 3);
});

// A resource in split brain for tests of `systole drbd resolve`: stand-in tools over a real file as the disk, another one as the winner's,
// a finding as dopd keeps it. Made anew before each test of the file that imports it, and removed afterwards.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {copyFileSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {afterEach, beforeEach, jest} from '@jest/globals';
import {parseGenerations} from '../../src/drbd/generation.js';
import type {DiskState} from '../../src/drbd/state.js';
import type {View} from '../../src/drbd/view.js';
import {layOver} from '../../src/runtime/drbd/backup.js';
import {readManifest} from '../../src/runtime/drbd/manifest.js';
import {findingPath, journalPath, writeJson} from '../../src/runtime/drbd/view-here.js';
import {type Ended, type Place, place, root} from '../helpers/command.js';
import {FakeDrbd} from '../helpers/drbd.js';

export const gi = (name: string): string => readFileSync(`${root}/fixtures/drbd/8.4/${name}`, 'utf8');
export const BLOCK = 4096;
export const BLOCKS = 64;
/** Blocks that were changed here, and there; 2 on both sides. */
export const HERE = [1, 2, 40];
export const THERE = [2, 5, 6, 63];

// Some hundred programs are started here, which a busy machine does in its own time.
jest.setTimeout(180_000);

export let where: Place;
export let drbd: FakeDrbd;
export let loser: Buffer;
export let winner: Buffer;

beforeEach(() => {
  where = place();
  drbd = new FakeDrbd({conn: 'StandAlone', repl: 'Off', prole: 'Unknown', pdisk: 'Outdated'});
  const base = Buffer.concat(Array.from({length: BLOCKS}, (_, block) => Buffer.alloc(BLOCK, `base ${block} `)));
  loser = written(base, HERE, 'loser');
  winner = written(base, THERE, 'winner');
  writeFileSync(`${drbd.dir}/disk`, loser);
  writeFileSync(`${drbd.dir}/winner`, winner);
  drbd.put('gi', gi('get-gi-there').replace('FE4FFEBB16712C65', 'FE4FFEBB16712C64'));
  drbd.put('md', dump(HERE));
  drbd.put('md-union', dump([...HERE, ...THERE]));
  drbd.put('peer-there', 'SyncTarget');
  knowsOther();
});

afterEach(() => {
  drbd.remove();
  where.remove();
});

export function written(base: Buffer, blocks: readonly number[], who: string): Buffer {
  const disk = Buffer.from(base);
  for (const block of blocks) disk.fill(`${who} ${block} `, block * BLOCK, (block + 1) * BLOCK);
  return disk;
}

export function dump(blocks: readonly number[]): string {
  const word = [...new Set(blocks)].reduce((sum, block) => sum | (1n << BigInt(block)), 0n);
  const bits = new Set(blocks).size;
  const hex = word.toString(16).toUpperCase().padStart(16, '0');
  return `version "v08";\nla-size-sect ${(BLOCKS * BLOCK) / 512};\nbm-byte-per-bit 4096;\nbm {\n   # at 0kB\n    0x${hex};\n}\n# bits-set ${bits};\n`;
}

export function sideOf(node: string, generation: string, disk: DiskState = 'UpToDate'): View {
  const [known] = parseGenerations(generation);
  return {
    node,
    resource: 'data',
    wallMs: 1,
    isUp: true,
    role: 'Secondary',
    connection: 'StandAlone',
    volumes: [{volume: 0, disk, peerDisk: 'Outdated', outOfSyncKib: 12, generation: known}],
    isDiscarding: false,
  };
}

/** As dopd on this node would have kept it. */
export function knowsOther(more: Partial<View> = {}): void {
  const theirs = {...sideOf('n2', gi('get-gi-here')), ...more};
  const ours = sideOf('n1', gi('get-gi-there'));
  writeJson(finding(), {kind: 'split-brain', sinceMs: 1, seenMs: Date.now(), ours, theirs});
}

export function finding(): string {
  return findingPath({runDir: `${where.dir}/run`, varLibDir: `${where.dir}/lib`}, 'data');
}

export function systole(...words: string[]): Promise<Ended> {
  const startedMs = performance.now();
  const child = spawn(`${root}/bin/systole`, ['drbd', ...words], {
    cwd: '/',
    env: {...where.env, ...drbd.env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = {stdout: '', stderr: ''};
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      text[name] += chunk.toString();
    });
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({status, ...text, tookMs: performance.now() - startedMs}));
  });
}
export const resolve = (...words: string[]): Promise<Ended> =>
  systole('resolve', 'data', '--discard-node', 'n1', '--wait', '30', ...words);
/** At a terminal, where the question is answered by these keys. */
export function resolveAt(keys: string): Promise<Ended> {
  const startedMs = performance.now();
  const words = `${root}/bin/systole drbd resolve data --discard-node n1 --wait 30 --no-backup`;
  const child = spawn('script', ['-qefc', words, '/dev/null'], {cwd: '/', env: {...where.env, ...drbd.env}});
  let stdout = '';
  let isAsked = false;
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (!isAsked && stdout.includes('Type the name')) child.stdin.write(keys);
    isAsked ||= stdout.includes('Type the name');
  });
  return new Promise((done) => {
    child.on('close', (status) => done({status, stdout, stderr: stdout, tookMs: performance.now() - startedMs}));
  });
}

/** Calls of drbdadm that do more than to look. */
export function changes(): readonly string[] {
  const lines = [...drbd.allCalls().matchAll(/^drbdadm (.*)$/gm)].map(([, words]) => words ?? '');
  return lines.filter((line) => !/^(get-gi|sh-|role|dstate|cstate|dump$)/.test(line));
}
export const journal = (): string => journalPath({runDir: `${where.dir}/run`, varLibDir: `${where.dir}/lib`}, 'data');
export const disk = (): Buffer => readFileSync(`${drbd.dir}/disk`);

export function backupDirectory(): string {
  const parent = `${where.dir}/lib/drbd-backup`;
  const [name, ...more] = readdirSync(parent);
  assert.ok(name !== undefined && more.length === 0, `one backup, not ${[name, ...more].join(' ')}`);
  return `${parent}/${name}`;
}

/** What the loser had is what the backup gives. */
export async function laidOver(): Promise<Buffer> {
  copyFileSync(`${drbd.dir}/disk`, `${where.dir}/copy`);
  const [saved] = readManifest(backupDirectory()).volumes;
  assert.ok(saved);
  await layOver(backupDirectory(), saved, `${where.dir}/copy`);
  return readFileSync(`${where.dir}/copy`);
}

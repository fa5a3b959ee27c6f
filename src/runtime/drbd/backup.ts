// A backup of blocks of a disk: `volume-N.blocks`, a sparse file as large as the device that has each saved block at its own place;
// `volume-N.KIND`, an index with a line `OFFSET LENGTH SHA256` for each piece; and `manifest.json`, written last, so that a
// directory without it is no backup. Kinds: `changed` (what this node wrote alone), `around` (what the other node wrote, as it was here
// before), `whole` (the device; pieces of zeros have a line and take no space). Promises: what a manifest names was
// read back from the file system's point of view written and synced; a piece that was damaged later is found by its sum.

import {createHash} from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
} from 'node:fs';
import type {Extent} from '../../drbd/dump-md.js';
import type {View} from '../../drbd/view.js';
import {writeAll} from '../write-all.js';
import {writeDurably} from './durable.js';

export type PieceKind = 'changed' | 'around' | 'whole';
const PIECE_MAX = 1024 * 1024;
/** What shall stay free beside a backup: state directories share the file system with logs. */
const SPARE_BYTES = 16 * 1024 * 1024;

export interface SavedVolume {
  readonly volume: number;
  readonly deviceBytes: number;
  readonly blocks: string;
  readonly parts: readonly SavedPart[];
}

export interface SavedPart {
  readonly kind: PieceKind;
  readonly index: string;
  /** Lines of the index: one that was cut off at the end of a line is still noticed. */
  readonly pieces: number;
  readonly bytes: number;
}

export interface Manifest {
  readonly format: 'systole-drbd-backup 1';
  readonly resource: string;
  readonly node: string;
  readonly takenMs: number;
  readonly ours: View;
  readonly theirs: View | undefined;
  readonly volumes: readonly SavedVolume[];
  /** With these blocks laid over a copy of the synchronised device, it is what it was here; else only this node's changes are certain. */
  readonly isExact: boolean;
}

interface Piece extends Extent {
  readonly sum: string;
}

export class BackupError extends Error {}

/** Fails before anything is written when the file system is too small. */
export function checkSpace(directory: string, bytes: number): void {
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const {bavail, bsize} = statfsSync(directory);
  const free = bavail * bsize;
  if (free < bytes + SPARE_BYTES)
    throw new BackupError(
      `${directory} has ${mib(free)} free, and the backup needs ${mib(bytes)} (and ${mib(SPARE_BYTES)} to spare)`,
    );
}

export interface SaveTask {
  readonly directory: string;
  readonly volume: number;
  /** The disk under DRBD, which is down: its data begin at the disk's first byte. */
  readonly disk: string;
  readonly deviceBytes: number;
  readonly extents: readonly Extent[];
  readonly kind: PieceKind;
  readonly onProgress?: (doneBytes: number, allBytes: number) => void;
}

/** Begins this kind anew: what an earlier call left of it when the power stopped is forgotten. */
export async function saveExtents(task: SaveTask): Promise<SavedPart> {
  const [blocks, index] = [blocksOf(task.volume), `volume-${task.volume}.${task.kind}`];
  const source = openSync(task.disk, 'r');
  const target = openSync(
    `${task.directory}/${blocks}`,
    existsSync(`${task.directory}/${blocks}`) ? 'r+' : 'w+',
    0o600,
  );
  const list = openSync(`${task.directory}/${index}`, 'w', 0o600);
  try {
    ftruncateSync(target, task.deviceBytes);
    const copied = await copyPieces(task, {source, target, list});
    fsyncSync(target);
    fsyncSync(list);
    return {kind: task.kind, index, ...copied};
  } finally {
    for (const file of [source, target, list]) closeSync(file);
  }
}

async function copyPieces(
  {extents, kind, deviceBytes, onProgress}: SaveTask,
  files: {readonly source: number; readonly target: number; readonly list: number},
): Promise<{readonly pieces: number; readonly bytes: number}> {
  const buffer = Buffer.allocUnsafe(PIECE_MAX);
  const allBytes = extents.reduce((sum, {length}) => sum + length, 0);
  let doneBytes = 0;
  let bytes = 0;
  let pieces = 0;
  for (const {offset, length} of piecesOf(extents, deviceBytes)) {
    const piece = buffer.subarray(0, length);
    readAll(files.source, piece, offset);
    const isEmpty = kind === 'whole' && isZero(piece);
    if (!isEmpty) {
      writeAll(files.target, piece, offset);
      bytes += length;
    }
    writeAll(files.list, `${offset} ${length} ${isEmpty ? 'zero' : sumOf(piece)}\n`);
    pieces += 1;
    doneBytes += length;
    onProgress?.(doneBytes, allBytes);
    // Signals are heard between two pieces.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {pieces, bytes};
}

function* piecesOf(extents: readonly Extent[], deviceBytes: number): Generator<Extent> {
  for (const {offset, length} of extents) {
    const end = Math.min(offset + length, deviceBytes);
    for (let at = offset; at < end; at += PIECE_MAX) yield {offset: at, length: Math.min(PIECE_MAX, end - at)};
  }
}

export function writeManifest(directory: string, manifest: Manifest): void {
  writeDurably(`${directory}/manifest.json`, manifest);
}

export function readManifest(directory: string): Manifest {
  let text: string;
  try {
    text = readFileSync(`${directory}/manifest.json`, 'utf8');
  } catch (error) {
    throw new BackupError(`${directory} is no finished backup: ${(error as Error).message}`);
  }
  const manifest = JSON.parse(text) as Manifest;
  if (manifest.format !== 'systole-drbd-backup 1')
    throw new BackupError(`${directory}: ${String(manifest.format)} is not a format that is known here`);
  return manifest;
}

export function readIndex(directory: string, {index, pieces}: SavedPart): readonly Piece[] {
  const lines = readFileSync(`${directory}/${index}`, 'latin1').trimEnd().split('\n');
  const found = lines.flatMap((line, number) => {
    const words = /^(\d+) (\d+) ([\da-f]{64}|zero)$/.exec(line);
    if (!words && line !== '') throw new BackupError(`${directory}/${index}:${number + 1}: ${line} is no piece`);
    return words ? [{offset: Number(words[1]), length: Number(words[2]), sum: words[3] as string}] : [];
  });
  if (found.length !== pieces)
    throw new BackupError(`${directory}/${index} has ${found.length} pieces, and the manifest says ${pieces}`);
  return found;
}

/** Reads every piece and compares its sum; returns how many bytes were sound, or fails. */
export function checkBackup(directory: string, saved: SavedVolume): Promise<number> {
  return eachPiece(directory, saved, () => {});
}

/** Every piece, checked against its sum, is written over the target. */
export async function layOver(directory: string, saved: SavedVolume, target: string): Promise<number> {
  const file = openSync(target, 'r+');
  try {
    const bytes = await eachPiece(directory, saved, (piece, offset) => writeAll(file, piece, offset));
    fsyncSync(file);
    return bytes;
  } finally {
    closeSync(file);
  }
}

async function eachPiece(
  directory: string,
  {blocks: name, parts}: SavedVolume,
  use: (piece: Buffer, offset: number) => void,
): Promise<number> {
  const blocks = openSync(`${directory}/${name}`, 'r');
  const buffer = Buffer.allocUnsafe(PIECE_MAX);
  let bytes = 0;
  try {
    for (const {offset, length, sum} of parts.flatMap((part) => readIndex(directory, part))) {
      const piece = buffer.subarray(0, length);
      readAll(blocks, piece, offset);
      const isSound = sum === 'zero' ? isZero(piece) : sumOf(piece) === sum;
      if (!isSound)
        throw new BackupError(`${directory}/${name} is damaged at ${offset} (${length} bytes): its sum differs`);
      use(piece, offset);
      bytes += length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return bytes;
  } finally {
    closeSync(blocks);
  }
}

export function blocksOf(volume: number): string {
  return `volume-${volume}.blocks`;
}

function sumOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const ZEROS = Buffer.alloc(PIECE_MAX);
function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

function readAll(file: number, into: Buffer, offset: number): void {
  let done = 0;
  while (done < into.length) {
    const read = readSync(file, into, done, into.length - done, offset + done);
    if (read === 0)
      throw new BackupError(`the disk ends at ${offset + done}, before the ${into.length} bytes at ${offset} do`);
    done += read;
  }
}

export function mib(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

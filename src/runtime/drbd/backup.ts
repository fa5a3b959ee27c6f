// The blocks of a backup: copied from a disk into `volume-N.blocks` with their index beside it, checked, and laid over a copy of the
// device. What the files are is in manifest.ts. Promises: what has been saved is synced when the call is over; a piece that
// was damaged later is found by its sum; nothing of an earlier try lies between what was saved.

import {createHash} from 'node:crypto';
import {closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readSync, statfsSync} from 'node:fs';
import type {Extent} from '../../drbd/dump-md.js';
import {writeAll} from '../write-all.js';
import {makeDirectory, syncDirectory} from './durable.js';
import {
  BackupError,
  blocksOf,
  indexOf,
  PIECE_MAX,
  type PieceKind,
  readIndex,
  type SavedPart,
  type SavedVolume,
} from './manifest.js';

/** What shall stay free beside a backup: state directories share the file system with logs. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** Fails before anything is written when the file system is too small. */
export function checkSpace(directory: string, bytes: number): void {
  makeDirectory(directory, syncDirectory, 0o700);
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
  const [blocks, index] = [blocksOf(task.volume), indexOf(task.volume, task.kind)];
  const source = openSync(task.disk, 'r');
  const target = openSync(
    `${task.directory}/${blocks}`,
    existsSync(`${task.directory}/${blocks}`) ? 'r+' : 'w+',
    0o600,
  );
  const list = openSync(`${task.directory}/${index}`, 'w', 0o600);
  try {
    // `around` is added to what is there; each other kind is the first, and what it passes over must read as zeros.
    if (task.kind !== 'around') ftruncateSync(target, 0);
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
  saved: SavedVolume,
  use: (piece: Buffer, offset: number) => void,
): Promise<number> {
  const name = saved.blocks;
  const pieces = saved.parts.flatMap((part) => readIndex(directory, saved, part));
  const blocks = openBlocks(`${directory}/${name}`);
  const buffer = Buffer.allocUnsafe(PIECE_MAX);
  let bytes = 0;
  try {
    for (const {offset, length, sum} of pieces) {
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

function openBlocks(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new BackupError(`a part of the backup cannot be read: ${(error as Error).message}`);
  }
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

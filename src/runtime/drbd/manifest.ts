// What a backup of `systole drbd resolve` consists of: `volume-N.blocks`, a sparse file as large as the device that has each saved
// block at its own place; `volume-N.KIND`, an index with a line `OFFSET LENGTH SHA256` for each piece; and `manifest.json`,
// written last, so that a directory without it is no backup. Kinds: `changed` (what this node wrote alone), `around` (what the other
// node wrote, as it was here before), `whole` (the device; pieces of zeros have a line and take no space). Promises: whatever
// has become of these files, what is read here has the form that the types say, or a BackupError tells what is wrong.

import {existsSync, readFileSync, rmSync, statSync} from 'node:fs';
import type {Extent} from '../../drbd/dump-md.js';
import type {View} from '../../drbd/view.js';
import {syncDirectory, writeDurably} from './durable.js';

export const PIECE_MAX = 1024 * 1024;
const KINDS = ['changed', 'around', 'whole'] as const;
export type PieceKind = (typeof KINDS)[number];
export const FORMAT = 'systole-drbd-backup 1';

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
  readonly format: typeof FORMAT;
  readonly resource: string;
  readonly node: string;
  readonly takenMs: number;
  readonly ours: View;
  readonly theirs: View | undefined;
  readonly volumes: readonly SavedVolume[];
  /** With these blocks laid over a copy of the synchronised device, it is what it was here; else only this node's changes are certain. */
  readonly isExact: boolean;
  /** It was saved when the disk was a target already: what the other node had overwritten by then is not in it. */
  readonly isPartial?: boolean;
}

export interface Piece extends Extent {
  readonly sum: string;
}

export class BackupError extends Error {}

export function writeManifest(directory: string, manifest: Manifest): void {
  writeDurably(pathIn(directory), manifest);
}

/** What the backup may lack, for people; nothing where it lacks nothing. */
export function doubtsOf({isExact, isPartial}: Manifest): readonly string[] {
  const partial =
    "The other node could write here before it was saved: what it had overwritten by then is lost, and is the other node's in this backup or not in it.";
  const around =
    'What only the other node changed was not saved, or not for certain as it was here, so the result may be a mixture.';
  return [...(isPartial ? [partial] : []), ...(isExact ? [] : [around])];
}

/** From here on it is no backup any more. */
export function dropManifest(directory: string): void {
  if (!existsSync(pathIn(directory))) return;
  rmSync(pathIn(directory));
  syncDirectory(directory);
}

export function readManifest(directory: string): Manifest {
  let text: string;
  try {
    text = readFileSync(pathIn(directory), 'utf8');
  } catch (error) {
    throw new BackupError(`${directory} is no finished backup: ${(error as Error).message}`);
  }
  const found = parse(text);
  const format = found?.['format'];
  if (format !== undefined && format !== FORMAT)
    throw new BackupError(`${directory}: ${String(format)} is not a format that is known here`);
  if (found === undefined || !isManifest(found))
    throw new BackupError(`${pathIn(directory)} is damaged: what the backup holds cannot be read from it`);
  return found;
}

type Fields = Readonly<Record<string, unknown>>;

function parse(text: string): Fields | undefined {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** Of both nodes' views nothing is used but to be shown. */
function isManifest(found: Fields): found is Fields & Manifest {
  const {format, resource, node, takenMs, volumes, isExact} = found;
  const isNamed = typeof resource === 'string' && typeof node === 'string';
  if (format !== FORMAT || !isNamed || !isCount(takenMs) || typeof isExact !== 'boolean') return false;
  return Array.isArray(volumes) && volumes.length > 0 && volumes.every(isVolume);
}

function isVolume(value: unknown): boolean {
  const {volume, deviceBytes, blocks, parts} = fieldsOf(value);
  if (!isCount(volume) || !isCount(deviceBytes) || blocks !== blocksOf(volume) || !Array.isArray(parts)) return false;
  return parts.map(fieldsOf).every(({kind, index, pieces, bytes}) => {
    const isKnown = KINDS.some((each) => each === kind);
    return isKnown && index === indexOf(volume, kind as PieceKind) && isCount(pieces) && isCount(bytes);
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Its pieces lie within the device, and are as many as the manifest says. */
export function readIndex(
  directory: string,
  {deviceBytes}: Pick<SavedVolume, 'deviceBytes'>,
  {index, pieces}: SavedPart,
): readonly Piece[] {
  const found = linesOf(`${directory}/${index}`).flatMap((line, number) => {
    if (line === '') return [];
    const words = /^(\d+) (\d+) ([\da-f]{64}|zero)$/.exec(line);
    const [offset, length] = [Number(words?.[1]), Number(words?.[2])];
    if (!words || length < 1 || length > PIECE_MAX || offset + length > deviceBytes)
      throw new BackupError(`${directory}/${index}:${number + 1}: ${line} is no piece`);
    return [{offset, length, sum: words[3] as string}];
  });
  if (found.length !== pieces)
    throw new BackupError(`${directory}/${index} has ${found.length} pieces, and the manifest says ${pieces}`);
  return found;
}

/** After it was written, and before anybody relies on it: everything that a restore opens is there, and can be read. */
export function mustBeReadable(directory: string, written: readonly SavedVolume[]): void {
  const {volumes} = readManifest(directory);
  if (JSON.stringify(volumes) !== JSON.stringify(written))
    throw new BackupError(`${pathIn(directory)} is not what was written`);
  for (const saved of volumes) {
    for (const part of saved.parts) readIndex(directory, saved, part);
    const bytes = statSync(`${directory}/${saved.blocks}`, {throwIfNoEntry: false})?.size;
    if (bytes !== saved.deviceBytes)
      throw new BackupError(`${directory}/${saved.blocks} has ${bytes ?? 'no'} bytes, and not ${saved.deviceBytes}`);
  }
}

/** undefined: everything that a restore opens is there. */
export function whyUnusable(directory: string): string | undefined {
  try {
    mustBeReadable(directory, readManifest(directory).volumes);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').trimEnd().split('\n');
  } catch (error) {
    throw new BackupError(`a part of the backup cannot be read: ${(error as Error).message}`);
  }
}

function pathIn(directory: string): string {
  return `${directory}/manifest.json`;
}

export function blocksOf(volume: number): string {
  return `volume-${volume}.blocks`;
}

export function indexOf(volume: number, kind: PieceKind): string {
  return `volume-${volume}.${kind}`;
}

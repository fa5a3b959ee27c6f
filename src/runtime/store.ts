// What a node must remember over restarts: its heartbeat generation and its UUID (wire-protocol.md 3.2), in Heartbeat's own
// files and formats. It runs before the first packet, in the manager. It promises that the generation it returns is
// higher than any that can be read from disk, and that it is on disk, or else that it says so and is higher by the clock.
//
// A full or read-only disk. Peers drop every packet of a generation they have seen, so an unpersisted one can silence
// the *next* start. First a new file is tried and renamed (a crash leaves the old or the new text, never half). When there
// is no room for it, the 16 bytes are overwritten in place, which needs no free block on most file systems. When that
// fails as well, the node starts only if the clock is clearly ahead of the counter (generations begin at time()+1 and
// grow by one a start, so it nearly always is): the clock's second is then used, unpersisted, and `remember` is to be tried
// again while running. If the clock is not ahead the start is refused: a node that peers ignore must not think it runs.

import {randomBytes} from 'node:crypto';
import {closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync} from 'node:fs';
import {dirname} from 'node:path';
import {type LogRecord, log} from '../model/log.js';

export interface GenerationOptions {
  readonly file: string;
  /** hbgenmethod. */
  readonly method: 'file' | 'time';
  readonly wallMs: number;
  /** A generation of this boot that could not be persisted then; kept by the caller, e.g. in the run directory. */
  readonly atLeast?: number;
}

export type GenerationResult =
  | {readonly ok: true; readonly generation: number; readonly isPersisted: boolean; readonly logs: readonly LogRecord[]}
  | {readonly ok: false; readonly reason: string; readonly logs: readonly LogRecord[]};

const generationMax = 0xffffffff;
/** The clock must lead the counter by more than a restart loop could have used up since the last persisted start. */
const clockLeadMin = 3600;

/** Reads the old generation, takes a higher one and persists it. Blocks; call it before anything is timed. */
export function nextGeneration(options: GenerationOptions): GenerationResult {
  const logs: LogRecord[] = [];
  const clock = Math.floor(options.wallMs / 1000);
  const old = readGeneration(options.file);
  const floor = Math.max(old ?? 0, options.atLeast ?? 0) + 1;
  let generation = floor;
  if (old === undefined) {
    generation = Math.max(floor, clock + 1);
    logs.push(log('info', 'NO_PREVIOUS_GENERATION', `No Previous generation - starting at ${generation}`));
  } else if (options.method === 'time') generation = Math.max(floor, clock);
  if (generation > generationMax)
    return {ok: false, reason: `generation ${generation} does not fit in 32 bits; see ${options.file}`, logs};
  const problem = remember(options.file, generation);
  if (problem === undefined) return {ok: true, generation, isPersisted: true, logs};
  if (old !== undefined && clock < old + clockLeadMin) {
    const reason = `cannot write ${options.file}: ${problem}, and the clock is not ahead of generation ${old}`;
    return {ok: false, reason, logs};
  }
  const byClock = Math.max(generation, clock);
  const text = `Cannot write heartbeat generation to ${options.file}: ${problem}; using ${byClock} by the clock`;
  logs.push(log('ERROR', 'GENERATION_NOT_PERSISTED', text, {generation: byClock}));
  return {ok: true, generation: byClock, isPersisted: false, logs};
}

/** Exactly 16 bytes: decimal, right-aligned in 15 columns, newline. */
export function formatGeneration(generation: number): string {
  return `${String(generation).padStart(15)}\n`;
}

/** undefined: absent, unreadable, or not a positive decimal number. */
export function readGeneration(file: string): number | undefined {
  try {
    const found = /^\s*([0-9]{1,10})\s*$/.exec(readBounded(file).toString('latin1'));
    const value = found ? Number(found[1]) : 0;
    return value > 0 && value <= generationMax ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Persists a generation that `nextGeneration` chose. Returns what went wrong, undefined when it is on disk. */
export function remember(file: string, generation: number): string | undefined {
  const bytes = Buffer.from(formatGeneration(generation), 'latin1');
  return persist(file, bytes);
}

export interface UuidResult {
  /** 16 bytes as latin1 text. */
  readonly uuid: string;
  readonly logs: readonly LogRecord[];
}

/** The node's UUID; made and stored when the file is absent or not 16 bytes. A UUID may change, so a full disk is no obstacle. */
export function loadUuid(file: string): UuidResult {
  const logs: LogRecord[] = [];
  let isDamaged = false;
  try {
    const bytes = readBounded(file);
    if (bytes.length === 16 && bytes.some((each) => each !== 0)) return {uuid: bytes.toString('latin1'), logs};
    isDamaged = true;
  } catch (error) {
    isDamaged = codeOf(error) !== 'ENOENT';
  }
  if (isDamaged)
    logs.push(log('WARN', 'UUID_FILE_DAMAGED', `${file} does not hold a UUID of 16 bytes: making a new one`));
  else logs.push(log('info', 'UUID_MADE', 'No uuid file found - generating an uuid'));
  const bytes = randomBytes(16);
  const problem = persist(file, bytes);
  if (problem !== undefined)
    logs.push(
      log('WARN', 'UUID_NOT_PERSISTED', `Cannot write ${file}: ${problem}; peers will see another uuid next time`),
    );
  return {uuid: bytes.toString('latin1'), logs};
}

/** These files have 16 bytes; a huge one put in their place must not be read whole. */
function readBounded(file: string): Buffer {
  if (statSync(file).size > 4096) return Buffer.alloc(0);
  return readFileSync(file);
}

function persist(file: string, bytes: Buffer): string | undefined {
  try {
    replaceFile(file, bytes);
    return undefined;
  } catch (error) {
    return overwrite(file, bytes) ? undefined : String(error instanceof Error ? error.message : error);
  }
}

function replaceFile(file: string, bytes: Buffer): void {
  const temporary = `${file}.tmp`;
  try {
    writeWhole(temporary, 'w', bytes);
    renameSync(temporary, file);
  } catch (error) {
    tryUnlink(temporary);
    throw error;
  }
  // The rename itself is durable only when the directory is.
  const directory = openSync(dirname(file), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Only over a regular file of the same length, so that no other block is needed and a crash leaves old or new bytes. */
function overwrite(file: string, bytes: Buffer): boolean {
  try {
    const found = statSync(file);
    if (!found.isFile() || found.size !== bytes.length) return false;
    writeWhole(file, 'r+', bytes);
    return readFileSync(file).equals(bytes);
  } catch {
    return false;
  }
}

function writeWhole(path: string, flags: 'w' | 'r+', bytes: Buffer): void {
  const descriptor = openSync(path, flags, 0o644);
  try {
    const written = writeSync(descriptor, bytes, 0, bytes.length, 0);
    if (written !== bytes.length) throw new Error(`short write to ${path}`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function tryUnlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Absent, or as unwritable as the rest; the caller reports the first error.
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

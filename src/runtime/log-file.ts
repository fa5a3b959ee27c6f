// One log file: an append descriptor and synchronous writes. Notices that the file was renamed or removed, and opens it
// again by name. A failed write is counted, never thrown; the count can be taken once a write succeeded again.

import {closeSync, constants, fchownSync, fstatSync, openSync, statSync, writeSync} from 'node:fs';

/** How often the name is compared with the open file; rotation is announced by SIGHUP, this is for when it is not. */
const LOOK_EVERY_MS = 1000;
/** After a failure the disk is left alone for this long: a full disk must not cost a system call per line. */
const REST_MS = 200;
/** O_NONBLOCK: should someone have put a pipe here, neither open nor write may wait for its reader. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export class LogFile {
  private descriptor: number | undefined;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private restUntilMs = Number.NEGATIVE_INFINITY;
  private lost = 0;
  private isWell = true;

  /** The clock is monotonic; tests put their own in. */
  constructor(
    readonly path: string,
    private readonly now: () => number = () => performance.now(),
    /** Who may append to it besides us. */
    private readonly owner?: Owner,
  ) {
    this.open();
  }

  writeLine(line: string): void {
    const nowMs = this.now();
    if (nowMs < this.restUntilMs) {
      this.lost += 1;
      return;
    }
    if (nowMs - this.lookedAtMs >= LOOK_EVERY_MS) this.followName(nowMs);
    if (this.descriptor === undefined) this.open();
    // After a failure half a line may stand in the file: the next one starts on a line of its own.
    const start = this.isWell ? '' : '\n';
    const bytes = Buffer.from(`${start}${line}\n`, 'utf8');
    this.isWell = this.descriptor !== undefined && writeWhole(this.descriptor, bytes);
    if (this.isWell) return;
    this.lost += 1;
    this.restUntilMs = nowMs + REST_MS;
  }

  /** Lines lost since last asked; 0 while they are still being lost. */
  takeLosses(): number {
    if (!this.isWell || this.lost === 0 || this.now() < this.restUntilMs) return 0;
    const lost = this.lost;
    this.lost = 0;
    return lost;
  }

  reopen(): void {
    this.close();
    this.restUntilMs = Number.NEGATIVE_INFINITY;
    this.open();
  }

  close(): void {
    const descriptor = this.descriptor;
    this.descriptor = undefined;
    if (descriptor === undefined) return;
    try {
      closeSync(descriptor);
    } catch {
      // A delayed write error of the file system; the lines are gone either way.
    }
  }

  private open(): void {
    try {
      this.descriptor = openSync(this.path, FLAGS, 0o644);
      if (this.owner !== undefined) giveTo(this.descriptor, this.owner);
    } catch {
      this.descriptor = undefined;
    }
    this.lookedAtMs = this.now();
  }

  private followName(nowMs: number): void {
    this.lookedAtMs = nowMs;
    if (this.descriptor === undefined) return;
    try {
      const [named, opened] = [statSync(this.path), fstatSync(this.descriptor)];
      if (named.ino === opened.ino && named.dev === opened.dev) return;
    } catch {
      // The name is gone: a new file takes its place.
    }
    this.close();
  }
}

/** A device or a pipe belongs to whoever made it. */
function giveTo(descriptor: number, {uid, gid}: Owner): void {
  try {
    const found = fstatSync(descriptor);
    if (found.isFile() && (found.uid !== uid || found.gid !== gid)) fchownSync(descriptor, uid, gid);
  } catch {
    // Not root, or a file system without owners: then only root's clients can log.
  }
}

/** False when not all of it was written. Half a line stays: scripts append to the same file, so it cannot be cut off again. */
function writeWhole(descriptor: number, bytes: Buffer): boolean {
  let done = 0;
  try {
    while (done < bytes.length) {
      const written = writeSync(descriptor, bytes, done);
      if (written === 0) break;
      done += written;
    }
  } catch {
    // Full, gone, or a pipe nobody reads: counted by the caller.
  }
  return done === bytes.length;
}

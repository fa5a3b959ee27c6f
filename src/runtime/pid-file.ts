// The pid file, which is also the lock against a second daemon: ten right-aligned digits and a newline, as other tools
// read it. It appears complete or not at all. Promises: of any number of daemons that start at the same instant, over a stale
// file or none, at most one gets it.

import {closeSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, rmdirSync, rmSync, statSync} from 'node:fs';
import {basename, dirname} from 'node:path';
import {writeAll} from './write-all.js';

export type PidLock = {readonly ok: true; release(): void} | {readonly ok: false; readonly pid: number | undefined};

const TAKING_MS_MAX = 5000;
const SIGKILL_BIT = 1n << 8n;

export function acquirePidFile(path: string, isHeartbeat: (pid: number) => boolean = isRunningHeartbeat): PidLock {
  mkdirSync(dirname(path), {recursive: true, mode: 0o755});
  const draft = writeDraft(path);
  try {
    // link() fails when the name exists: the one atomic test-and-set that a file system offers for a whole file.
    if (attempt(() => linkSync(draft, path), 'EEXIST')) return held(path);
    const owner = readPidFile(path);
    if (owner !== undefined && owner !== process.pid && isHeartbeat(owner)) return {ok: false, pid: owner};
    return replaceStale(path, draft, isHeartbeat);
  } finally {
    rmSync(draft, {force: true});
  }
}

/** The pid in the file; undefined: no file, or nothing that is a pid. */
export function readPidFile(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'latin1').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A living process that is a Heartbeat daemon, ours or the original; a reused pid of something else is not, nor one that was
 * killed and is stuck in the kernel: it runs no code of its own any more, however long it stays.
 */
export function isRunningHeartbeat(pid: number): boolean {
  try {
    // Empty for a zombie: a daemon that died and was not reaped holds nothing.
    const [command = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    const isHeartbeat =
      basename(command).startsWith('heartbeat') || /^(heartbeat|manager-process\.c?js)$/.test(basename(script));
    return isHeartbeat && !isKilled(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** By /proc/PID/status: SIGKILL waits for it, which nothing can take back. */
export function isKilled(status: string): boolean {
  const masks = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]{1,16})$/gm)];
  return masks.some(([, mask]) => (BigInt(`0x${mask}`) & SIGKILL_BIT) !== 0n);
}

function writeDraft(path: string): string {
  const draft = `${path}.${process.pid}`;
  rmSync(draft, {force: true});
  const file = openSync(draft, 'wx', 0o644);
  try {
    writeAll(file, `${String(process.pid).padStart(10)}\n`);
  } finally {
    closeSync(file);
  }
  return draft;
}

/**
 * Only the holder of the directory may replace a file that exists, and looks again once it holds it. So nobody can
 * remove a lock that another starter has just taken.
 */
function replaceStale(path: string, draft: string, isHeartbeat: (pid: number) => boolean): PidLock {
  const guard = `${path}.taking`;
  if (!takeGuard(guard)) return {ok: false, pid: readPidFile(path)};
  try {
    const owner = readPidFile(path);
    if (owner !== undefined && owner !== process.pid && isHeartbeat(owner)) return {ok: false, pid: owner};
    renameSync(draft, path);
    return held(path);
  } finally {
    rmdirSync(guard);
  }
}

function takeGuard(guard: string): boolean {
  if (attempt(() => mkdirSync(guard), 'EEXIST')) return true;
  // Left behind by a starter that was killed between two lines; the next start will find it gone.
  const ageMs = Date.now() - (statSync(guard, {throwIfNoEntry: false})?.mtimeMs ?? 0);
  if (ageMs < TAKING_MS_MAX) return false;
  attempt(() => rmdirSync(guard), 'ENOENT');
  return attempt(() => mkdirSync(guard), 'EEXIST');
}

function held(path: string): PidLock {
  return {
    ok: true,
    release: () => {
      if (readPidFile(path) === process.pid) rmSync(path, {force: true});
    },
  };
}

/** False: it failed with exactly that code. */
function attempt(action: () => void, code: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false;
    throw error;
  }
}

// Which messaging process runs on this node: `PID STARTTIME` in a file of the run directory, written by the manager that started
// it. A messaging process outlives its manager: it starts another one, or releases the resources itself. Meanwhile the
// pid file names nobody who lives, and heartbeat is not stopped. A file that was left behind says nothing: the start time
// is looked at.

import {readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {identityOf} from './messaging-boot.js';

/** Throws when the file cannot be written. */
export function noteMessaging(path: string, pid: number): void {
  const self = identityOf(pid);
  if (self === undefined) return;
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${self.pid} ${self.startTime}\n`, {mode: 0o644});
  renameSync(draft, path);
}

/** Once it is gone; one that still leaves is found by its file. */
export function forgetMessaging(path: string): void {
  if (livingMessaging(path) === undefined) rmSync(path, {force: true});
}

/** undefined: none that runs any code. */
export function livingMessaging(path: string): number | undefined {
  const [, pid, startTime] = /^([1-9]\d{0,9}) (\d{1,20})\n$/.exec(read(path)) ?? [];
  if (pid === undefined || identityOf(Number(pid))?.startTime !== startTime) return undefined;
  // Empty for a zombie, which only waits for its parent to look.
  return read(`/proc/${pid}/cmdline`) === '' ? undefined : Number(pid);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

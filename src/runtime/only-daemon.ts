// The one heartbeat of a node: the pid file, and no messaging process of an earlier manager. Such a process replaces a manager
// that died within seconds, or releases all resources when none can be kept alive; a second daemon beside it would own what
// the first is about to stop. Promises: at most one starter gets the lock; it is given to nobody who would stand beside a
// living messaging process; the wait for it is bounded.

import {START_LEASE_MS} from '../messaging/lease.js';
import {monotonicMs} from './clock.js';
import {livingMessaging} from './messaging-pid.js';
import {acquirePidFile, isRunningHeartbeat, type PidLock, readPidFile} from './pid-file.js';

const WAIT_MS = 30_000;
const POLL_MS = 50;
/**
 * Counted from the start of a successor. Messaging waits 2 s for the end of the lost manager, and gives its successor START_LEASE_MS
 * from the loss on to say hello.
 */
export const SUCCEED_MS = START_LEASE_MS - 4000;

export interface OnlyDaemonFiles {
  readonly pidFile: string;
  readonly messagingPidFile: string;
}

/** Without the lock, `pid` is the daemon that runs; `messaging` one that still runs without a manager. */
export type OnlyDaemon = PidLock & {readonly messaging?: number};

export async function becomeOnlyDaemon(files: OnlyDaemonFiles, waitMs = WAIT_MS): Promise<OnlyDaemon> {
  const untilMs = monotonicMs() + waitMs;
  for (;;) {
    const before = livingMessaging(files.messagingPidFile);
    const owner = readPidFile(files.pidFile);
    if (before === undefined || (owner !== undefined && isRunningHeartbeat(owner))) {
      const lock = acquirePidFile(files.pidFile);
      // Its manager may have died between the two looks.
      if (!lock.ok || livingMessaging(files.messagingPidFile) === undefined) return lock;
      lock.release();
    }
    if (monotonicMs() >= untilMs)
      return {ok: false, pid: undefined, ...(before === undefined ? {} : {messaging: before})};
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** For a manager that messaging started: its predecessor was killed, but the kernel may take its time to let go of it. */
export async function succeedManager(pidFile: string, waitMs: number): Promise<PidLock> {
  const untilMs = monotonicMs() + waitMs;
  for (;;) {
    const lock = acquirePidFile(pidFile);
    if (lock.ok || monotonicMs() >= untilMs) return lock;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

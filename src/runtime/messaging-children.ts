// The two programs that the messaging process ever starts, both only when the manager is lost: another manager, and the
// emergency stop. Starting a program stops our loop until it has exec'd; with demoted children of a real-time process
// whose threads are all real-time that was 5 ms (dependencies.md section 4). They get normal priority and their own session.

import {type ChildProcess, spawn} from 'node:child_process';
import type {Duplex} from 'node:stream';
import {monotonicMs} from './clock.js';
import {identityOf, killProcess, type ProcessIdentity} from './messaging-boot.js';

export const emergencyTimeoutMs = 10 * 60_000;

/** undefined: it could not be started; the reason is in the log line that `onError` gets. */
export function spawnManager(
  command: readonly string[],
  isRealtime: boolean,
  onError: (error: Error) => void,
): {readonly socket: Duplex; readonly identity: ProcessIdentity} | undefined {
  const [file, ...args] = withNormalPriority(command, isRealtime);
  if (file === undefined) {
    onError(new Error('no command to start a manager with'));
    return undefined;
  }
  const child = spawn(file, args, {detached: true, stdio: ['ignore', 'ignore', 'inherit', 'pipe'], cwd: '/'});
  child.on('error', onError);
  child.unref();
  const identity = child.pid === undefined ? undefined : identityOf(child.pid);
  if (identity === undefined) return undefined;
  return {socket: child.stdio[3] as Duplex, identity};
}

/** Runs the emergency command; its process group is killed when it takes longer than it may. */
export function runEmergency(
  command: readonly string[],
  isRealtime: boolean,
  timeoutMs: number,
  onEnd: (problem: string | undefined) => void,
): void {
  const [file, ...args] = withNormalPriority(command, isRealtime);
  if (file === undefined) {
    onEnd('no emergency command is configured');
    return;
  }
  const child = spawn(file, args, {detached: true, stdio: ['ignore', 'ignore', 'inherit'], cwd: '/'});
  let problem: string | undefined;
  let hasEnded = false;
  const finish = (text: string | undefined): void => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(timer);
    onEnd(problem ?? text);
  };
  const timer = setTimeout(() => {
    problem = `not done after ${Math.round(timeoutMs / 1000)} s: killed`;
    killGroup(child);
  }, timeoutMs);
  child.on('error', (error) => finish(error.message));
  child.on('exit', (status, signal) => finish(status === 0 ? undefined : `ended with ${signal ?? `status ${status}`}`));
}

/** Resolves once that process runs no code any more, or after the bound; a zombie runs none. */
export function killAndWait(identity: ProcessIdentity, boundMs: number, done: () => void): void {
  killProcess(identity);
  const startedMs = monotonicMs();
  const look = (): void => {
    const isGone = identityOf(identity.pid)?.startTime !== identity.startTime;
    if (isGone || monotonicMs() - startedMs > boundMs) done();
    else setTimeout(look, 10);
  };
  look();
}

function withNormalPriority(command: readonly string[], isRealtime: boolean): readonly string[] {
  if (command.length === 0 || !isRealtime) return command;
  return ['chrt', '-o', '0', ...command];
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

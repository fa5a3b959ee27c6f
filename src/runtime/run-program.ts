// Runs one program in its own process group and reports what was seen. Everything the manager starts and waits for
// goes through here: agents, fencing plugins, hooks. It assumes nothing about the program: it may never end, ignore
// SIGTERM, leave a daemon behind that holds stdout, print without end, or not exist. Promises: `done` always settles,
// at the latest timeoutMs + killDelayMs + STUCK_MS after the start; memory stays bounded; nothing is ever thrown.

import {type ChildProcess, spawn} from 'node:child_process';
import {setPriority} from 'node:os';
import type {Readable} from 'node:stream';
import {createLineLimiter} from './line-limiter.js';
import {isGroupAlive, signalGroup} from './process-group.js';

export const OUTPUT_BYTES_MAX = 65_536;
/** After SIGKILL only a process stuck in the kernel (state D) is still there; nobody can wait for that. */
const STUCK_MS = 2000;
const GROUP_POLL_MS = 10;

export interface ProgramCall {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly killDelayMs: number;
  readonly cwd?: string;
  /** Its niceness, 1 to 19, soon after its start. Absent: that of this process. */
  readonly niceness?: number;
  /** Each line of stderr, bounded in length and number. */
  readonly onErrorLine?: (line: string) => void;
}

export interface ProgramExit {
  /** undefined: killed by a signal, not startable, or given up on. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** stdout, at most OUTPUT_BYTES_MAX bytes of it. */
  readonly output: string;
  readonly timedOut: boolean;
  /** It could not be executed at all. */
  readonly missing: boolean;
  readonly tookMs: number;
}

export interface RunningProgram {
  /** undefined: it could not be started. */
  readonly pid: number | undefined;
  readonly done: Promise<ProgramExit>;
  /** As if the deadline were now. */
  cancel(): void;
}

export function runProgram(call: ProgramCall): RunningProgram {
  const startedMs = performance.now();
  let child: ChildProcess;
  try {
    child = spawn(call.path, call.args, {
      cwd: call.cwd ?? '/',
      env: {...call.env},
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch {
    // Thrown for a NUL in an argument and the like; ENOENT and EACCES come as an event.
    return {pid: undefined, done: Promise.resolve(notStarted(startedMs)), cancel: () => {}};
  }
  if (call.niceness !== undefined && child.pid !== undefined) makeWay(child.pid, call.niceness);
  const watch = new ProgramWatch(call, child, startedMs);
  return {pid: child.pid, done: watch.done, cancel: () => watch.stop()};
}

function makeWay(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}

function notStarted(startedMs: number): ProgramExit {
  const tookMs = performance.now() - startedMs;
  return {code: undefined, signal: undefined, output: '', timedOut: false, missing: true, tookMs};
}

/** The life of one child, from spawn to the verdict. */
class ProgramWatch {
  readonly done: Promise<ProgramExit>;
  private resolve: (exit: ProgramExit) => void = () => {};
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private reads = 0;
  private isEnded = false;
  private timedOut = false;
  private isSettled = false;
  private exit: {code: number | undefined; signal: string | undefined} | undefined;
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly call: ProgramCall,
    private readonly child: ChildProcess,
    private readonly startedMs: number,
  ) {
    this.done = new Promise((resolve) => {
      this.resolve = resolve;
    });
    child.on('error', () => {
      if (child.pid === undefined) this.settleWith(notStarted(startedMs));
    });
    child.on('exit', (code, signal) => this.onExit(code ?? undefined, signal ?? undefined));
    this.readOutput();
    if (child.pid !== undefined) this.after(call.timeoutMs, () => this.stop());
  }

  /** The deadline: SIGTERM to the group, SIGKILL when the grace is over, a verdict in any case. */
  stop(): void {
    if (this.timedOut || this.isSettled || this.exit !== undefined) return;
    this.timedOut = true;
    this.signal('SIGTERM');
    this.after(this.call.killDelayMs, () => {
      this.signal('SIGKILL');
      this.after(STUCK_MS, () => this.settle());
    });
  }

  private onExit(code: number | undefined, signal: string | undefined): void {
    this.exit = {code, signal};
    // A timed-out script is over only when its whole group is gone: a surviving grandchild could still be changing
    // the resource. After a normal exit what remains is a daemon, and none of our business.
    if (this.timedOut) this.settleWhenGroupIsGone();
    else this.settleWhenQuiet();
  }

  private settleWhenGroupIsGone(): void {
    if (this.isSettled) return;
    if (this.child.pid !== undefined && isGroupAlive(this.child.pid))
      this.after(GROUP_POLL_MS, () => this.settleWhenGroupIsGone());
    else this.settle();
  }

  /**
   * The program has exited, so everything it wrote is in the pipe already. A turn of the event loop that reads nothing
   * means the pipe is empty; who still holds it open does not matter.
   */
  private settleWhenQuiet(): void {
    for (const timer of this.timers.splice(0)) clearTimeout(timer);
    let seen = -1;
    let quietTurns = 0;
    const turn = (): void => {
      quietTurns = this.reads === seen ? quietTurns + 1 : 0;
      seen = this.reads;
      if (this.isEnded || quietTurns >= 2 || this.bytes > OUTPUT_BYTES_MAX) this.settle();
      else setImmediate(turn);
    };
    setImmediate(turn);
  }

  private settle(): void {
    this.settleWith({
      code: this.exit?.code,
      signal: this.exit?.signal,
      output: Buffer.concat(this.chunks).toString('utf8'),
      timedOut: this.timedOut,
      missing: false,
      tookMs: performance.now() - this.startedMs,
    });
  }

  private settleWith(exit: ProgramExit): void {
    if (this.isSettled) return;
    this.isSettled = true;
    for (const timer of this.timers.splice(0)) clearTimeout(timer);
    letGo(this.child.stdout, this.timedOut);
    letGo(this.child.stderr, this.timedOut);
    this.child.unref();
    this.resolve(exit);
  }

  private readOutput(): void {
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.reads += 1;
      const room = OUTPUT_BYTES_MAX - this.bytes;
      // Read on without keeping anything: a full pipe would block the script.
      if (room > 0) this.chunks.push(chunk.length > room ? Buffer.from(chunk.subarray(0, room)) : chunk);
      this.bytes += chunk.length;
    });
    this.child.stdout?.on('end', () => {
      this.isEnded = true;
    });
    this.child.stdout?.on('error', () => {});
    const lines = createLineLimiter(this.call.onErrorLine ?? (() => {}));
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.reads += 1;
      lines.push(chunk);
    });
    this.child.stderr?.on('end', () => lines.end());
    this.child.stderr?.on('error', () => {});
  }

  private signal(name: NodeJS.Signals): void {
    if (this.child.pid !== undefined) signalGroup(this.child.pid, name);
  }

  private after(delayMs: number, action: () => void): void {
    this.timers.push(setTimeout(action, Math.min(Math.max(delayMs, 0), 0x7fffffff)));
  }
}

const KEEPERS_MAX = 64;
let keepers = 0;

/**
 * Gives up our end of a pipe. A daemon that a start script left behind may hold the other end for ever: closing ours
 * would kill it with SIGPIPE at its next line, today or when this process is replaced, and that would be an outage of our
 * making. So `cat` takes the pipe over; it ends with the daemon and survives us.
 */
function letGo(stream: Readable | null, wasKilled: boolean): void {
  if (stream === null || stream.destroyed || stream.readableEnded) return;
  // The end may be in the pipe already and only not be read yet.
  const timer = setTimeout(() => {
    stream.off('end', cancel);
    if (wasKilled || keepers >= KEEPERS_MAX) stream.destroy();
    else handToKeeper(stream);
  }, 50);
  const cancel = (): void => clearTimeout(timer);
  stream.once('end', cancel);
}

function handToKeeper(stream: Readable): void {
  stream.pause();
  keepers += 1;
  const keeper = spawn('/bin/cat', [], {
    cwd: '/',
    detached: true,
    stdio: [stream as unknown as 'pipe', 'ignore', 'ignore'],
  });
  keeper.on('error', () => {});
  keeper.once('close', () => {
    keepers -= 1;
  });
  keeper.unref();
  stream.destroy();
}

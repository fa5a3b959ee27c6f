// Feeds syslog through one long-lived `logger` child, since the runtime has no Unix datagram sockets. The child is started
// at the first line and again, after a pause, when it has exited. What it does not take waits in a bounded queue; what
// does not fit there is counted. Nothing here waits or throws.

import {type ChildProcess, spawn} from 'node:child_process';
import type {LogLevel} from '../model/log.js';

const QUEUE_BYTES_MAX = 1 << 18;
const RESTART_FIRST_MS = 250;
const RESTART_MAX_MS = 30_000;
const CLOSE_MS = 1000;

/** RFC 5424 severities. */
const SEVERITIES: Readonly<Record<LogLevel, number>> = {
  EMERG: 0,
  ALERT: 1,
  CRIT: 2,
  ERROR: 3,
  WARN: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
];

/** Number of a facility; `daemon` for a word that syslog does not know. */
export function facilityNumber(name: string): number {
  const local = /^local([0-7])$/.exec(name)?.[1];
  if (local !== undefined) return 16 + Number(local);
  const found = FACILITIES.indexOf(name === 'security' ? 'auth' : name);
  return found < 0 ? 3 : found;
}

export class SyslogChild {
  private readonly facility: number;
  private readonly command: readonly string[];
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private restartMs = RESTART_FIRST_MS;
  private queue: string[] = [];
  private queuedBytes = 0;
  private lost = 0;
  private isClosing = false;

  /** `--prio-prefix` lets each line carry its own level. */
  constructor(facility: string, command: readonly string[] = ['logger', '-t', 'heartbeat', '--prio-prefix']) {
    this.facility = facilityNumber(facility);
    this.command = command;
  }

  send(level: LogLevel, text: string): void {
    if (this.isClosing) return;
    const line = `<${this.facility * 8 + SEVERITIES[level]}>${text}\n`;
    if (this.queuedBytes + line.length > QUEUE_BYTES_MAX) {
      this.lost += 1;
      return;
    }
    this.queue.push(line);
    this.queuedBytes += line.length;
    if (this.child === undefined && this.timer === undefined) this.start();
    this.flush();
  }

  /** Lines dropped since last asked; 0 while the queue has not drained. */
  takeLosses(): number {
    if (this.lost === 0 || this.queuedBytes > QUEUE_BYTES_MAX / 2) return 0;
    const lost = this.lost;
    this.lost = 0;
    return lost;
  }

  async close(): Promise<void> {
    this.isClosing = true;
    clearTimeout(this.timer);
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    // The queue is bounded, so all of it may go into the pipe's own buffer now.
    child.stdin?.end(this.queue.join(''));
    this.queue = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
    await exited;
    clearTimeout(timer);
  }

  private start(): void {
    const [program = 'logger', ...args] = this.command;
    const child = spawn(program, args, {stdio: ['pipe', 'ignore', 'ignore'], cwd: '/'});
    this.child = child;
    const startedMs = performance.now();
    child.stdin?.on('error', () => {}); // EPIPE: the exit that follows is what counts.
    child.stdin?.on('drain', () => this.flush());
    child.once('error', () => this.ended(child, startedMs)); // Not installed, or no process left.
    child.once('close', () => this.ended(child, startedMs));
    // Logging alone keeps no program running.
    child.unref();
    (child.stdin as unknown as {unref?(): void} | null)?.unref?.();
  }

  private ended(child: ChildProcess, startedMs: number): void {
    if (this.child !== child) return;
    this.child = undefined;
    if (this.isClosing) return;
    const livedLong = performance.now() - startedMs > RESTART_MAX_MS;
    if (livedLong) this.restartMs = RESTART_FIRST_MS;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.queue.length === 0) return;
      this.start();
      this.flush();
    }, this.restartMs);
    this.timer.unref();
    this.restartMs = Math.min(this.restartMs * 2, RESTART_MAX_MS);
  }

  /** Hands over what the pipe takes now; the rest waits for `drain`. */
  private flush(): void {
    const stdin = this.child?.stdin;
    if (!stdin || stdin.destroyed) return;
    while (this.queue.length > 0 && !stdin.writableNeedDrain) {
      const line = this.queue.shift() ?? '';
      this.queuedBytes -= line.length;
      stdin.write(line);
    }
  }
}

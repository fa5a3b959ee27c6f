// Ping nodes: one long-lived `ping` per host, whose answers are told to the messaging core as if the pseudo node had spoken on
// the link of its own name (wire-protocol.md 5.7). Raw sockets are out of Node's reach, so the program is used; it
// costs nothing while it runs, and starting it holds the loop for some 5 ms, which is why a restart waits at least a
// second. Promises: a host that cannot be reached, resolved or pinged costs a bounded number of starts and log lines; no
// ping survives this process, however it ends.

import {type ChildProcess, spawn} from 'node:child_process';
import {isIPv6} from 'node:net';
import type {Medium} from '../../model/config.js';
import type {LogRecord} from '../../model/log.js';
import {monotonicMs} from '../clock.js';
import {createLineReader} from '../line-reader.js';
import {FaultLog} from './fault-log.js';

export type PingMedium = Extract<Medium, {kind: 'ping'}>;

export interface PingOptions {
  readonly nodes: readonly PingMedium[];
  /** As often as keepalives are sent. */
  readonly intervalMs: number;
  /** An answer that took longer says nothing about now. */
  readonly staleMs: number;
  /** This process is real-time; ping must not be. */
  readonly isRealtime: boolean;
  /** A host of this ping node answered. */
  readonly onAnswer: (node: string) => void;
  readonly onLog: (record: LogRecord) => void;
}

const retryMinMs = 1000;
const retryMaxMs = 5000;
const longLifeMs = 10_000;
const lineBytesMax = 4096;

export class PingSet {
  private readonly hosts: readonly PingHost[];

  constructor(options: PingOptions) {
    this.hosts = options.nodes.flatMap((node) => node.hosts.map((host) => new PingHost(node.name, host, options)));
  }

  open(): void {
    for (const host of this.hosts) host.start();
  }

  close(): void {
    for (const host of this.hosts) host.close();
  }
}

class PingHost {
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private retryMs = retryMinMs;
  private isClosed = false;
  /** What ping said last about its own trouble. */
  private complaint = '';
  private readonly faults: FaultLog;

  constructor(
    private readonly node: string,
    private readonly host: string,
    private readonly options: PingOptions,
  ) {
    this.faults = new FaultLog(node === host ? `ping ${node}` : `ping ${node} (${host})`, options.onLog);
  }

  start(): void {
    if (this.isClosed) return;
    const startedMs = monotonicMs();
    const [file, ...args] = pingCommand(this.host, this.options);
    const child = spawn(file ?? 'sh', args, {cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'pipe']});
    this.child = child;
    let newest = -1;
    listen(child.stdout, (line) => {
      const answer = answerOf(line);
      // Duplicates, and what waited in ping while it or we were paused, are not news.
      if (answer === undefined || answer.seq === newest || answer.tookMs > this.options.staleMs) return;
      newest = answer.seq;
      this.faults.worked();
      if (!this.isClosed) this.options.onAnswer(this.node);
    });
    listen(child.stderr, (line) => {
      this.complaint = line.slice(0, 200);
    });
    child.stdin.on('error', () => undefined);
    let isOver = false;
    const over = (how: string): void => {
      if (isOver) return;
      isOver = true;
      this.ended(how, monotonicMs() - startedMs);
    };
    child.on('error', (error) => over(error.message));
    child.on('exit', (status, signal) => over(`ping ended ${signal === null ? `with ${status}` : `by ${signal}`}`));
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.child?.stdin?.destroy();
    const pid = this.child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGTERM');
    } catch {
      // Gone already.
    }
  }

  private ended(how: string, livedMs: number): void {
    this.child = undefined;
    if (this.isClosed) return;
    this.faults.failed(this.complaint === '' ? how : this.complaint, monotonicMs());
    this.complaint = '';
    if (livedMs >= longLifeMs) this.retryMs = retryMinMs;
    this.timer = setTimeout(() => this.start(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, retryMaxMs);
  }
}

/**
 * A ping whose host is silent writes nothing, so it would not notice that its reader is gone. The shell around it does: its
 * standard input ends with us. stdbuf: some builds of ping write whole blocks into a pipe.
 */
const guarded = `exec 3<&0
stdbuf -oL "$@" </dev/null 3<&- &
ping=$!
{ read -r nothing; kill $ping; } <&3 >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait $ping
status=$?
kill $guard 2>/dev/null
exit $status`;

/** Works with the ping of iputils and of inetutils. */
export function pingCommand(host: string, {intervalMs, isRealtime}: PingOptions): readonly string[] {
  const program = isIPv6(host.replace(/%.*$/, '')) ? 'ping6' : 'ping';
  const shell = ['sh', '-c', guarded, 'ping', program, '-n', '-i', String(intervalMs / 1000), host];
  return isRealtime ? ['chrt', '-o', '0', ...shell] : shell;
}

/** An echo reply in ping's own words; undefined: another line, such as an error that a router sent. */
export function answerOf(line: string): {readonly seq: number; readonly tookMs: number} | undefined {
  const found = /^(?:\[[\d.]+\] )?\d+ bytes from .*\bicmp_seq=(\d+)\b.*\btime[=<]([\d.]+) ?ms/.exec(line);
  return found === null ? undefined : {seq: Number(found[1]), tookMs: Number(found[2])};
}

/** A line without end is not ping's: then nothing more is read of it, and the node dies of silence. */
function listen(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  const reader = createLineReader(lineBytesMax, onLine);
  stream?.on('data', (chunk: Buffer) => {
    if (!reader.push(chunk)) stream.pause();
  });
  stream?.on('error', () => undefined);
}

// Drives the programs that run on the client machine: the prober, which sees who owns an address and how long nobody
// did, and the writer, which knows which database rows were acknowledged. Assumes a booted client. Every question is
// answered or rejected in bounded time.

import type {ChildProcessWithoutNullStreams} from 'node:child_process';
import {createInterface} from 'node:readline';
import {packageRoot} from './host.js';
import type {Machine} from './machine.js';
import {serviceAddress} from './network.js';
import {deadline} from './wait.js';

export const responderPort = 7777;

type Line = Readonly<Record<string, unknown>>;

/** A child that speaks JSON lines: unasked events, and answers that carry the id of their question. */
class LineProgram {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #listeners = new Set<(line: Line) => void>();
  #serial = 0;
  #complaints = '';

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stderr.on('data', (data: Buffer) => {
      this.#complaints = (this.#complaints + data.toString()).slice(-2000);
    });
    createInterface({input: child.stdout}).on('line', (line) => {
      const parsed = JSON.parse(line) as Line;
      for (const listener of this.#listeners) listener(parsed);
    });
  }

  listen(listener: (line: Line) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  next(wanted: (line: Line) => boolean, timeoutMs: number, what: () => string): Promise<Line> {
    let forget = () => {};
    const found = new Promise<Line>((resolve) => {
      forget = this.listen((line) => wanted(line) && resolve(line));
    });
    return deadline(found, timeoutMs, () => `${what()} ${this.#complaints}`.trim()).finally(() => forget());
  }

  ask(word: string, timeoutMs = 5000): Promise<Line> {
    this.#serial += 1;
    const id = `${this.#serial}`;
    const answer = this.next(
      (line) => line['id'] === id,
      timeoutMs,
      () => `no answer to ${word}.`,
    );
    this.#child.stdin.write(`${word} ${id}\n`);
    return answer;
  }

  close(): void {
    this.#child.stdin.end();
  }
}

export interface OwnerChange {
  readonly node: string;
  readonly before: string;
  /** How long nobody had answered when this node did. */
  readonly silentMs: number;
}

export interface ProbeReport {
  /** Who answered last. */
  readonly node: string;
  readonly answers: number;
  /** The longest time without an answer since the mark, one that still lasts included. */
  readonly outageMs: number;
  /** Time since the last answer. */
  readonly silentMs: number;
}

export class Prober {
  readonly #program: LineProgram;
  /** Every change of owner seen so far, and every return after a silence, oldest first. */
  readonly changes: OwnerChange[] = [];

  private constructor(program: LineProgram) {
    this.#program = program;
    program.listen((line) => line['event'] === 'owner' && this.changes.push(line as unknown as OwnerChange));
  }

  static async start(client: Machine, {address = serviceAddress, intervalMs = 2} = {}): Promise<Prober> {
    const script = `${packageRoot}/dist/src/lab/prober.js`;
    const program = new LineProgram(
      client.spawn(process.execPath, [script, address, `${responderPort}`, `${intervalMs}`]),
    );
    await program.next(
      (line) => line['event'] === 'ready',
      10_000,
      () => 'the prober does not start.',
    );
    return new Prober(program);
  }

  /** Outages are measured from here on. */
  async mark(): Promise<void> {
    await this.#program.ask('mark');
  }

  async report(): Promise<ProbeReport> {
    return (await this.#program.ask('report')) as unknown as ProbeReport;
  }

  /** Resolves once this node answers; at once if it is the one that answers now. */
  async answeredBy(node: string, timeoutMs: number): Promise<void> {
    const change = this.#program.next(
      (line) => line['event'] === 'owner' && line['node'] === node,
      timeoutMs,
      () => `${node} does not answer for the address; last was ${this.changes.at(-1)?.node ?? 'nobody'}.`,
    );
    change.catch(() => {});
    const now = await this.report();
    if (now.node === node && now.silentMs < 50 && now.answers > 0) return;
    await change;
  }

  close(): void {
    this.#program.close();
  }
}

export interface WriterReport {
  readonly acknowledged: number;
  readonly failures: number;
  /** The longest time without an acknowledged row since the mark, one that still lasts included. */
  readonly outageMs: number;
  /** When it ended, by the wall clock; 0: it has not, or there was none. */
  readonly resumedAtMs: number;
  readonly lastError: string;
  /** Acknowledged rows that the database does not have; only from verify(). A text: it could not be asked. */
  readonly lost?: number | string;
}

export class Writer {
  readonly #program: LineProgram;

  private constructor(program: LineProgram) {
    this.#program = program;
  }

  static async start(
    client: Pick<Machine, 'spawn'>,
    {address = serviceAddress, intervalMs = 2, patience = 1} = {},
  ): Promise<Writer> {
    const script = `${packageRoot}/dist/src/lab/writer.js`;
    const words = [script, address, `${intervalMs}`, `${patience}`];
    const program = new LineProgram(client.spawn(process.execPath, words));
    await program.next(
      (line) => line['event'] === 'ready',
      10_000,
      () => 'the writer does not start.',
    );
    return new Writer(program);
  }

  async mark(): Promise<void> {
    await this.#program.ask('mark');
  }

  async report(): Promise<WriterReport> {
    return (await this.#program.ask('report')) as unknown as WriterReport;
  }

  /** Ends writing, so that the count stands still. */
  async stop(): Promise<WriterReport> {
    return (await this.#program.ask('stop')) as unknown as WriterReport;
  }

  /** Reads every row back through the address and compares. */
  async verify(): Promise<WriterReport> {
    return (await this.#program.ask('verify', 25_000)) as unknown as WriterReport;
  }

  close(): void {
    this.#program.close();
  }
}

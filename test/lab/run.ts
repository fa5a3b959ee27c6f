// What a scenario is given: the cluster, the client that writes all the time, the rows of the table. A scenario is one entry of a module
// in scenarios/ and starts from the state that `ready` describes and checks: both nodes on, both disks good, one node active, rows
// acknowledged. It leaves the same state behind. Promises: a row is noted only after every acknowledged row was read back.

import assert from 'node:assert/strict';
import type {Writer} from '../../src/lab/client.js';
import {until} from '../../src/lab/wait.js';
import type {Cluster, Kind} from './cluster.js';
import type {Guest} from './guest.js';

export interface Row {
  readonly scenario: string;
  readonly outageMs: number;
  readonly written: number;
  readonly lost: number;
  readonly note: string;
}

export interface Scenario {
  /** What must be true in it; one line for the list. */
  readonly about: string;
  /** Place in the whole set, which is played in this order. */
  readonly order: number;
  /** Part of the set that continuous integration plays. */
  readonly isCore?: boolean;
  /** Daemons with which it holds; without: ours on both nodes only. */
  readonly kinds?: readonly Kind[];
  readonly play: (run: Run) => Promise<void>;
}

export type Scenarios = Readonly<Record<string, Scenario>>;

export class Run {
  writer: Writer | undefined;
  constructor(
    readonly cluster: Cluster,
    readonly rows: Row[],
  ) {}

  get client(): Writer {
    assert.ok(this.writer, 'nobody writes: this scenario needs the first one');
    return this.writer;
  }

  /** The service answers and the writer's rows go on. */
  async serving(after: number, timeoutMs: number): Promise<void> {
    await until(async () => (await this.client.report()).acknowledged > after + 20, {
      timeoutMs,
      everyMs: 200,
      what: () => 'no row is acknowledged',
    });
  }

  async written(): Promise<number> {
    return (await this.client.report()).acknowledged;
  }

  /** Every acknowledged row must be there; an empty list proves nothing. */
  async note(scenario: string, before: number, note = ''): Promise<void> {
    const {acknowledged, outageMs, lost} = await this.client.verify();
    assert.ok(acknowledged > before, `${scenario}: no row was acknowledged`);
    this.rows.push({scenario, outageMs, written: acknowledged, lost: Number(lost), note});
    assert.equal(lost, 0, `${scenario}: ${lost} of ${acknowledged} acknowledged rows are lost`);
    await this.client.mark();
  }
}

/** The state that most scenarios start from; refuses to run without it. */
export async function ready(run: Run): Promise<Guest> {
  const {cluster} = run;
  await cluster.synchronised(60_000);
  const active = await cluster.active(10_000);
  const before = await run.written();
  await run.serving(before, 30_000);
  await run.client.mark();
  return active;
}

/** Everything the daemon of a guest has logged since its disks were made. */
export async function log(guest: Guest): Promise<string> {
  return (await guest.exec('cat /var/log/ha-log')).stdout;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

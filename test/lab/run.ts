// What a scenario is given: the cluster, the client that writes all the time, the rows of the table. A scenario is one entry of a module
// in scenarios/ and starts from the state that `ready` describes and checks: both nodes on, both disks good, one node active, rows
// acknowledged. It leaves the same state behind. Promises: a row is noted only after every acknowledged row was read back.

import assert from 'node:assert/strict';
import type {Writer} from '../../src/lab/client.js';
import {packageRoot} from '../../src/lab/host.js';
import {both, type Cluster, type Kind, type Watch} from './cluster.js';
import type {Guest} from './guest.js';
import type {PowerSwitch} from './power-switch.js';
import {DEFAULTS, type Settings} from './settings.js';
import {until} from './slow.js';

export interface Row {
  readonly scenario: string;
  readonly outageMs: number;
  readonly written: number;
  readonly lost: number;
  readonly note: string;
  /** What the targets compare: from declared death to the first row, or the outage of a planned move. */
  readonly comparedMs?: number | undefined;
}

export interface Scenario {
  /** What must be true in it; one line for the list. */
  readonly about: string;
  /** Place in the whole set, which is played in this order. */
  readonly order: number;
  /** Part of the set that continuous integration plays. */
  readonly isCore?: boolean;
  /** Daemons with which it holds, `mixed`: one of each; without: ours on both nodes only. */
  readonly kinds?: readonly (Kind | 'mixed')[];
  readonly play: (run: Run) => Promise<void>;
}

export type Scenarios = Readonly<Record<string, Scenario>>;

export class Run {
  writer: Writer | undefined;
  constructor(
    readonly cluster: Cluster,
    readonly rows: Row[],
    readonly watch: Watch,
    readonly power: PowerSwitch,
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

  /** Forgets the rows so far, on purpose: another writer, and an empty table. */
  async renew(): Promise<void> {
    await this.client.stop();
    this.client.close();
    const active = await this.cluster.active(10_000);
    await active.run('mariadb --defaults-file=/etc/my.cnf demo -e "TRUNCATE entries"', 60_000);
    this.writer = await this.cluster.writer();
    await this.serving(0, 60_000);
  }

  async written(): Promise<number> {
    return (await this.client.report()).acknowledged;
  }

  /** Every acknowledged row must be there; an empty list proves nothing. */
  async note(scenario: string, before: number, note = '', comparedMs?: number): Promise<void> {
    const {acknowledged, outageMs, lost} = await this.client.verify();
    assert.ok(acknowledged > before, `${scenario}: no row was acknowledged`);
    this.rows.push({scenario, outageMs, written: acknowledged, lost: Number(lost), note, comparedMs});
    assert.equal(lost, 0, `${scenario}: ${lost} of ${acknowledged} acknowledged rows are lost`);
    await this.client.mark();
  }
}

/** By the clock of the guest. */
export interface Moment {
  /** The last look that did not find it. */
  readonly missedMs: number;
  readonly foundMs: number;
}

export const HA_LOG = '/var/log/ha-log';

/** Looks in a guest for what its files say from now on, faster than we could ask. Gives a moment for each, once all are there. */
export async function stopwatch(
  guest: Guest,
  wanted: readonly {readonly file: string; readonly pattern: string}[],
): Promise<() => Promise<readonly Moment[]>> {
  const found = '/run/lab/moments';
  const words = wanted.map(({file, pattern}) => `${file} '${pattern}'`).join(' ');
  const script = `perl ${packageRoot}/test/lab/guest/moments.pl ${found} ${words}`;
  await guest.run(`rm -f ${found}; setsid ${script} </dev/null >/dev/null 2>&1 &`);
  return async () => {
    const text = await until(async () => (await guest.exec(`cat ${found}`)).stdout || undefined, {
      timeoutMs: 20_000,
      everyMs: 500,
      what: () => `${guest.name} does not say all of it: ${words}`,
    });
    return text
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map((stamp) => Number(stamp) * 1000))
      .map(([missedMs = Number.NaN, foundMs = Number.NaN]) => ({missedMs, foundMs}));
  };
}

/** Started before its peer dies: when does its daemon say so, and how long until a row is acknowledged? */
export async function deathWatch(guest: Guest): Promise<{toServiceMs(run: Run): Promise<number>}> {
  const read = await stopwatch(guest, [{file: HA_LOG, pattern: 'node \\S+: is dead'}]);
  return {
    async toServiceMs(run) {
      const [death] = await read();
      assert.ok(death);
      const said = death.foundMs - (await guest.clockAheadMs());
      const {resumedAtMs} = await run.client.report();
      assert.ok(resumedAtMs > said, 'a row was acknowledged before the peer was declared dead');
      return resumedAtMs - said;
    },
  };
}

/** Other settings for the length of a scenario: the daemons are stopped for them, as an administrator would. */
export async function withSettings(
  run: Run,
  settings: Partial<Settings>,
  play: () => Promise<void>,
  whileStopped?: () => Promise<void>,
): Promise<void> {
  await restartWith(run, {...DEFAULTS, ...settings}, whileStopped);
  await play();
  await restartWith(run, DEFAULTS);
}

async function restartWith(run: Run, settings: Settings, whileStopped?: () => Promise<void>): Promise<void> {
  const {cluster} = run;
  cluster.settings = settings;
  await both(cluster.guests, (guest) => cluster.stop(guest));
  await both(cluster.guests, async (guest) => {
    await cluster.configure(guest);
    await guest.run('drbdadm adjust data', 30_000);
  });
  await whileStopped?.();
  // A connection that stands keeps its timers (docs/drbd.md).
  await cluster.guests[0].run('drbdadm disconnect data && drbdadm connect data', 30_000);
  await cluster.synchronised(60_000);
  await both(cluster.guests, (guest) => cluster.start(guest));
  const active = await cluster.active(120_000);
  await run.serving(await run.written(), 90_000);
  assert.ok(active.isOn);
}

/** hb_standby or hb_takeover; refused while a daemon has not yet heard that both disks are good again. */
export async function askToMove({cluster}: Run, guest: Guest, words: string): Promise<void> {
  await until(async () => (await cluster.tryCommand(guest, words)) === 0, {
    timeoutMs: 60_000,
    everyMs: 1000,
    what: () => `${words} is refused on ${guest.name} although both disks are good`,
  });
}

/** A planned move to the other node, to the first rows there. */
export async function moveAway(run: Run, active: Guest): Promise<void> {
  const {cluster} = run;
  const target = cluster.other(active);
  await askToMove(run, active, 'hb_standby all');
  const hasMoved = async () => (await cluster.active(60_000)) === target;
  await until(hasMoved, {timeoutMs: 120_000, everyMs: 500, what: () => `the group does not move to ${target.name}`});
  await run.serving(await run.written(), 90_000);
}

/** Boots a node that lost its power and starts its daemon; by default, back to two good disks. */
export async function bringBack(run: Run, guest: Guest, untilSynchronised = true): Promise<void> {
  const {cluster} = run;
  await guest.boot();
  await cluster.configure(guest);
  // The original brings no disk up; there it is done at boot.
  if (cluster.kindOf(guest) === 'real') await guest.run('drbdadm up data', 30_000);
  await cluster.start(guest);
  await until(async () => (await cluster.see(guest))?.minor !== undefined, {
    timeoutMs: 60_000,
    everyMs: 1000,
    what: () => `DRBD does not come up on ${guest.name}`,
  });
  if (untilSynchronised) await cluster.synchronised();
}

/** `systole status --json` of a node. */
export interface StatusSaid {
  readonly groups: readonly {
    readonly owner?: string;
    readonly state: string;
    readonly reason?: string;
    readonly failCount: number;
  }[];
  readonly warnings: readonly string[];
}

/** Asked at the daemon's socket: the systole program itself takes half a minute of an emulated processor to load. */
export async function statusOf(guest: Guest): Promise<StatusSaid> {
  const line = await guest.run(`perl ${packageRoot}/test/lab/guest/status.pl`, 60_000);
  const {reply} = JSON.parse(line) as {readonly reply: {readonly status?: StatusSaid; readonly text: string}};
  assert.ok(reply.status, `${guest.name} gives no status: ${reply.text}`);
  return reply.status;
}

/** Looks again and again for a while; what is asserted must hold at every look. */
export async function during(ms: number, look: () => Promise<void>): Promise<void> {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    await look();
    await new Promise((resolve) => setTimeout(resolve, 400));
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

/** The same, with the group on a node whose daemon is of this kind, if there is one. */
export async function readyOn(run: Run, kind: Kind): Promise<Guest> {
  const {cluster} = run;
  const active = await ready(run);
  const target = cluster.other(active);
  if (cluster.kindOf(active) === kind || cluster.kindOf(target) !== kind) return active;
  await moveAway(run, active);
  return ready(run);
}

/** Everything the daemon of a guest has logged since its disks were made. */
export async function log(guest: Guest): Promise<string> {
  if (!guest.isOn) return guest.readOff(HA_LOG);
  return (await guest.exec(`cat ${HA_LOG}`)).stdout;
}

/** Of those that there are, of two in the middle the later; without any, one that meets no bound. */
export function median(values: readonly (number | undefined)[]): number {
  const sorted = values.filter((value) => value !== undefined).sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

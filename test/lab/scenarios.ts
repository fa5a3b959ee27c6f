// `npm run test:lab`: the scenarios with real DRBD and MariaDB, in order, each from the state that the one before left, which is
// checked first. A client writes through the address all the time and knows every acknowledged row; both guests' kernels
// are watched for two Primaries or two mounts. Ends with a table and one line of counts. A scenario that fails stops the run,
// because what follows would start from a state that nobody meant.

import assert from 'node:assert/strict';
import {copyFileSync, existsSync, mkdirSync, writeFileSync} from 'node:fs';
import type {Writer} from '../../src/lab/client.js';
import {until} from '../../src/lab/wait.js';
import {both, Cluster, type Kind, Watch} from './cluster.js';
import {Guest, labDirectory} from './guest.js';
import * as network from './network.js';

interface Row {
  readonly scenario: string;
  readonly outageMs: number;
  readonly written: number;
  readonly lost: number;
  readonly note: string;
}

class Run {
  readonly rows: Row[] = [];
  writer: Writer | undefined;
  constructor(readonly cluster: Cluster) {}

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

type Scenario = (run: Run) => Promise<void>;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'first-start': async (run) => {
    const {cluster} = run;
    await cluster.firstStart();
    await cluster.synchronised();
    const startedMs = performance.now();
    await both(cluster.guests, (guest) => cluster.start(guest));
    await cluster.active(180_000);
    run.writer = await cluster.writer();
    await run.serving(0, 90_000);
    await run.client.mark();
    await run.note('first-start', 0, `start to service ${seconds(performance.now() - startedMs)}`);
  },

  'power-cut': async (run) => {
    const {cluster} = run;
    const active = await ready(run);
    const before = await run.written();
    const cutMs = performance.now();
    await active.powerCut();
    const now = await cluster.active(120_000);
    assert.equal(now, cluster.other(active));
    const activeMs = performance.now() - cutMs;
    await run.serving(await run.written(), 90_000);
    await run.note('power-cut', before, `active after ${seconds(activeMs)}`);
  },

  return: async (run) => {
    const {cluster} = run;
    const active = await cluster.active(10_000);
    const returning = cluster.other(active);
    assert.ok(!returning.isOn);
    const before = await run.written();
    await returning.boot();
    await cluster.configure(returning);
    await cluster.start(returning);
    await until(async () => (await cluster.see(returning))?.minor !== undefined || drbdUp(returning), {
      timeoutMs: 60_000,
      everyMs: 1000,
      what: () => 'DRBD does not come up on the node that returned',
    });
    await cluster.synchronised();
    assert.equal(await cluster.active(10_000), active, 'the group moved by itself');
    await run.note('return', before, 'nothing moved');
  },

  'planned-move': async (run) => {
    const {cluster} = run;
    const from = await ready(run);
    for (const target of [cluster.other(from), from]) {
      const before = await run.written();
      const source = cluster.other(target);
      await cluster.command(source, 'hb_standby all');
      await until(async () => (await cluster.active(60_000)) === target, {
        timeoutMs: 120_000,
        everyMs: 500,
        what: () => `the group does not move to ${target.name}`,
      });
      // Rows went on being acknowledged while the move began: what counts is that they do again.
      await run.serving(await run.written(), 90_000);
      await run.note(target === from ? 'move back' : 'planned move', before);
      await cluster.synchronised();
    }
  },

  // The peer is outdated although its DRBD believes itself connected, and says so truthfully, in time.
  'link-cut': async (run) => {
    const {cluster} = run;
    const active = await ready(run);
    const standby = cluster.other(active);
    const before = await run.written();
    await network.cutCable(1, 'eth1');
    // Debian's dopd writes nothing when it is asked, only what it answers.
    const asked = /asks this node to outdate data|sending return code/;
    await until(async () => asked.test(await log(standby)), {
      timeoutMs: 40_000,
      everyMs: 200,
      what: () => 'nobody asks the standby to outdate its disk',
    });
    const askedMs = performance.now();
    await until(async () => (await cluster.see(standby))?.minor?.disk === 'Outdated', {
      timeoutMs: 20_000,
      everyMs: 100,
      what: () => 'the standby is not outdated',
    });
    const tookMs = performance.now() - askedMs;
    await until(async () => (await cluster.see(active))?.minor?.peerDisk === 'Outdated', {
      timeoutMs: 20_000,
      everyMs: 200,
      what: () => 'the Primary does not learn of it',
    });
    await run.serving(await run.written(), 30_000);
    await network.healCable(1, 'eth1');
    await cluster.synchronised();
    await run.note('link-cut', before, `outdated ${seconds(tookMs)} after it was asked`);
  },
};

const CORE = ['first-start', 'power-cut', 'return', 'planned-move', 'link-cut'];

export async function runScenarios(words: readonly string[]): Promise<number> {
  const kind: Kind = process.env['SYSTOLE_LAB_DAEMON'] === 'real' ? 'real' : 'systole';
  const names = words.length > 0 ? words : CORE;
  const guests = [new Guest(1), new Guest(2)] as const;
  const run = new Run(new Cluster(guests, [kind, kind]));
  let passed = 0;
  let failed = 0;
  let watch: Watch | undefined;
  try {
    await removeGuests(guests);
    await network.makeNetwork();
    for (const guest of guests) await guest.makeDisks();
    await both(guests, (guest) => guest.boot());
    watch = new Watch(run.cluster);
    for (const name of names) {
      const scenario = SCENARIOS[name];
      assert.ok(scenario, `there is no scenario ${name}: ${Object.keys(SCENARIOS).join(' ')}`);
      const startedMs = performance.now();
      await scenario(run);
      assert.deepEqual(watch.violations, [], name);
      passed += 1;
      process.stdout.write(`ok ${name} (${seconds(performance.now() - startedMs)})\n`);
    }
    assert.ok(watch.looks > 10, 'the watch saw nothing');
  } catch (error) {
    failed += 1;
    process.stdout.write(`FAILED: ${error instanceof Error ? error.stack : error}\n`);
    await explain(run);
  } finally {
    await watch?.stop();
    run.writer?.close();
    await keepLogs(guests);
    await removeGuests(guests);
    await network.removeNetwork();
  }
  process.stdout.write(table(kind, run.rows));
  process.stdout.write(`tests: ${passed} passed, ${failed} failed, ${names.length - passed - failed} skipped\n`);
  return failed === 0 ? 0 : 1;
}

/** The state that most scenarios start from; refuses to run without it. */
async function ready(run: Run): Promise<Guest> {
  const {cluster} = run;
  await cluster.synchronised(60_000);
  const active = await cluster.active(10_000);
  const before = await run.written();
  await run.serving(before, 30_000);
  await run.client.mark();
  return active;
}

/** haresources starts nothing on a standby, so DRBD there comes up by hand or at boot, as an administrator's would. */
async function drbdUp(guest: Guest): Promise<boolean> {
  return (await guest.exec('drbdadm up data')).code === 0;
}

async function log(guest: Guest): Promise<string> {
  return (await guest.exec('cat /var/log/ha-log')).stdout;
}

async function explain(run: Run): Promise<void> {
  for (const guest of run.cluster.guests) {
    if (!guest.isOn) continue;
    const words = 'cat /proc/drbd; ip -o -4 addr; grep drbd /proc/mounts; tail -40 /var/log/ha-log; dmesg | tail -30';
    const ran = await guest.exec(words, 30_000).catch(() => undefined);
    process.stdout.write(`--- ${guest.name}\n${ran?.stdout ?? 'no answer'}\n`);
  }
}

async function keepLogs(guests: readonly Guest[]): Promise<void> {
  for (const guest of guests) {
    if (!guest.isOn) continue;
    for (const name of ['ha-log', 'mysqld.log', 'dmesg']) {
      const command = name === 'dmesg' ? 'dmesg' : `cat /var/log/${name}`;
      const ran = await guest.exec(command, 20_000).catch(() => undefined);
      if (ran === undefined) continue;
      writeFileSync(`${guest.directory}/${name}`, ran.stdout);
    }
  }
  const keep = process.env['SYSTOLE_LAB_LOGS'];
  if (keep === undefined) return;
  for (const guest of guests)
    for (const name of ['ha-log', 'mysqld.log', 'dmesg', 'console.log']) {
      if (!existsSync(`${guest.directory}/${name}`)) continue;
      mkdirSync(`${keep}/n${guest.number}`, {recursive: true});
      copyFileSync(`${guest.directory}/${name}`, `${keep}/n${guest.number}/${name}`);
    }
}

async function removeGuests(guests: readonly Guest[]): Promise<void> {
  for (const guest of guests) await guest.powerCut();
}

function table(kind: Kind, rows: readonly Row[]): string {
  const lines = rows.map(
    ({scenario, outageMs, written, lost, note}) =>
      `${scenario.padEnd(14)} ${seconds(outageMs).padStart(8)} ${String(written).padStart(8)} ${String(lost).padStart(6)}  ${note}`,
  );
  return `${kind}\nscenario         outage  written   lost  (logs: ${labDirectory})\n${lines.join('\n')}\n`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

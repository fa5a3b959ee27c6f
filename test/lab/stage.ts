// Two guests with empty disks and everything around them: network, watch, power switch, the writer; and what is left of them
// afterwards: logs and rows. Promises: close() leaves no process and no network behind.

import assert from 'node:assert/strict';
import {copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {packageRoot} from '../../src/lab/host.js';
import {both, Cluster, type Kind, Watch} from './cluster.js';
import {Guest, labDirectory} from './guest.js';
import * as network from './network.js';
import {PowerSwitch} from './power-switch.js';
import {type Row, Run, type Scenario, type Scenarios, seconds} from './run.js';

/** Every scenario by name, in the order of play. */
export async function allScenarios(): Promise<Map<string, Scenario>> {
  const directory = fileURLToPath(new URL('scenarios/', import.meta.url));
  const found: [string, Scenario][] = [];
  for (const name of readdirSync(directory)) {
    if (!name.endsWith('.js')) continue;
    const module = (await import(`${directory}${name}`)) as {readonly scenarios: Scenarios};
    found.push(...Object.entries(module.scenarios));
  }
  found.sort(([, a], [, b]) => a.order - b.order);
  assert.equal(new Set(found.map(([name]) => name)).size, found.length, 'two scenarios have one name');
  return new Map(found);
}

/** Two guests with empty disks, watched. */
export class Stage {
  readonly #guests: readonly [Guest, Guest];
  readonly run: Run;
  readonly #watch: Watch;

  private constructor(guests: readonly [Guest, Guest], kinds: readonly [Kind, Kind], rows: Row[]) {
    this.#guests = guests;
    const cluster = new Cluster(guests, kinds);
    this.#watch = new Watch(cluster);
    this.run = new Run(cluster, rows, this.#watch, new PowerSwitch(guests));
  }

  static async make(kinds: readonly [Kind, Kind], rows: Row[]): Promise<Stage> {
    const guests = [new Guest(1), new Guest(2)] as const;
    for (const guest of guests) await guest.powerCut();
    await network.makeNetwork();
    for (const guest of guests) await guest.makeDisks();
    await both(guests, (guest) => guest.boot());
    return new Stage(guests, kinds, rows);
  }

  async play(name: string, scenario: Scenario | undefined): Promise<void> {
    assert.ok(scenario, name);
    const looks = this.#watch.looks;
    await scenario.play(this.run);
    assert.deepEqual(this.#watch.violations, [], name);
    assert.ok(this.#watch.looks > looks + 2, `${name}: the watch saw nothing`);
  }

  async judge(name: string, scenario: Scenario | undefined): Promise<boolean> {
    const startedMs = performance.now();
    try {
      await this.play(name, scenario);
      process.stdout.write(`ok ${name} (${seconds(performance.now() - startedMs)})\n`);
      return true;
    } catch (error) {
      process.stdout.write(`FAILED ${name}: ${error instanceof Error ? error.stack : error}\n`);
      await this.explain();
      return false;
    }
  }

  /** What a reader of a failure wants to see first. */
  async explain(): Promise<void> {
    for (const guest of this.#guests) {
      if (!guest.isOn || guest.isPaused) continue;
      const words = `perl ${packageRoot}/test/lab/guest/status.pl; cat /proc/drbd; ip -o -4 addr; grep drbd /proc/mounts; tail -40 /var/log/ha-log; dmesg | tail -30`;
      const ran = await guest.exec(words, 30_000).catch(() => undefined);
      process.stdout.write(`--- ${guest.name}\n${ran?.stdout ?? 'no answer'}\n`);
    }
  }

  /** With a name: of the scenario that failed, under which the logs are kept. */
  async close(failed?: string): Promise<void> {
    await this.#watch.stop();
    this.run.power.close();
    this.run.writer?.close();
    await keepLogs(this.#guests, failed);
    for (const guest of this.#guests) await guest.powerCut();
    await network.removeNetwork();
  }
}

const LOGS = ['ha-log', 'mysqld.log', 'dmesg', 'console.log', 'processor.log'];

async function keepLogs(guests: readonly Guest[], failed: string | undefined): Promise<void> {
  // A failure's logs must outlive the pair that is made after it.
  const keep = process.env['SYSTOLE_LAB_LOGS'] ?? (failed === undefined ? undefined : `${labDirectory}/failed`);
  const directory = `${keep}/${failed ?? new Date().toISOString().slice(0, 19)}`;
  for (const guest of guests) {
    for (const name of LOGS.slice(0, 3)) {
      const text = await logOf(guest, name).catch(() => undefined);
      if (text !== undefined) writeFileSync(`${guest.directory}/${name}`, text);
    }
    for (const name of LOGS) {
      if (keep === undefined || !existsSync(`${guest.directory}/${name}`)) continue;
      mkdirSync(`${directory}/n${guest.number}`, {recursive: true});
      copyFileSync(`${guest.directory}/${name}`, `${directory}/n${guest.number}/${name}`);
    }
  }
}

/** Of a guest without power as well: its log lies on a disk. */
async function logOf(guest: Guest, name: string): Promise<string | undefined> {
  if (guest.isOn && !guest.isPaused)
    return (await guest.exec(name === 'dmesg' ? 'dmesg' : `cat /var/log/${name}`, 20_000)).stdout;
  return name === 'dmesg' ? undefined : guest.readOff(`/var/log/${name}`);
}

export function table(kinds: readonly Kind[], rows: readonly Row[]): string {
  const lines = rows.map(
    ({scenario, outageMs, written, lost, note}) =>
      `${scenario.padEnd(18)} ${seconds(outageMs).padStart(8)} ${String(written).padStart(8)} ${String(lost).padStart(6)}  ${note}`,
  );
  return `${[...new Set(kinds)].join(' and ')}\nscenario             outage  written   lost  (logs: ${labDirectory})\n${lines.join('\n')}\n`;
}

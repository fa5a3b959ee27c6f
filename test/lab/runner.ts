// `npm run test:lab [-- NAME... | --core | --list]`: the scenarios with real DRBD and MariaDB. Every module in scenarios/ exports some; they
// are played in their order on one pair of guests. A client writes through the address all the time and knows every acknowledged
// row; both guests' kernels are watched for two Primaries or two mounts. Ends with a table and one line of counts. A scenario
// that fails leaves a state that nobody meant, so the pair is made anew and started before the next.

import assert from 'node:assert/strict';
import {copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {both, Cluster, type Kind, Watch} from './cluster.js';
import {Guest, labDirectory} from './guest.js';
import * as network from './network.js';
import {type Row, Run, type Scenario, type Scenarios, seconds} from './run.js';

const FIRST = 'first-start';

/** Every scenario by name, in the order of play. */
async function allScenarios(): Promise<Map<string, Scenario>> {
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

function chosen(all: ReadonlyMap<string, Scenario>, words: readonly string[], kinds: readonly Kind[]): string[] {
  const names = words.filter((word) => !word.startsWith('--'));
  for (const name of names) assert.ok(all.has(name), `there is no scenario ${name}: ${[...all.keys()].join(' ')}`);
  if (names.length > 0) return names.includes(FIRST) ? names : [FIRST, ...names];
  return [...all]
    .filter(([, {isCore}]) => isCore || !words.includes('--core'))
    .filter(([, {kinds: fit = ['systole']}]) => kinds.every((kind) => fit.includes(kind)))
    .map(([name]) => name);
}

export async function runScenarios(words: readonly string[]): Promise<number> {
  const kinds = daemons();
  const all = await allScenarios();
  if (words.includes('--list')) {
    for (const [name, {about, isCore}] of all)
      process.stdout.write(`${isCore ? '*' : ' '} ${name.padEnd(18)} ${about}\n`);
    return 0;
  }
  const names = chosen(all, words, kinds);
  const rows: Row[] = [];
  const counts = {passed: 0, failed: 0};
  let stage: Stage | undefined;
  try {
    for (const name of names) {
      if (!stage) {
        stage = await Stage.make(kinds, rows);
        // What failed has taken the pair with it.
        if (name !== FIRST) await stage.play(FIRST, all.get(FIRST));
      }
      if (await stage.judge(name, all.get(name))) {
        counts.passed += 1;
        continue;
      }
      counts.failed += 1;
      await stage.close(name);
      stage = undefined;
    }
  } catch (error) {
    // Not even the pair could be made: the rest is not played.
    process.stdout.write(`FAILED: ${error instanceof Error ? error.stack : error}\n`);
    counts.failed += 1;
  } finally {
    await stage?.close();
  }
  process.stdout.write(table(kinds, rows));
  const skipped = Math.max(0, names.length - counts.passed - counts.failed);
  process.stdout.write(`tests: ${counts.passed} passed, ${counts.failed} failed, ${skipped} skipped\n`);
  return counts.failed === 0 ? 0 : 1;
}

/** `SYSTOLE_LAB_DAEMON`: systole (default), real, or one for each node: `systole,real`. */
function daemons(): readonly [Kind, Kind] {
  const [first = 'systole', second = first, ...more] = (process.env['SYSTOLE_LAB_DAEMON'] ?? 'systole').split(',');
  const isKind = (word: string): word is Kind => word === 'systole' || word === 'real';
  assert.ok(isKind(first) && isKind(second) && more.length === 0, 'SYSTOLE_LAB_DAEMON: systole, real or two of them');
  return [first, second];
}

/** Two guests with empty disks, watched. */
class Stage {
  readonly #guests: readonly [Guest, Guest];
  readonly #run: Run;
  readonly #watch: Watch;

  private constructor(guests: readonly [Guest, Guest], run: Run) {
    this.#guests = guests;
    this.#run = run;
    this.#watch = new Watch(run.cluster);
  }

  static async make(kinds: readonly [Kind, Kind], rows: Row[]): Promise<Stage> {
    const guests = [new Guest(1), new Guest(2)] as const;
    for (const guest of guests) await guest.powerCut();
    await network.makeNetwork();
    for (const guest of guests) await guest.makeDisks();
    await both(guests, (guest) => guest.boot());
    return new Stage(guests, new Run(new Cluster(guests, kinds), rows));
  }

  async play(name: string, scenario: Scenario | undefined): Promise<void> {
    assert.ok(scenario, name);
    const looks = this.#watch.looks;
    await scenario.play(this.#run);
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
      await explain(this.#run);
      return false;
    }
  }

  /** With a name: of the scenario that failed, under which the logs are kept. */
  async close(failed?: string): Promise<void> {
    await this.#watch.stop();
    this.#run.writer?.close();
    await keepLogs(this.#guests, failed ?? '');
    for (const guest of this.#guests) await guest.powerCut();
    await network.removeNetwork();
  }
}

async function explain(run: Run): Promise<void> {
  for (const guest of run.cluster.guests) {
    if (!guest.isOn) continue;
    const words = 'cat /proc/drbd; ip -o -4 addr; grep drbd /proc/mounts; tail -40 /var/log/ha-log; dmesg | tail -30';
    const ran = await guest.exec(words, 30_000).catch(() => undefined);
    process.stdout.write(`--- ${guest.name}\n${ran?.stdout ?? 'no answer'}\n`);
  }
}

async function keepLogs(guests: readonly Guest[], failed: string): Promise<void> {
  for (const guest of guests) {
    if (!guest.isOn) continue;
    for (const name of ['ha-log', 'mysqld.log', 'dmesg']) {
      const command = name === 'dmesg' ? 'dmesg' : `cat /var/log/${name}`;
      const ran = await guest.exec(command, 20_000).catch(() => undefined);
      if (ran === undefined) continue;
      writeFileSync(`${guest.directory}/${name}`, ran.stdout);
    }
  }
  // A failure's logs must outlive the pair that is made after it.
  const keep = process.env['SYSTOLE_LAB_LOGS'] ?? (failed === '' ? undefined : `${labDirectory}/failed`);
  if (keep === undefined) return;
  for (const guest of guests)
    for (const name of ['ha-log', 'mysqld.log', 'dmesg', 'console.log']) {
      if (!existsSync(`${guest.directory}/${name}`)) continue;
      mkdirSync(`${keep}/${failed}/n${guest.number}`, {recursive: true});
      copyFileSync(`${guest.directory}/${name}`, `${keep}/${failed}/n${guest.number}/${name}`);
    }
}

function table(kinds: readonly Kind[], rows: readonly Row[]): string {
  const lines = rows.map(
    ({scenario, outageMs, written, lost, note}) =>
      `${scenario.padEnd(14)} ${seconds(outageMs).padStart(8)} ${String(written).padStart(8)} ${String(lost).padStart(6)}  ${note}`,
  );
  return `${[...new Set(kinds)].join(' and ')}\nscenario         outage  written   lost  (logs: ${labDirectory})\n${lines.join('\n')}\n`;
}

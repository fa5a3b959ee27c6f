// `npm run test:lab [-- NAME... | --core | --compare | --list]`: the scenarios with real DRBD and MariaDB. Every module in scenarios/ exports some; they
// are played in their order on one pair of guests. A client writes through the address all the time and knows every acknowledged
// row; both guests' kernels are watched for two Primaries or two mounts. Ends with a table and one line of counts. A scenario
// that fails leaves a state that nobody meant, so the pair is made anew and started before the next.

import assert from 'node:assert/strict';
import type {Kind} from './cluster.js';
import {median, type Row, type Scenario, seconds} from './run.js';
import {allScenarios, Stage, table} from './stage.js';

const FIRST = 'first-start';

function chosen(all: ReadonlyMap<string, Scenario>, words: readonly string[], kinds: readonly [Kind, Kind]): string[] {
  const names = words.filter((word) => !word.startsWith('--'));
  for (const name of names) assert.ok(all.has(name), `there is no scenario ${name}: ${[...all.keys()].join(' ')}`);
  if (names.length > 0) return names.includes(FIRST) ? names : [FIRST, ...names];
  return [...all]
    .filter(([, {isCore}]) => isCore || !words.includes('--core'))
    .filter(([, {kinds: fit = ['systole']}]) => fit.includes(kinds[0] === kinds[1] ? kinds[0] : 'mixed'))
    .map(([name]) => name);
}

export async function runScenarios(words: readonly string[]): Promise<number> {
  const all = await allScenarios();
  if (words.includes('--list')) {
    for (const [name, {about, isCore}] of all) say(`${isCore ? '*' : ' '} ${name.padEnd(18)} ${about}`);
    return 0;
  }
  const obstacle = process.env['SYSTOLE_LAB_OBSTACLE'];
  if (obstacle !== undefined) {
    say(`lab: skipped: ${obstacle}`);
    return conclude([{rows: [], passed: 0, failed: 0, skipped: chosen(all, words, daemons()).length}]);
  }
  if (words.includes('--compare')) return compare(all);
  const played = await playSet(all, chosen(all, words, daemons()), daemons());
  process.stdout.write(table(daemons(), played.rows));
  return conclude([played]);
}

interface Played {
  readonly rows: readonly Row[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

async function playSet(
  all: ReadonlyMap<string, Scenario>,
  names: readonly string[],
  kinds: readonly [Kind, Kind],
): Promise<Played> {
  const rows: Row[] = [];
  let passed = 0;
  let failed = 0;
  let stage: Stage | undefined;
  try {
    for (const name of names) {
      if (!stage) {
        stage = await Stage.make(kinds, rows);
        // What failed has taken the pair with it.
        if (name !== FIRST) await stage.play(FIRST, all.get(FIRST));
      }
      if (await stage.judge(name, all.get(name))) {
        passed += 1;
        continue;
      }
      failed += 1;
      await stage.close(name);
      stage = undefined;
    }
  } catch (error) {
    // Not even the pair could be made: the rest is not played.
    say(`FAILED: ${error instanceof Error ? error.stack : error}`);
    failed += 1;
  } finally {
    await stage?.close();
  }
  return {rows, passed, failed, skipped: Math.max(0, names.length - passed - failed)};
}

function conclude(sets: readonly Played[]): number {
  const sum = (count: 'passed' | 'failed' | 'skipped'): number => sets.reduce((total, set) => total + set[count], 0);
  say(`tests: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  return sum('failed') === 0 ? 0 : 1;
}

/**
 * Both daemons in one run, one after the other: outages are those of emulated processors on a machine that others use too, and only
 * the ratio of medians means something.
 */
async function compare(all: ReadonlyMap<string, Scenario>): Promise<number> {
  const round = ['power-cut', 'return', 'planned-move'];
  const names = [FIRST, ...Array.from({length: ROUNDS}, () => round).flat()];
  const ours = await playSet(all, names, ['systole', 'systole']);
  const real = await playSet(all, names, ['real', 'real']);
  process.stdout.write(table(['systole'], ours.rows) + table(['real'], real.rows));
  let missed = 0;
  for (const {scenario, what, most} of TARGETS) {
    const [a = Number.NaN, b = Number.NaN] = [ours, real].map(({rows}) => medianOf(rows, scenario));
    const ratio = a / b;
    const isMet = ratio <= most;
    if (!isMet) missed += 1;
    const figures = `ours ${seconds(a)}, real ${seconds(b)}, ratio ${ratio.toFixed(2)}`;
    say(`${isMet ? 'met' : 'MISSED'}: ${what}: ${figures} (at most ${most.toFixed(2)})`);
  }
  const targets = {rows: [], passed: TARGETS.length - missed, failed: missed, skipped: 0};
  return conclude([ours, real, targets]);
}

/** Odd, so that one is in the middle. */
const ROUNDS = 3;

/** NaN: some round failed, and nothing is compared. */
function medianOf(rows: readonly Row[], scenario: string): number {
  const found = rows.flatMap((row) =>
    row.scenario === scenario && row.comparedMs !== undefined ? row.comparedMs : [],
  );
  return found.length < ROUNDS ? Number.NaN : median(found);
}

const TARGETS = [
  {scenario: 'power-cut', what: 'declared death to MariaDB answering on the address', most: 1 / 2},
  {scenario: 'planned move', what: 'client outage of a planned move', most: 1 / 3},
  {scenario: 'move back', what: 'client outage of the move back', most: 1 / 3},
] as const;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** `SYSTOLE_LAB_DAEMON`: systole (default), real, or one for each node: `systole,real`. */
function daemons(): readonly [Kind, Kind] {
  const [first = 'systole', second = first, ...more] = (process.env['SYSTOLE_LAB_DAEMON'] ?? 'systole').split(',');
  const isKind = (word: string): word is Kind => word === 'systole' || word === 'real';
  assert.ok(isKind(first) && isKind(second) && more.length === 0, 'SYSTOLE_LAB_DAEMON: systole, real or two of them');
  return [first, second];
}

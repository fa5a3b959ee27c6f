// `npm run bench`: this checkout against Debian's heartbeat and keepalived, in one run on one machine, with one service
// address and no fencing. Prints a table of medians with targets and ratios, and writes every sample to bench/results.
// Options: --rounds N (of every contestant; default 5 ours, 2 real, 3 keepalived), --only NAME (a measure or a scene:
// life, partition, rest; may be repeated), --contestant NAME (may be repeated), --json FILE.

import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {cpus, loadavg} from 'node:os';
import {parseArgs} from 'node:util';
import {labObstacle, packageRoot} from '../src/lab/host.js';
import {type Measure, measures, type Samples, type Scene, scenes} from './measures.js';
import type {Contestant} from './stage.js';
import {renderTable} from './table.js';

const contestants: readonly (Contestant & {readonly rounds: number; readonly scenes: readonly string[]})[] = [
  {name: 'ours', kind: 'systole', rounds: 5, scenes: ['life', 'partition', 'rest']},
  {name: 'real', kind: 'real', rounds: 2, scenes: ['life', 'partition', 'rest']},
  {name: 'ka 1s', kind: 'keepalived', advertMs: 1000, rounds: 2, scenes: ['life', 'partition', 'rest']},
  {name: 'ka 0.1s', kind: 'keepalived', advertMs: 100, rounds: 3, scenes: ['life', 'partition']},
  {name: 'ka 0.01s', kind: 'keepalived', advertMs: 10, rounds: 3, scenes: ['life']},
];

const {values: options} = parseArgs({
  options: {
    rounds: {type: 'string'},
    only: {type: 'string', multiple: true},
    contestant: {type: 'string', multiple: true},
    json: {type: 'string'},
  },
});

const obstacle =
  labObstacle(['keepalived']) ??
  (existsSync('/usr/libexec/heartbeat/heartbeat') ? undefined : 'the package heartbeat is not installed');
if (obstacle) {
  process.stderr.write(`bench: cannot run here: ${obstacle}\n`);
  process.exit(1);
}

const wanted = wantedMeasures(options.only);
const samples = new Map<string, Samples>();
const failures: string[] = [];
const startedAt = performance.now();
const loadBefore = loadavg()[0] ?? 0;
const chosen = contestants.filter(({name}) => !options.contestant || options.contestant.includes(name));
for (const {name} of chosen) samples.set(name, {});

for (const scene of scenes) {
  if (!scene.gives.some((measure) => wanted.has(measure))) continue;
  const players = chosen.filter((each) => each.scenes.includes(scene.name));
  // At rest nobody uses the processors, so all rest at once.
  if (scene.name === 'rest') await Promise.all(players.map((each) => play(scene, each, 1)));
  else {
    const most = Math.max(...players.map((each) => roundsOf(scene, each)));
    // Interleaved, so that a busy minute of the machine does not hit one contestant alone.
    for (let round = 1; round <= most; round++)
      for (const each of players) if (round <= roundsOf(scene, each)) await play(scene, each, round);
  }
}
finish();

function roundsOf(scene: Scene, contestant: {readonly rounds: number}): number {
  if (options.rounds) return Number(options.rounds);
  return scene.name === 'partition' ? 1 : contestant.rounds;
}

async function play(scene: Scene, contestant: Contestant, round: number): Promise<void> {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stderr.write(`bench: ${String(seconds).padStart(3)} s  ${contestant.name}: ${scene.name}, round ${round}\n`);
  try {
    await scene.play(contestant, wanted, samples.get(contestant.name)!);
  } catch (error) {
    const text = `${contestant.name}: ${scene.name}, round ${round}: ${(error as Error).message}`;
    failures.push(text);
    process.stderr.write(`bench: ${text}\n`);
  }
}

function wantedMeasures(only: readonly string[] | undefined): ReadonlySet<Measure> {
  const all = Object.keys(measures) as Measure[];
  if (!only) return new Set(all);
  const found = only.flatMap((name) => scenes.find((scene) => scene.name === name)?.gives ?? [name as Measure]);
  const unknown = found.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(
      `bench: no measure ${unknown}; there are: ${[...all, ...scenes.map(({name}) => name)].join(' ')}\n`,
    );
    process.exit(2);
  }
  return new Set(found);
}

function finish(): void {
  const load = {before: loadBefore, after: loadavg()[0] ?? 0};
  process.stdout.write(`${renderTable({names: chosen.map(({name}) => name), samples, wanted, load})}\n`);
  for (const failure of failures) process.stdout.write(`FAILED ${failure}\n`);
  const directory = `${packageRoot}/bench/results`;
  mkdirSync(directory, {recursive: true});
  const at = new Date().toISOString();
  const path = options.json ?? `${directory}/bench-${at.replace(/[:.]/g, '-')}.json`;
  const tookSeconds = Math.round((performance.now() - startedAt) / 1000);
  const machine = {cpus: cpus().length, model: cpus()[0]?.model, node: process.version, load};
  const report = {at, tookSeconds, machine, measures, samples: Object.fromEntries(samples), failures};
  writeFileSync(path, `${JSON.stringify(report, undefined, 1)}\n`);
  process.stdout.write(`${tookSeconds} s; all samples: ${path}\n`);
  process.exit(failures.length > 0 ? 1 : 0);
}

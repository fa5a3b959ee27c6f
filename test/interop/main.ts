// `npm run test:interop [-- PATTERN...]`: runs the cases in parallel lanes and prints a table. A pattern is a part of a
// case's full name, e.g. `stop-ours/off/ours=n1`. Options: --lanes N, --list, --real (both nodes real: shows what the
// original does), --both (both nodes ours), --keep (stories of successes as well). Stories of failures are left in
// .build/interop/NAME: the timeline of messages and agent calls, both logs, the packets.

import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {parseArgs} from 'node:util';
import type {DaemonKind} from '../../src/lab/daemon.js';
import {labObstacle, packageRoot} from '../../src/lab/host.js';
import type {Case} from './case.js';
import {allCases} from './cases.js';
import {InteropLab, type Mode} from './lab.js';
import {type Story, stories} from './stories.js';

interface Run {
  readonly name: string;
  readonly test: Case;
  readonly mode: Mode;
  readonly kinds: Readonly<Record<string, DaemonKind>>;
  readonly ours: 'n1' | 'n2';
}

/** A story has a lab of its own and runs once. */
interface StoryRun {
  readonly name: string;
  readonly story: Story;
}

interface Outcome {
  readonly name: string;
  readonly seconds: number;
  readonly problem: string | undefined;
  /** A defect of the real daemon, by its own log, that no peer can do anything about. */
  readonly defect: string | undefined;
  /** Commands that the real daemon dropped and that were given again. */
  readonly lostCommands: number;
}

/**
 * The real daemon drops a block of its FIFO that arrives in pieces or mixed with another (docs/interop.md): what it asked
 * for, mostly the start of the node's own group, never happens. Its log says so. A run that fails then says nothing about
 * us and is made again, once; it is printed and counted. Two owners are never excused.
 */
const lostBlock = /ERROR: (msg2string: Message with zero fields|NV failure \(msgfromsteam\): \[)/;
/**
 * With `msgfmt netstring` no line tells it. When its child has done its part of a move it says so in the log and, by the FIFO, to
 * the daemon, which repeats it: what is not repeated was lost, and both nodes stay in transition for ever.
 */
const saidByChild = /HA resource (acquisition|release) completed \(standby\)/g;
const heardByDaemon = /Standby resource acquisition done|Local standby process completed/g;

function losesBlocks(log: string): boolean {
  const count = (words: RegExp): number => [...log.matchAll(words)].length;
  return lostBlock.test(log) || count(saidByChild) > count(heardByDaemon);
}

const STORY_LINES = 60;
const LANES_MIN = 4;
const LANES_MAX = 14;

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    lanes: {type: 'string'},
    list: {type: 'boolean', default: false},
    sample: {type: 'boolean', default: false},
    real: {type: 'boolean', default: false},
    both: {type: 'boolean', default: false},
    keep: {type: 'boolean', default: false},
  },
});

const runs = expand().filter(
  ({name}) => positionals.length === 0 || positionals.some((pattern) => name.includes(pattern)),
);
const resultsDirectory = `${packageRoot}/.build/interop`;
process.exitCode = await main();

async function main(): Promise<number> {
  if (values.list) {
    for (const {name} of runs) process.stdout.write(`${name}\n`);
    return 0;
  }
  const obstacle =
    labObstacle(['tcpdump', 'nft']) ??
    (existsSync('/usr/libexec/heartbeat/heartbeat') ? undefined : 'no heartbeat package');
  if (obstacle) {
    // Not green: whoever asks for this wants it to have run.
    process.stdout.write(`interop: cannot run here: ${obstacle}\n`);
    process.stdout.write(`tests: 0 passed, 0 failed, ${runs.length} skipped\n`);
    return 1;
  }
  const startedAt = performance.now();
  const queue = [...runs];
  const outcomes: Outcome[] = [];
  const repeated: string[] = [];
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      let outcome = await perform(next);
      if (outcome.problem !== undefined && outcome.defect !== undefined) {
        repeated.push(`${outcome.name}: ${outcome.defect}`);
        report({...outcome, verdict: 'void'});
        outcome = await perform(next);
      }
      outcomes.push(outcome);
      report({...outcome, verdict: outcome.problem === undefined ? 'ok' : 'FAIL'});
    }
  };
  const lanes = values.lanes === undefined ? fittingLanes() : Number(values.lanes);
  await Promise.all(Array.from({length: lanes}, lane));
  return summary({outcomes, repeated, seconds: (performance.now() - startedAt) / 1000});
}

/**
 * The dead times of the clusters are real seconds, so there must be no more of them than the machine can start programs for: 14
 * where an empty Node starts in 45 ms, fewer where it takes longer, because the machine is slow or shared today.
 */
function fittingLanes(): number {
  const times = Array.from({length: 7}, () => {
    const startedMs = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    return performance.now() - startedMs;
  });
  const medianMs = times.sort((left, right) => left - right)[3] ?? 45;
  const lanes = Math.max(LANES_MIN, Math.min(LANES_MAX, Math.round((LANES_MAX * 45) / medianMs)));
  process.stdout.write(`interop: ${lanes} labs at a time, as an empty Node starts in ${medianMs.toFixed(0)} ms
`);
  return lanes;
}

function report({verdict, seconds, name, problem}: Outcome & {readonly verdict: string}): void {
  process.stdout.write(`${verdict.padEnd(4)} ${seconds.toFixed(1).padStart(6)} s  ${name}\n`);
  if (problem !== undefined) process.stdout.write(`       ${problem.replaceAll('\n', '\n       ')}\n`);
}

function summary(result: {
  readonly outcomes: readonly Outcome[];
  readonly repeated: readonly string[];
  readonly seconds: number;
}): number {
  const failed = result.outcomes.filter((each) => each.problem !== undefined);
  for (const each of result.repeated) process.stdout.write(`repeated: ${each}\n`);
  for (const {name} of failed) process.stdout.write(`failed: ${name}: see ${resultsOf(name)}\n${endOfStory(name)}`);
  const passed = result.outcomes.length - failed.length;
  const commands = result.outcomes.reduce((sum, each) => sum + each.lostCommands, 0);
  const again = `${result.repeated.length} runs were made again, ${commands} commands given again`;
  process.stdout.write(`interop: ${result.seconds.toFixed(0)} s; blocks that the real daemon lost: ${again}\n`);
  process.stdout.write(`tests: ${passed} passed, ${failed.length} failed, 0 skipped\n`);
  return failed.length === 0 && passed > 0 ? 0 : 1;
}

/** Where only what was printed is kept, it must be enough to see what happened. */
function endOfStory(name: string): string {
  const path = `${resultsOf(name)}/story.txt`;
  if (!existsSync(path)) return '';
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines
    .slice(-STORY_LINES)
    .map((line) => `       ${line}\n`)
    .join('');
}

function resultsOf(name: string): string {
  return `${resultsDirectory}/${name.replaceAll('/', '_')}`;
}

function expand(): (Run | StoryRun)[] {
  const cases = expandCases();
  return [
    ...stories.map((story): StoryRun => ({name: story.name, story})),
    ...(values.sample ? sampleOf(cases) : cases),
  ];
}

/** Every case once: its modes and roles take turns from case to case. */
function sampleOf(cases: readonly Run[]): Run[] {
  return allCases.flatMap((test, index) => {
    const mine = cases.filter((each) => each.test === test);
    return mine.slice(index % mine.length, (index % mine.length) + 1);
  });
}

function expandCases(): Run[] {
  return allCases.flatMap((test) =>
    test.modes.flatMap((mode) =>
      (['n1', 'n2'] as const).map((ours): Run => {
        const kindOf = (node: string): DaemonKind => {
          if (values.real) return 'real';
          return values.both || node === ours ? 'systole' : 'real';
        };
        const third = test.third ? {n3: thirdOf(test.third, ours)} : {};
        const kinds = {n1: kindOf('n1'), n2: kindOf('n2'), ...third};
        return {name: `${test.name}/${mode}/ours=${ours}`, test, mode, ours, kinds};
      }),
    ),
  );
}

function thirdOf(third: 'mixed' | 'ours', ours: 'n1' | 'n2'): DaemonKind {
  if (values.real) return 'real';
  return !values.both && third === 'mixed' && ours === 'n1' ? 'real' : 'systole';
}

async function perform(run: Run | StoryRun): Promise<Outcome> {
  return 'story' in run ? await performStory(run) : await performCase(run);
}

async function performStory({name, story}: StoryRun): Promise<Outcome> {
  const startedAt = performance.now();
  const {problem, logs} = await story.run(resultsOf(name));
  const defect = logs.some(losesBlocks) ? 'the real daemon lost a block of its FIFO' : undefined;
  return {name, seconds: (performance.now() - startedAt) / 1000, problem, defect, lostCommands: 0};
}

async function performCase({name, test, mode, kinds, ours}: Run): Promise<Outcome> {
  const startedAt = performance.now();
  let problem: string | undefined;
  let lab: InteropLab | undefined;
  try {
    lab = await InteropLab.create({kinds, mode, ...test.options});
    const [n1, n2] = [lab.node('n1'), lab.node('n2')];
    const [mine, theirs] = ours === 'n1' ? [n1, n2] : [n2, n1];
    await test.run({lab, ours: mine, theirs, n1, n2, mode});
  } catch (error) {
    problem = (error as Error).message;
  }
  const overlaps = test.mayOverlap === undefined || problem !== undefined ? (lab?.overlaps() ?? []) : [];
  if (overlaps.length > 0) problem = `${problem ?? ''}\ntwo owners: ${overlaps.join('; ')}`.trim();
  const hasLostBlock = lab?.nodes.some((node) => node.kind === 'real' && losesBlocks(node.log())) ?? false;
  const defect = hasLostBlock && overlaps.length === 0 ? 'the real daemon lost a block of its FIFO' : undefined;
  const lostCommands = lab?.nodes.reduce((sum, node) => sum + node.lostCommands, 0) ?? 0;
  if (lab !== undefined && (problem !== undefined || values.keep)) tell(lab, name, problem ?? 'passed');
  await lab?.close();
  return {name, seconds: (performance.now() - startedAt) / 1000, problem, defect, lostCommands};
}

/** Leaves everything that explains the outcome in one folder. */
function tell(lab: InteropLab, name: string, problem: string): void {
  const directory = resultsOf(name);
  rmSync(directory, {recursive: true, force: true});
  mkdirSync(directory, {recursive: true});
  const calls = lab.nodes.flatMap((node) => node.calls().map((line) => line.replace(' ', ` RSC ${node.name} `)));
  const lines = [...lab.notes, ...calls, ...(lab.capture?.story() ?? [])];
  const at = (line: string) => Number(line.split(' ')[0]);
  lines.sort((one, other) => at(one) - at(other));
  const start = at(lines[0] ?? '0');
  const story = lines.map(
    (line) => `${(at(line) - start).toFixed(2).padStart(7)} ${line.slice(line.indexOf(' ') + 1)}`,
  );
  writeFileSync(`${directory}/story.txt`, `${name}: ${problem}\n\n${story.join('\n')}\n`);
  for (const node of lab.nodes) {
    for (const log of ['ha-log', 'ha-debug', 'ha-log.json']) {
      const path = `${node.machine.directory}/log/${log}`;
      if (existsSync(path)) copyFileSync(path, `${directory}/${node.name}.${node.kind}.${log}`);
    }
  }
  for (const path of lab.capture?.files() ?? []) copyFileSync(path, `${directory}/${path.split('/').at(-1)}`);
}

// `npm run bench:soak -- [--minutes N]`: are keepalives kept while both processors are taken by other processes? Two
// clusters at once: one with real-time priority at keepalive 20 ms / deadtime 100 ms, one without it at keepalive 100 ms /
// deadtime 1 s. Beside them one busy loop per processor and one that makes processes all the time. Counts deaths that
// were declared of a node that lives, late heartbeats and changes of the address's owner. Exit 1 when a node was declared dead.
// Only as long as asked (default 10 minutes); the machine is of no use for anything else meanwhile.

import {type ChildProcess, spawn} from 'node:child_process';
import {cpus} from 'node:os';
import {parseArgs} from 'node:util';
import {labObstacle} from '../src/lab/host.js';
import {type Contestant, Stage, sleep} from './stage.js';

const {values: options} = parseArgs({
  options: {minutes: {type: 'string', default: '10'}, contestant: {type: 'string', default: 'systole'}},
});
const minutes = Number(options.minutes);
if (!(minutes > 0)) throw new Error(`--minutes ${options.minutes}: not a number above 0`);
const kind = options.contestant === 'real' ? 'real' : 'systole';

const clusters = [
  {
    title: 'real-time priority, keepalive 20 ms, deadtime 100 ms',
    timing: {keepaliveMs: 20, warntimeMs: 50, deadtimeMs: 100, initdeadMs: 5000},
    haCf: ['realtime on'],
  },
  {
    title: 'normal priority, keepalive 100 ms, deadtime 1 s',
    timing: {keepaliveMs: 100, warntimeMs: 500, deadtimeMs: 1000, initdeadMs: 5000},
    haCf: ['realtime off'],
  },
] as const;

const obstacle = labObstacle();
if (obstacle) {
  process.stderr.write(`soak: cannot run here: ${obstacle}\n`);
  process.exit(1);
}

interface Tally {
  readonly title: string;
  readonly deaths: number;
  readonly late: number;
  readonly worstLateMs: number;
  readonly ownerChanges: number;
}

const stages: Stage[] = [];
const hogs: ChildProcess[] = [];
let tallies: Tally[] = [];
try {
  for (const {timing, haCf} of clusters) {
    const contestant: Contestant = {name: kind, kind};
    const stage = await Stage.open(contestant, timing, haCf);
    stages.push(stage);
    await stage.coldStart();
    await stage.settle();
    stage.prober.close(); // It would be starved, and see outages of its own.
  }
  const before = await Promise.all(stages.map((stage, index) => tally(stage, index)));
  for (let count = 0; count < cpus().length; count++) hogs.push(load('while :; do :; done'));
  hogs.push(load('while :; do /bin/true; done'));
  const endMs = performance.now() + minutes * 60_000;
  while (performance.now() < endMs) {
    await sleep(Math.min(30_000, endMs - performance.now()));
    const left = Math.max(0, Math.round((endMs - performance.now()) / 1000));
    const now = await Promise.all(stages.map((stage, index) => tally(stage, index)));
    process.stderr.write(
      `soak: ${left} s left; ${now.map(({deaths, late}) => `${deaths} deaths, ${late} late`).join(' | ')}\n`,
    );
  }
  tallies = (await Promise.all(stages.map((stage, index) => tally(stage, index)))).map((after, index) =>
    since(before[index]!, after),
  );
} finally {
  for (const hog of hogs) hog.stdin?.end();
  for (const stage of stages) await stage.close();
}
for (const {title, deaths, late, worstLateMs, ownerChanges} of tallies)
  process.stdout.write(
    `${title}, ${minutes} min: false deaths ${deaths}, late heartbeats ${late} (worst ${worstLateMs} ms), owner changes ${ownerChanges}\n`,
  );
process.exit(tallies.some(({deaths}) => deaths > 0) ? 1 : 0);

function load(script: string): ChildProcess {
  // Ends with us, however we end: its shell reads our pipe, and kills it when that is closed.
  return spawn('sh', ['-c', `(${script}) & hog=$!; trap 'kill $hog' EXIT; read _`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

/** From the logs of both nodes: they are what an administrator would count. */
async function tally(stage: Stage, index: number): Promise<Tally> {
  const texts = await Promise.all(stage.lab.nodes.map((node) => node.log()));
  const text = texts.join('\n');
  const lates = [...text.matchAll(/Late heartbeat: Node \S+?:? interval (\d+) ms/g)].map(([, ms]) => Number(ms));
  return {
    title: clusters[index]!.title,
    deaths: [...text.matchAll(/node \S+:? is dead/gi)].length,
    late: lates.length,
    worstLateMs: Math.max(0, ...lates),
    ownerChanges: [...text.matchAll(/(?:Acquiring|Releasing) resource group/g)].length,
  };
}

function since(before: Tally, after: Tally): Tally {
  return {
    ...after,
    deaths: after.deaths - before.deaths,
    late: after.late - before.late,
    ownerChanges: after.ownerChanges - before.ownerChanges,
  };
}

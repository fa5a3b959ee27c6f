// The situations that are measured. Each plays on a Stage and gives samples by measure name; which of them belong to one
// life of a cluster is decided here, so that a round boots its machines once.

import {measureRest} from './at-rest.js';
import {Carriers} from './carriers.js';
import {type Contestant, quick, Stage, sleep} from './stage.js';

export type Samples = Partial<Record<Measure, number[]>>;

export const measures = {
  crash: {title: 'crash: outage beyond deadtime 500 ms', unit: 'ms', target: 40, real: 470},
  crashOutage: {title: 'crash: outage', unit: 'ms', target: undefined, real: undefined},
  switch: {title: 'planned switch: client outage', unit: 'ms', target: 40, real: 620},
  service: {title: 'planned switch: command to service', unit: 'ms', target: 120, real: 1360},
  stop: {title: "graceful stop of owner's daemon: outage", unit: 'ms', target: 50, real: 570},
  cold: {title: "cold start: second daemon's start to service", unit: 'ms', target: 400, real: 12_500},
  standby: {title: 'hb_standby: command takes', unit: 'ms', target: 45, real: 47},
  rscstatus: {title: 'cl_status rscstatus: command takes', unit: 'ms', target: 45, real: undefined},
  cpu: {title: 'at rest, keepalive 1 s: processor', unit: '%', target: 0.5, real: 0.11},
  pss: {title: 'at rest: memory, PSS', unit: 'MB', target: 90, real: 10},
  alone: {title: 'at rest: memory, as if alone on its machine', unit: 'MB', target: undefined, real: undefined},
  packets: {title: 'at rest: packets sent per second', unit: '/s', target: undefined, real: undefined},
  healed: {title: 'healed 9 s partition: heal to one owner', unit: 'ms', target: 500, real: undefined},
  interrupted: {title: 'healed partition: keeper without address', unit: 'ms', target: 0, real: 20_000},
  healedClient: {title: 'healed partition: client outage', unit: 'ms', target: undefined, real: undefined},
} as const;

export type Measure = keyof typeof measures;

/** Measures that one life of a cluster gives, in the order of that life. */
const life: readonly Measure[] = ['cold', 'switch', 'service', 'standby', 'rscstatus', 'stop', 'crash', 'crashOutage'];

export interface Scene {
  readonly name: string;
  readonly gives: readonly Measure[];
  play(contestant: Contestant, wanted: ReadonlySet<Measure>, samples: Samples): Promise<void>;
}

export const scenes: readonly Scene[] = [
  {name: 'life', gives: life, play: playLife},
  {name: 'partition', gives: ['healed', 'interrupted', 'healedClient'], play: playPartition},
  {name: 'rest', gives: ['cpu', 'pss', 'alone', 'packets'], play: playRest},
];

/** Past the start-up bonus of the node that was started last. */
const YOUNG_MS = 5_200;

async function playLife(contestant: Contestant, wanted: ReadonlySet<Measure>, samples: Samples): Promise<void> {
  const stage = await Stage.open(contestant);
  const wants = (...names: Measure[]) => names.some((name) => wanted.has(name));
  try {
    const coldMs = await stage.coldStart();
    add(samples, 'cold', coldMs);
    if (!wants('switch', 'service', 'standby', 'rscstatus', 'stop', 'crash', 'crashOutage')) return;
    await stage.settle();
    // There and back, so that neither node's being the home node decides the result.
    if (wants('switch', 'service', 'standby'))
      for (let turn = 0; turn < 2; turn++) {
        await playSwitch(stage, samples);
        await stage.settle();
      }
    if (wants('rscstatus') && contestant.kind !== 'keepalived')
      for (let turn = 0; turn < 5; turn++) {
        const {tookMs} = await stage.lab.nodes[turn % 2]!.command('cl_status', 'rscstatus');
        add(samples, 'rscstatus', tookMs);
      }
    if (wants('stop')) {
      const owner = await stage.owner();
      await playOutage(stage, 'stop', samples, () => stage.stop(owner));
      if (wants('crash', 'crashOutage')) {
        await stage.start(owner);
        await stage.settle();
      }
    }
    if (wants('crash', 'crashOutage')) {
      // For its first five seconds a heartbeat node asks for a dead time two seconds longer. Then a random
      // moment between two keepalives.
      await sleep(YOUNG_MS + Math.random() * 100);
      const outageMs = await playOutage(stage, 'crashOutage', samples, async () => (await stage.owner()).powerCut());
      if (contestant.kind !== 'keepalived') add(samples, 'crash', outageMs - quick.deadtimeMs);
    }
  } finally {
    await stage.close();
  }
}

async function playSwitch(stage: Stage, samples: Samples): Promise<void> {
  const owner = await stage.owner();
  const taker = stage.lab.other(owner);
  await stage.prober.mark();
  const startedAt = performance.now();
  const served = stage.prober.answeredBy(taker.name, 30_000).then(() => performance.now() - startedAt);
  const tookMs = await stage.giveAway(owner);
  add(samples, 'service', await served);
  // A moment longer: an outage that begins late (the giver's address goes after the taker's came) belongs to it.
  await sleep(300);
  add(samples, 'switch', (await stage.prober.report()).outageMs);
  if (stage.contestant.kind !== 'keepalived') add(samples, 'standby', tookMs);
}

/** The client's outage around an event that takes the owner away. */
async function playOutage(stage: Stage, measure: Measure, samples: Samples, act: () => Promise<void>): Promise<number> {
  const taker = stage.lab.other(await stage.owner());
  await stage.prober.mark();
  const served = stage.prober.answeredBy(taker.name, 60_000);
  served.catch(() => {}); // Awaited below, after the act.
  await act();
  await served;
  await sleep(300);
  const {outageMs} = await stage.prober.report();
  add(samples, measure, outageMs);
  return outageMs;
}

/** Cut off from each other for 9 s, without fencing: both must serve; then the cables are back. */
async function playPartition(contestant: Contestant, _: ReadonlySet<Measure>, samples: Samples): Promise<void> {
  const stage = await Stage.open(contestant);
  const {lab} = stage;
  try {
    await stage.coldStart();
    await stage.settle();
    const carriers = await Carriers.follow(lab);
    const cutAt = performance.now();
    await Promise.all([lab.cutLink('eth0'), lab.cutLink('eth1')]);
    await sleep(9000 - (performance.now() - cutAt));
    if (carriers.now().length !== 2) throw new Error(`owners during the partition: ${carriers.now().join(' ')}`);
    await stage.prober.mark();
    const healedAt = performance.now();
    await Promise.all([lab.healLink('eth0'), lab.healLink('eth1')]);
    const endMs = healedAt + 90_000;
    const isStable = () => carriers.now().length === 1 && performance.now() - carriers.sinceMs() > 4000;
    while (!isStable() && performance.now() < endMs) await sleep(50);
    if (!isStable()) throw new Error(`owners 90 s after the heal: ${carriers.now().join(' ') || 'none'}`);
    const [keeper = ''] = carriers.now();
    add(samples, 'healed', carriers.sinceMs() - healedAt);
    add(
      samples,
      'interrupted',
      carriers.timeWhere(healedAt, (owners) => !owners.includes(keeper)),
    );
    add(samples, 'healedClient', (await stage.prober.report()).outageMs);
    carriers.close();
  } finally {
    await stage.close();
  }
}

async function playRest(contestant: Contestant, _: ReadonlySet<Measure>, samples: Samples): Promise<void> {
  const stage = await Stage.open(contestant, {
    keepaliveMs: 1000,
    warntimeMs: 3000,
    deadtimeMs: 5000,
    initdeadMs: 10_000,
  });
  try {
    await stage.coldStart();
    await stage.settle();
    stage.prober.close(); // Its packets are not the daemon's.
    await sleep(5000);
    // The dearer node counts.
    const nodes = await measureRest(stage.lab, 20);
    add(samples, 'cpu', Math.max(...nodes.map(({cpuPercent}) => cpuPercent)));
    add(samples, 'pss', Math.max(...nodes.map(({pssMb}) => pssMb)));
    add(samples, 'alone', Math.max(...nodes.map(({aloneMb}) => aloneMb)));
    add(samples, 'packets', Math.max(...nodes.map(({packetsPerSecond}) => packetsPerSecond)));
  } finally {
    await stage.close();
  }
}

function add(samples: Samples, measure: Measure, value: number): void {
  samples[measure] = [...(samples[measure] ?? []), value];
}

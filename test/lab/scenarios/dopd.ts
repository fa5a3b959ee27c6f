// The outdating of a peer, again and again: no answer that is not true, whoever sits at the other end, and how long it takes. The
// judge is cuts.ts, which believes kernels only.

import assert from 'node:assert/strict';
import {CutJudge, type Load, plan, summary} from '../cuts.js';
import type {Guest} from '../guest.js';
import {bringBack, median, type Run, ready, readyOn, type Scenarios, seconds, withSettings} from '../run.js';
import {FENCED, type Settings} from '../settings.js';
import {until} from '../slow.js';

/** As docs/drbd.md recommends them. */
const FAST: Partial<Settings> = {net: 'timeout 10; ping-int 1; ping-timeout 10; connect-int 1;'};
const COUNT = Number(process.env['SYSTOLE_LAB_CUTS'] ?? 20);
const PEER_COUNT = Number(process.env['SYSTOLE_LAB_CUTS'] ?? 6);
const OUTDATED_MS = 2000;

export const scenarios: Scenarios = {
  cuts: {
    about: `${COUNT} cuts of the replication link, with the timers that are recommended: no untrue answer; outdated within 2 s`,
    order: 210,
    play: (run) =>
      withSettings(run, FAST, async () => {
        const active = await ready(run);
        const slowness = await slownessOf(active);
        const judge = await cutAgain(run, active, COUNT, 'cuts');
        const tookMs = median(judge.results.map((each) => each.outdatedMs));
        assert.ok(
          tookMs <= OUTDATED_MS * slowness,
          `outdated ${seconds(tookMs)} after the Primary had noticed (median)`,
        );
      }),
  },

  'cuts-slow-timers': {
    about: 'the same with slow timers: the standby has not noticed when it is asked',
    order: 220,
    play: async (run) => {
      await cutAgain(run, await ready(run), PEER_COUNT, 'cuts-slow');
    },
  },

  'cuts-frozen': {
    about:
      'the same where writes are frozen until the answer is there: they go on each time, also when the link is back first',
    order: 225,
    play: (run) =>
      withSettings(run, {...FAST, ...FENCED}, async () => {
        const active = await ready(run);
        const shots = run.power.cuts.length;
        await cutAgain(run, active, PEER_COUNT, 'cuts-frozen');
        assert.equal((await run.cluster.see(active))?.minor?.isSuspended, false, 'the writes stay frozen');
        assert.equal(run.power.cuts.length, shots, 'somebody was shot');
      }),
  },

  'cuts-debian-helper': {
    about: "the same with Debian's drbd-peer-outdater and our dopd",
    order: 230,
    play: (run) =>
      withSettings(run, {...FAST, hasDebianHelper: true}, async () => {
        await cutAgain(run, await ready(run), PEER_COUNT, 'cuts-debian');
      }),
  },

  'cuts-mixed': {
    about: 'the same with the original dopd at the other end: asked by ours, and asking ours',
    order: 240,
    kinds: ['mixed'],
    play: (run) => withSettings(run, FAST, () => cutBothRoles(run)),
  },

  'dead-standby': {
    about: 'the standby loses power: its disk is booked as Outdated, and rows go on',
    order: 250,
    kinds: ['systole', 'mixed'],
    play: (run) => withSettings(run, FAST, () => deadStandby(run)),
  },

  'dead-primary': {
    about:
      'the Primary loses power: the promotion asks once, is answered 5 at once, and books the old Primary as Outdated',
    order: 260,
    kinds: ['systole', 'mixed'],
    play: (run) => withSettings(run, FAST, () => deadPrimary(run)),
  },
};

async function cutAgain(run: Run, active: Guest, count: number, name: string, isStrict = true): Promise<CutJudge> {
  const before = await run.written();
  const judge = new CutJudge(run.cluster, active, databaseLoad(active));
  await judge.start();
  try {
    for (const cut of plan(count)) {
      const result = await judge.cut(cut);
      process.stdout.write(`  ${name} ${JSON.stringify(result)}\n`);
      if (isStrict) assert.equal(result.untrue, undefined, `${name}: ${result.untrue}`);
    }
  } finally {
    await judge.stop();
  }
  process.stdout.write(`  ${name}: ${summary(judge.results)}\n`);
  assert.ok(
    judge.results.filter((each) => each.answer === 4).length * 2 >= count,
    'hardly any cut was answered with 4',
  );
  await run.serving(await run.written(), 60_000);
  await run.note(name, before, summary(judge.results));
  return judge;
}

/** A node that runs the original believes its own helper, whose 5 ("no dopd here at this moment") is none of ours. */
async function cutBothRoles(run: Run): Promise<void> {
  for (const kind of ['systole', 'real'] as const) {
    const active = await readyOn(run, kind);
    const judge = await cutAgain(run, active, PEER_COUNT, `cuts by ${kind}`, kind === 'systole');
    const untrue = judge.results.filter(({answer, untrue}) => untrue !== undefined && (answer === 3 || answer === 4));
    assert.equal(untrue.length, 0, `an untrue answer: ${untrue[0]?.untrue}`);
  }
}

async function deadStandby(run: Run): Promise<void> {
  const {cluster} = run;
  const active = await ready(run);
  const standby = cluster.other(active);
  const before = await run.written();
  const since = await kernelTime(active);
  const cutMs = performance.now();
  await standby.powerCut();
  const isBooked = async () => (await cluster.see(active))?.minor?.peerDisk === 'Outdated';
  await until(isBooked, {timeoutMs: 60_000, everyMs: 200, what: () => 'the dead standby is not booked as Outdated'});
  const tookMs = performance.now() - cutMs;
  const calls = await helperCalls(active, since);
  assert.deepEqual(
    calls.map(({value}) => value),
    [5],
  );
  await run.serving(await run.written(), 30_000);
  await bringBack(run, standby);
  assert.equal(await cluster.active(10_000), active);
  await run.note('dead-standby', before, `booked as Outdated after ${seconds(tookMs)}`);
}

async function deadPrimary(run: Run): Promise<void> {
  const {cluster} = run;
  const active = await ready(run);
  const heir = cluster.other(active);
  const before = await run.written();
  const since = await kernelTime(heir);
  await active.powerCut();
  assert.equal(await cluster.active(120_000), heir);
  assert.equal((await cluster.see(heir))?.minor?.peerDisk, 'Outdated');
  const calls = await helperCalls(heir, since);
  assert.ok(calls.length > 0 && calls.every(({value}) => value === 5), JSON.stringify(calls));
  await run.serving(await run.written(), 90_000);
  await bringBack(run, active);
  const longest = Math.max(...calls.map(({tookMs}) => tookMs));
  await run.note('dead-primary', before, `asked ${calls.length} times, at most ${seconds(longest)}`);
}

interface HelperCall {
  readonly value: number;
  readonly tookMs: number;
}

/** From the kernel's log: each call of the handler after that moment, its answer, and how long it took. */
async function helperCalls(guest: Guest, since: number): Promise<readonly HelperCall[]> {
  const lines = (await guest.exec('dmesg')).stdout.split('\n').filter((line) => stampOf(line) > since);
  const began = lines.filter((line) => /helper command: \S+ fence-peer \S+\s*$/.test(line));
  const ended = lines.filter((line) => /helper command: \S+ fence-peer \S+ exit code /.test(line));
  return ended.map((line, at) => ({
    value: Number(/exit code (\d+)/.exec(line)?.[1]),
    tookMs: (stampOf(line) - stampOf(began[at] ?? '')) * 1000,
  }));
}

async function kernelTime(guest: Guest): Promise<number> {
  return Number((await guest.run('cut -d " " -f 1 /proc/uptime')).trim());
}

function stampOf(line: string): number {
  return Number(/^\[\s*([\d.]+)\]/.exec(line)?.[1]);
}

/** The writer writes all the time; a lock on all tables holds it. */
function databaseLoad(active: Guest): Load {
  const flag = '/run/lab/quiet';
  return {
    pause: async () => {
      const hold = `(echo "FLUSH TABLES WITH READ LOCK;"; while test -e ${flag}; do sleep 0.3; done) | mariadb --defaults-file=/etc/my.cnf`;
      await active.run(`touch ${flag}; nohup sh -c '${hold}' >/dev/null 2>&1 &`);
      // What the engine still has to write is written by then.
      await new Promise((resolve) => setTimeout(resolve, 1500));
    },
    resume: async () => {
      await active.run(`rm -f ${flag}`);
    },
  };
}

/** A lab that shares its processors with others: how much longer than on a quiet machine (0.2 s) does a start of drbdadm take? */
async function slownessOf(guest: Guest): Promise<number> {
  const times = await guest.run(
    'for i in 1 2 3; do s=$(date +%s%N); drbdadm sh-resources >/dev/null 2>&1; echo $(( ($(date +%s%N) - s) / 1000000 )); done',
  );
  const tookMs = median(times.trim().split('\n').map(Number));
  return Math.max(1, tookMs / 300);
}

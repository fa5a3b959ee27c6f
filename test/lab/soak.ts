// `npm run soak -- --minutes N [--seed S] [--stonith]`: random faults from a seed, with real DRBD and MariaDB and a client that writes
// all the time. One fault after another; after each everything is healed, and then the service must answer, both disks be good and
// every acknowledged row be there, in bounded time. Two Primaries or two mounts: never. With --stonith each node may shoot the other,
// and faults are made that can only be survived so. The same seed gives the same faults in the same order; how the guests'
// threads run beside each other it cannot give. Stops at the first failure and keeps the logs.

import assert from 'node:assert/strict';
import {both} from './cluster.js';
import {dropFiller, makeSpace, mendLower} from './disk-faults.js';
import * as faults from './faults.js';
import type {Guest} from './guest.js';
import {bringBack, type Row, type Run, seconds} from './run.js';
import {DEFAULTS, FENCED} from './settings.js';
import {SLOW, until} from './slow.js';
import {allScenarios, Stage, table} from './stage.js';

const SERVED_WITHIN_MS = 180_000;
/** From the moment that a node is heard again to the last shot that was meant for it. */
const SHOT_MS = 6000;

export async function soak(words: readonly string[]): Promise<number> {
  const minutes = numberAfter(words, '--minutes') ?? 10;
  const seed = numberAfter(words, '--seed') ?? Math.trunc(Date.now() / 1000) % 1_000_000;
  const isFenced = words.includes('--stonith');
  const name = `seed ${seed}${isFenced ? ' --stonith' : ''}`;
  const rows: Row[] = [];
  const counts = new Map<string, number>();
  say(`soak: ${minutes} minutes, ${name}`);
  const startedMs = performance.now();
  let failure: unknown;
  const stage = await Stage.make(['systole', 'systole'], rows);
  if (isFenced) stage.run.cluster.settings = {...DEFAULTS, ...FENCED};
  try {
    await stage.play('first-start', (await allScenarios()).get('first-start'));
    const random = new faults.Dice(seed);
    const endMs = performance.now() + minutes * 60_000;
    while (performance.now() < endMs) {
      const fault = await oneFault(stage.run, random, startedMs);
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
      assert.deepEqual(stage.run.watch.violations, []);
    }
    assert.ok(counts.size > 0, 'no fault was made');
  } catch (error) {
    failure = error;
    say(`FAILED (${name}): ${error instanceof Error ? error.stack : error}`);
    await stage.explain();
  } finally {
    await stage.close(failure === undefined ? undefined : `soak-${seed}`);
  }
  const made = [...counts.values()].reduce((sum, each) => sum + each, 0);
  process.stdout.write(table(['systole'], rows));
  say(`soak: ${name}, ${seconds(performance.now() - startedMs)}, ${made} faults:`);
  for (const [fault, count] of [...counts].sort()) say(`  ${String(count).padStart(3)} ${fault}`);
  say(`tests: ${made} passed, ${failure === undefined ? 0 : 1} failed, 0 skipped`);
  return failure === undefined ? 0 : 1;
}

async function oneFault(run: Run, dice: faults.Dice, startedMs: number): Promise<string> {
  const {cluster} = run;
  const active = await cluster.active(30_000);
  const name = dice.pick(cluster.settings.hasStonith ? faults.FENCED_WEIGHTS : faults.WEIGHTS);
  const fault = faults.FAULTS[name];
  assert.ok(fault, name);
  const before = await run.written();
  await run.client.mark();
  const tell = (text: string): void => say(`${seconds(performance.now() - startedMs).padStart(9)}  ${name}: ${text}`);
  await fault({run, active, standby: cluster.other(active), dice, tell});
  const healedMs = performance.now();
  await heal(run);
  // A full disk is healed where it is served, if need be in the moments of a start that fails for want of space.
  await Promise.all([run.serving(await run.written(), SERVED_WITHIN_MS), makeSpace(cluster, SERVED_WITHIN_MS)]);
  await cluster.synchronised();
  const now = await cluster.active(60_000);
  await dropFiller(now);
  const note = `healed after ${seconds(performance.now() - healedMs)}; ${now === active ? 'stayed' : `now on ${now.name}`}`;
  await run.note(name, before, note);
  tell(note);
  return name;
}

/** With STONITH a shot may be on its way while everything is put right; then it has to be done once more. */
async function heal(run: Run): Promise<void> {
  const {power} = run;
  const {guests, settings} = run.cluster;
  const areOn = (): boolean => guests.every((guest) => guest.isOn);
  for (let tries = 0; tries < 3; tries += 1) {
    const shots = power.cuts.length;
    await healOnce(run).catch((error: unknown) => {
      if (!settings.hasStonith || areOn()) throw error;
    });
    if (!settings.hasStonith) return;
    await new Promise((resolve) => setTimeout(resolve, SHOT_MS * SLOW));
    if (areOn() && power.cuts.length === shots) return;
  }
  throw new Error('somebody is shot again and again');
}

/** As an administrator would: cables, power, disks, daemons that were stopped. */
async function healOnce(run: Run): Promise<void> {
  const {cluster} = run;
  await faults.healCables(run);
  for (const guest of cluster.guests) if (guest.isPaused) await guest.resume();
  const off = cluster.guests.filter((guest) => !guest.isOn);
  await both(off, (guest) => bringBack(run, guest, false));
  await both(
    cluster.guests.filter((guest) => !off.includes(guest)),
    async (guest) => {
      await startIfStopped(run, guest);
      await mendLower(guest);
    },
  );
}

async function startIfStopped({cluster}: Run, guest: Guest): Promise<void> {
  const isRunning = async (): Promise<boolean> => (await cluster.tryCommand(guest, 'cl_status hbstatus')) === 0;
  if (await isRunning()) return;
  await cluster.start(guest);
  await until(isRunning, {timeoutMs: 60_000, everyMs: 1000, what: () => `${guest.name}: the daemon does not start`});
}

function numberAfter(words: readonly string[], flag: string): number | undefined {
  const at = words.indexOf(flag);
  if (at < 0) return undefined;
  const number = Number(words[at + 1]);
  assert.ok(Number.isFinite(number) && number > 0, `${flag} needs a number`);
  return number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

// Nodes that cannot be told from dead ones. With STONITH each may cut the other's power over a cable of its own, and then never are
// there two Primaries, however long somebody was away. Without it nothing on earth can prevent them; what is promised then is
// asserted too: it is said before, it ends by itself, and no data is discarded by anybody.

import assert from 'node:assert/strict';
import type {Seen} from '../cluster.js';
import type {Guest} from '../guest.js';
import * as network from '../network.js';
import {bringBack, log, type Run, ready, type Scenarios, seconds, statusOf, withSettings} from '../run.js';
import {FENCED} from '../settings.js';
import {SLOW, until} from '../slow.js';

export const scenarios: Scenarios = {
  'partition-stonith': {
    about: 'all links cut, with STONITH: one node is left, and has every row',
    order: 130,
    play: (run) => withSettings(run, FENCED, () => partition(run)),
  },

  'pause-stonith': {
    about: 'the active node stands still for 3 x deadtime, with STONITH: it does not wake',
    order: 140,
    play: (run) => withSettings(run, FENCED, () => pauseFenced(run)),
  },

  pause: {
    about: 'the same without STONITH: the woken node yields at once, the rows are those of the node that took over',
    order: 150,
    play: pauseUnfenced,
  },

  partition: {
    about:
      'all links cut, without STONITH: two Primaries cannot be prevented; status says so before, one yields after, nothing is discarded',
    order: 160,
    play: partitionUnfenced,
  },
};

async function partition(run: Run): Promise<void> {
  const {cluster, power} = run;
  await ready(run);
  const before = await run.written();
  const cuts = power.cuts.length;
  // The nodes lose each other, the clients both of them: the true partition.
  await network.isolate('eth0', true);
  await network.cutCable(1, 'eth1');
  await until(() => power.cuts.length > cuts, {timeoutMs: 90_000, everyMs: 100, what: () => 'nobody is fenced'});
  const shot = power.cuts.at(-1);
  const left = await cluster.active(120_000);
  assert.notEqual(left.name, shot);
  await run.serving(await run.written(), 90_000);
  await network.isolate('eth0', false);
  await network.healCable(1, 'eth1');
  await bringBack(run, cluster.other(left));
  assert.equal(power.cuts.length, cuts + 1, 'more than one node was shot');
  assert.equal(await cluster.active(10_000), left, 'the group moved after the partition');
  await run.note('partition-stonith', before, `${shot} was shot`);
}

async function pauseFenced(run: Run): Promise<void> {
  const {cluster, power} = run;
  const active = await ready(run);
  const standby = cluster.other(active);
  const before = await run.written();
  const cuts = power.cuts.length;
  const pausedMs = performance.now();
  await active.pause();
  await until(() => power.cuts.length > cuts, {timeoutMs: 60_000, everyMs: 100, what: () => 'nobody is fenced'});
  const shotMs = performance.now() - pausedMs;
  assert.deepEqual(power.cuts.slice(cuts), [active.name]);
  assert.ok(!active.isOn);
  assert.equal(await cluster.active(120_000), standby);
  assert.match(await log(standby), new RegExp(`node ${active.name} now reset`));
  await run.serving(await run.written(), 90_000);
  await bringBack(run, active);
  assert.equal(await cluster.active(10_000), standby);
  await run.note('pause-stonith', before, `shot after ${seconds(shotMs)}`);
}

async function pauseUnfenced(run: Run): Promise<void> {
  const {cluster, watch} = run;
  const active = await ready(run);
  const standby = cluster.other(active);
  const before = await run.written();
  const pausedMs = performance.now();
  await active.pause();
  assert.equal(await cluster.active(120_000), standby);
  await run.serving(await run.written(), 90_000);
  await pause(Math.max(0, 24_000 * SLOW - (performance.now() - pausedMs)));
  watch.isExcused = true;
  const wokenMs = performance.now();
  await active.resume();
  await until(async () => isPassive(await cluster.see(active)), {
    timeoutMs: 60_000,
    everyMs: 100,
    what: () => `${active.name} does not yield`,
  });
  const tookMs = performance.now() - wokenMs;
  watch.isExcused = false;
  assert.equal(await cluster.active(5000), standby, 'the node that took over let go');
  await run.serving(await run.written(), 60_000);
  const {lost} = await run.client.verify();
  assert.equal(lost, 0);
  await repair(run, {good: standby, bad: active});
  await run.note('pause', before, `yielded ${seconds(tookMs)} after it woke`);
}

/** Each node may have rows that the other lacks, so none may be lost only from there on where it ends. */
async function partitionUnfenced(run: Run): Promise<void> {
  const {cluster, watch} = run;
  const active = await ready(run);
  const standby = cluster.other(active);
  for (const guest of cluster.guests)
    assert.ok((await statusOf(guest)).warnings.some((text) => /no fencing is configured/.test(text)));
  watch.isExcused = true;
  await network.isolate('eth0', true);
  await network.cutCable(1, 'eth1');
  await until(async () => (await cluster.see(standby))?.isMounted, {
    timeoutMs: 120_000,
    everyMs: 500,
    what: () => 'the other node takes nothing over: this scenario proves nothing',
  });
  const seen = watch.excused;
  await pause(5000);
  assert.ok(watch.excused > seen, 'there are no two Primaries: this scenario proves nothing');
  const warned = await statusOf(standby);
  await network.isolate('eth0', false);
  await network.healCable(1, 'eth1');
  const left = await until(
    async () => {
      const passive = [];
      for (const guest of cluster.guests) if (isPassive(await cluster.see(guest))) passive.push(guest);
      return passive.length === 1 ? cluster.other(passive[0] as Guest) : undefined;
    },
    {timeoutMs: 60_000, everyMs: 200, what: () => 'nobody yields'},
  );
  watch.isExcused = false;
  assert.equal(left, standby, 'the node that took over last keeps the group');
  assert.match(await log(left), /Both machines own/);
  assert.ok(warned.warnings.length > 0);
  // DRBD must still have both copies: somebody has to look at them first.
  await pause(10_000);
  const minors = await Promise.all(cluster.guests.map(async (guest) => (await cluster.see(guest))?.minor));
  assert.ok(
    minors.some((minor) => minor?.connection === 'StandAlone'),
    'DRBD sees no split brain',
  );
  for (const minor of minors) assert.ok(minor?.disk !== 'Inconsistent', 'a copy was discarded by itself');
  const {lost} = await run.client.verify();
  await repair(run, {good: left, bad: cluster.other(left)});
  const {outageMs, acknowledged: written} = await run.client.report();
  const note = 'two Primaries; rows that were on the other copy only';
  run.rows.push({scenario: 'partition', outageMs, written, lost: Number(lost), note});
  // Rows of the discarded copy are gone by the operator's decision; from here on none may be.
  await run.renew();
}

function isPassive(seen: Seen | undefined): boolean {
  return seen?.minor?.role === 'Secondary' && !seen.isMounted && !seen.hasAddress;
}

/** What an operator does who has looked at both copies. */
async function repair({cluster}: Run, {good, bad}: {readonly good: Guest; readonly bad: Guest}): Promise<void> {
  const isGood = await cluster.synchronised(8000).then(
    () => true,
    () => false,
  );
  if (isGood) return;
  await bad.run('drbdadm disconnect data; drbdadm secondary data && drbdadm connect --discard-my-data data', 30_000);
  await good.exec('drbdadm connect data', 30_000);
  await cluster.synchronised();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Cut cables: of the replication, of the heartbeats, of both.

import assert from 'node:assert/strict';
import {packageRoot} from '../../../src/lab/host.js';
import * as faults from '../faults.js';
import type {Guest} from '../guest.js';
import * as network from '../network.js';
import {
  bringBack,
  during,
  HA_LOG,
  log,
  median,
  type Run,
  ready,
  readyOn,
  type Scenarios,
  seconds,
  statusOf,
  stopwatch,
} from '../run.js';
import {SLOW, until} from '../slow.js';

/** From the line in the standby's log to its kernel's word. */
const OUTDATED_MS = 2000;
/** The median of so many counts: what else this machine does may hold up one. */
const CUTS = 3;

export const scenarios: Scenarios = {
  // The peer is outdated although its DRBD believes itself connected, and says so truthfully, in time.
  'link-cut': {
    about: 'the replication link alone is lost: the standby is outdated, truthfully and in time',
    order: 50,
    isCore: true,
    kinds: ['systole', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const before = await run.written();
      const times: number[] = [];
      for (let cut = 0; cut < CUTS; cut += 1) {
        times.push(await outdatedByCut(run, active));
        await run.serving(await run.written(), 30_000);
        await network.healCable(1, 'eth1');
        await cluster.synchronised();
      }
      const said = `outdated ${times.map(seconds).join(', ')} after it was asked`;
      // Of a mixed pair nothing is promised: the original asks by a slower helper, and writes no line when it is asked.
      if (cluster.kinds.every((kind) => kind === 'systole')) assert.ok(median(times) <= OUTDATED_MS * SLOW, said);
      await run.note('link-cut', before, said);
    },
  },

  // The original: the group stays down for ever once the good node is back, or, four times of six, old data is promoted.
  'outdated-refuses': {
    about:
      'link cut, then the Primary loses power: the Outdated standby refuses, says why, and the service returns by itself',
    order: 60,
    kinds: ['systole', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      // The standby is ours: the original promotes the old copy, or stays down for ever.
      const active = await readyOn(run, 'real');
      const standby = cluster.other(active);
      const before = await run.written();
      await network.cutCable(1, 'eth1');
      await until(async () => (await cluster.see(standby))?.minor?.disk === 'Outdated', {
        timeoutMs: 40_000,
        everyMs: 200,
        what: () => 'the standby is not outdated',
      });
      // Rows that only the Primary has: without them a promotion would lose nothing.
      await run.serving((await run.written()) + 30, 60_000);
      const logged = (await log(standby)).length;
      await active.powerCut();
      const saysDead = async () => (await log(standby)).slice(logged).includes(`node ${active.name}: is dead`);
      await until(saysDead, {timeoutMs: 60_000, everyMs: 500, what: () => 'the death is not noticed'});
      await during(25_000, async () => {
        const seen = await cluster.see(standby);
        assert.ok(seen?.minor?.role === 'Secondary' && !seen.isMounted, 'old data was promoted');
        assert.ok(!seen.hasAddress || seen.minor.disk === 'Outdated', 'the address is up without its database');
      });
      assert.match((await log(standby)).slice(logged), /Outdated/, 'the log does not say why');
      const [group] = (await statusOf(standby)).groups;
      assert.ok(group && group.owner === undefined, 'status names an owner of a group that does not run');
      assert.match(group.reason ?? '', /Outdated/, 'status does not say why');
      // The program that people use says the same; it loads slowly here.
      const said = await standby.exec(`${packageRoot}/bin/systole status`, 240_000);
      assert.match(said.stdout, /why: .*Outdated/);
      await network.healCable(1, 'eth1');
      await bringBack(run, active);
      await run.serving(await run.written(), 120_000);
      await run.note('outdated-refuses', before, `"${(group.reason ?? '').slice(0, 60)}..."`);
    },
  },

  'one-heartbeat-cut': {
    about: 'the nodes lose each other on eth0, one heartbeat link of two: nothing moves',
    order: 70,
    kinds: ['systole', 'real', 'mixed'],
    play: (run) => nothingMoves(run, 'one-heartbeat-cut', 25_000, isolate),
  },

  // Each node believes the other dead. DRBD knows better: its peer is connected and Primary.
  'heartbeats-cut': {
    about: 'all heartbeats are lost, replication passes: the standby sees a connected Primary and leaves it alone',
    order: 80,
    play: (run) => nothingMoves(run, 'heartbeats-cut', 40_000, dropHeartbeats),
  },

  // A start that has only asked for its disk must not outrank the node that serves.
  'heartbeats-return': {
    about: 'the heartbeats are back the moment that the standby has begun to ask for the disk: nothing moves',
    order: 85,
    play: (run) => nothingMoves(run, 'heartbeats-return', 0, dropHeartbeatsUntilAsked),
  },
};

type Cut = (run: Run) => Promise<{heal(): Promise<void>; hasCut(): Promise<boolean>}>;

async function isolate({cluster}: Run): ReturnType<Cut> {
  await network.isolate('eth0', true);
  const silent = /Link data-1-\d:eth0 dead/;
  return {
    heal: () => network.isolate('eth0', false),
    hasCut: async () => silent.test((await log(cluster.guests[0])).slice(-4000)),
  };
}

async function dropHeartbeats(run: Run): ReturnType<Cut> {
  await faults.dropHeartbeats(run);
  return {
    heal: () => faults.passHeartbeats(run),
    hasCut: async () => {
      const said = await Promise.all(run.cluster.guests.map(log));
      return said.every((text) => /node data-1-\d: is dead/.test(text.slice(-6000)));
    },
  };
}

async function dropHeartbeatsUntilAsked(run: Run): ReturnType<Cut> {
  const logged = await Promise.all(run.cluster.guests.map(async (guest) => (await log(guest)).length));
  await faults.dropHeartbeats(run);
  return {
    heal: () => faults.passHeartbeats(run),
    hasCut: async () => {
      const said = await Promise.all(run.cluster.guests.map(log));
      return said.some((text, index) => /Running \S+drbddisk data start/.test(text.slice(logged[index])));
    },
  };
}

/** For so long; with 0 as long as it takes to be noticed. */
async function nothingMoves(run: Run, name: string, forMs: number, cut: Cut): Promise<void> {
  const {cluster} = run;
  const active = await ready(run);
  const standby = cluster.other(active);
  const before = await run.written();
  const {heal, hasCut} = await cut(run);
  const stays = async (): Promise<void> => {
    const [here, there] = [await cluster.see(active), await cluster.see(standby)];
    assert.ok(here?.minor?.role === 'Primary' && here.isMounted && here.hasAddress, `${active.name} let go`);
    assert.ok(there?.minor?.role === 'Secondary' && !there.isMounted, `${standby.name} took the disk`);
    assert.ok(!there.hasAddress, `${standby.name} took the address`);
  };
  let isCut = false;
  await during(forMs * SLOW, async () => {
    await stays();
    isCut ||= await hasCut();
  });
  const noticed = async (): Promise<boolean> => isCut || (await hasCut());
  const what = (): string => 'nobody noticed that anything was cut';
  await until(noticed, {timeoutMs: forMs === 0 ? 60_000 : 1000, everyMs: 100, what});
  await heal();
  await during(20_000, stays);
  await cluster.synchronised(60_000);
  await run.serving(await run.written(), 30_000);
  const {outageMs} = await run.client.report();
  assert.ok(outageMs < 8000 * SLOW, `an outage of ${seconds(outageMs)} although nothing moved`);
  await run.note(name, before, 'nothing moved');
}

/** Cuts the replication link, and waits until both kernels know that the standby is Outdated. Milliseconds from the asking to that. */
async function outdatedByCut({cluster}: Run, active: Guest): Promise<number> {
  const standby = cluster.other(active);
  // Debian's dopd writes nothing when it is asked, only what it answers.
  const pattern = 'asks this node to outdate data|sending return code';
  const read = await stopwatch(standby, [
    {file: HA_LOG, pattern},
    {file: '/proc/drbd', pattern: '^ *0: .* ds:Outdated/'},
  ]);
  await network.cutCable(1, 'eth1');
  await until(async () => (await cluster.see(standby))?.minor?.disk === 'Outdated', {
    timeoutMs: 60_000,
    everyMs: 200,
    what: () => 'the standby is not outdated',
  });
  const [asked, outdated] = await read();
  assert.ok(asked && outdated);
  await until(async () => (await cluster.see(active))?.minor?.peerDisk === 'Outdated', {
    timeoutMs: 20_000,
    everyMs: 200,
    what: () => 'the Primary does not learn of it',
  });
  // The later end of the one look, the earlier end of the other: never too short.
  return Math.max(0, outdated.foundMs - asked.missedMs);
}

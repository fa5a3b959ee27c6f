// The faults of the soak. Each is made in a cluster in which all is well and leaves what it broke broken, for soak.ts to heal. Only
// faults for which zero lost rows and one Primary can be promised: a partition of all links and a pause longer than deadtime only
// with STONITH.

import assert from 'node:assert/strict';
import {both} from './cluster.js';
import {failLower, fill} from './disk-faults.js';
import type {Guest} from './guest.js';
import * as network from './network.js';
import {askToMove, type Run} from './run.js';
import {SLOW, until} from './slow.js';

export interface Fault {
  readonly run: Run;
  readonly active: Guest;
  readonly standby: Guest;
  readonly dice: Dice;
  readonly tell: (text: string) => void;
}

/** mulberry32: small, and the same everywhere. */
export class Dice {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  isHeads(): boolean {
    return this.next() < 0.5;
  }

  pick(weights: Readonly<Record<string, number>>): string {
    const all = Object.entries(weights);
    let left = this.next() * all.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of all) {
      left -= weight;
      if (left < 0) return name;
    }
    return all.at(-1)?.[0] ?? '';
  }
}

export const WEIGHTS: Readonly<Record<string, number>> = {
  'power-active': 4,
  'power-standby': 2,
  'power-both': 1,
  'link-cut': 3,
  'link-then-power': 2,
  'heartbeat-cut': 2,
  'heartbeats-cut': 2,
  'short-pause': 2,
  'kill-process': 4,
  'kill-database': 2,
  move: 4,
  'stop-start': 2,
  'disk-errors': 1,
  'full-disk': 1,
};

export const FENCED_WEIGHTS: Readonly<Record<string, number>> = {...WEIGHTS, partition: 2, 'long-pause': 2};

export const FAULTS: Readonly<Record<string, (fault: Fault) => Promise<void>>> = {
  'power-active': async ({active, dice, tell}) => {
    const ms = dice.between(0, 40_000);
    tell(`${active.name}, for ${said(ms)}`);
    await active.powerCut();
    await pause(ms);
  },
  'power-standby': async ({standby, dice, tell}) => {
    const ms = dice.between(0, 30_000);
    tell(`${standby.name}, for ${said(ms)}`);
    await standby.powerCut();
    await pause(ms);
  },
  'power-both': async ({active, standby, dice, tell}) => {
    const ms = dice.between(0, 3000);
    tell(`both, ${said(ms)} apart`);
    await active.powerCut();
    await pause(ms);
    await standby.powerCut();
  },
  'link-cut': async ({dice, tell, run}) => {
    const [number, ms, isCarrier] = [dice.isHeads() ? 1 : 2, dice.between(1000, 30_000), dice.isHeads()];
    tell(`eth1 of node ${number}, ${isCarrier ? 'pulled' : 'frames vanish'}, for ${said(ms)}`);
    const guest = run.cluster.guests[number - 1];
    if (isCarrier) await guest?.carrier('eth1', false);
    else await network.cutCable(number, 'eth1');
    await pause(ms);
  },
  // The Outdated node must not serve while the good one is away.
  'link-then-power': async ({run, active, standby, dice, tell}) => {
    tell(`${active.name} goes on alone, then loses its power`);
    await network.cutCable(1, 'eth1');
    const isOutdated = async () => (await run.cluster.see(standby))?.minor?.disk === 'Outdated';
    await until(isOutdated, {timeoutMs: 60_000, everyMs: 200, what: () => 'the standby is not outdated'});
    await run.serving(await run.written(), 60_000);
    await active.powerCut();
    await pause(dice.between(5000, 30_000));
  },
  'heartbeat-cut': async ({dice, tell}) => {
    const ms = dice.between(2000, 25_000);
    tell(`eth0 between the nodes, for ${said(ms)}`);
    await network.isolate('eth0', true);
    await pause(ms);
  },
  'heartbeats-cut': async ({run, dice, tell}) => {
    const ms = dice.between(2000, 25_000);
    tell(`all heartbeats, replication passes, for ${said(ms)}`);
    await dropHeartbeats(run);
    await pause(ms);
  },
  'short-pause': async ({active, standby, dice, tell}) => {
    const [guest, ms] = [dice.isHeads() ? active : standby, dice.between(500, 4000)];
    tell(`${guest.name}, for ${said(ms)}`);
    await guest.pause();
    await pause(ms);
    await guest.resume();
  },
  'kill-process': async ({active, standby, dice, tell}) => {
    const guest = dice.isHeads() ? active : standby;
    const word = dice.pick({manager: 2, messaging: 2, dopd: 1});
    const pid = Number((await guest.run(`pgrep -f ${PROCESSES[word]}`)).split('\n')[0]);
    assert.ok(pid > 1, `${word} of ${guest.name} does not run`);
    tell(`${word} of ${guest.name}, pid ${pid}`);
    await guest.run(`kill -9 ${pid}`);
    await pause(dice.between(0, 8000));
  },
  'kill-database': async ({active, dice, tell}) => {
    tell(active.name);
    await active.run('kill -9 $(pidof mariadbd)');
    await pause(dice.between(0, 8000));
  },
  move: async ({run, active, standby, dice, tell}) => {
    const [by, word] = dice.isHeads() ? ([active, 'hb_standby all'] as const) : ([standby, 'hb_takeover all'] as const);
    tell(`${word} on ${by.name}`);
    await askToMove(run, by, word);
    await until(async () => (await run.cluster.active(60_000)) === standby, {
      timeoutMs: 180_000,
      everyMs: 500,
      what: () => `the group does not move to ${standby.name}`,
    });
  },
  'stop-start': async ({run, active, standby, dice, tell}) => {
    const guest = dice.isHeads() ? active : standby;
    tell(`the daemon of ${guest.name}`);
    await run.cluster.stop(guest);
    await pause(dice.between(0, 10_000));
    await run.cluster.start(guest);
  },
  'disk-errors': async ({run, active, dice, tell}) => {
    const ms = dice.between(1000, 15_000);
    tell(`the disk of ${active.name}, for ${said(ms)}`);
    await failLower(run.cluster, active);
    await pause(ms);
  },
  'full-disk': async ({active, dice, tell}) => {
    const ms = dice.between(1000, 15_000);
    tell(`no space for ${said(ms)}, on ${active.name}`);
    const words = await fill(active);
    tell(words.trim().slice(0, 60));
    await pause(ms);
  },
  // One is shot, and none but one.
  partition: async ({run: {power}, dice, tell}) => {
    const ms = dice.between(10_000, 30_000) * SLOW;
    const cuts = power.cuts.length;
    tell(`all links between the nodes, for ${said(ms)}`);
    const endMs = performance.now() + ms;
    await network.isolate('eth0', true);
    await network.cutCable(1, 'eth1');
    await until(() => power.cuts.length > cuts, {timeoutMs: 90_000, everyMs: 100, what: () => 'nobody is shot'});
    await pause(Math.max(0, endMs - performance.now()));
    assert.equal(power.cuts.length, cuts + 1, 'more than one node was shot');
    tell(`${power.cuts.at(-1)} was shot`);
  },
  // Two to three times deadtime: it is shot meanwhile, or wakes.
  'long-pause': async ({active, standby, dice, tell}) => {
    const [guest, ms] = [dice.isHeads() ? active : standby, dice.between(16_000, 24_000) * SLOW];
    tell(`${guest.name}, for ${said(ms)}`);
    await guest.pause();
    await pause(ms);
    if (!guest.isOn) tell('it was shot');
  },
};

/** Patterns that do not find the shell which they are looked for with. */
const PROCESSES: Readonly<Record<string, string>> = {
  manager: "'^[h]eartbeat: master control'",
  messaging: "'^[s]ystole: messaging'",
  dopd: "'bin/[d]opd'",
};

const RULES = [
  'add table inet lab',
  'add chain inet lab in { type filter hook input priority 0; }',
  'add rule inet lab in udp dport 694 drop',
];

/** The heartbeats alone, filtered in the guests: the host's kernel may have no filter for bridges. */
export async function dropHeartbeats({cluster}: Run): Promise<void> {
  await both(cluster.guests, async (guest) => {
    await guest.run(`printf '%s\\n' ${RULES.map((rule) => `'${rule}'`).join(' ')} | nft -f -`);
  });
}

export async function passHeartbeats({cluster}: Run): Promise<void> {
  await both(
    cluster.guests.filter((guest) => guest.isOn && !guest.isPaused),
    async (guest) => {
      await guest.exec('nft delete table inet lab');
    },
  );
}

export async function healCables(run: Run): Promise<void> {
  await network.isolate('eth0', false);
  for (const guest of run.cluster.guests) {
    await network.healCable(guest.number, 'eth1');
    if (guest.isOn) await guest.carrier('eth1', true);
  }
  await passHeartbeats(run);
}

function said(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

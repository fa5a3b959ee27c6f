// What every administrator does or meets: the first start from empty disks, a power cut, the return of the node, planned moves.

import assert from 'node:assert/strict';
import {until} from '../../../src/lab/wait.js';
import {both} from '../cluster.js';
import type {Guest} from '../guest.js';
import {ready, type Scenarios, seconds} from '../run.js';

export const scenarios: Scenarios = {
  'first-start': {
    about: 'from empty disks by the documented commands',
    order: 10,
    isCore: true,
    kinds: ['systole', 'real'],
    play: async (run) => {
      const {cluster} = run;
      await cluster.firstStart();
      await cluster.synchronised();
      const startedMs = performance.now();
      await both(cluster.guests, (guest) => cluster.start(guest));
      await cluster.active(180_000);
      run.writer = await cluster.writer();
      await run.serving(0, 90_000);
      await run.client.mark();
      await run.note('first-start', 0, `start to service ${seconds(performance.now() - startedMs)}`);
    },
  },

  'power-cut': {
    about: 'the active node loses power: the standby takes over at once',
    order: 20,
    isCore: true,
    kinds: ['systole', 'real'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const before = await run.written();
      const cutMs = performance.now();
      await active.powerCut();
      const now = await cluster.active(120_000);
      assert.equal(now, cluster.other(active));
      const activeMs = performance.now() - cutMs;
      await run.serving(await run.written(), 90_000);
      await run.note('power-cut', before, `active after ${seconds(activeMs)}`);
    },
  },

  return: {
    about: 'it comes back and is synchronised; nothing moves',
    order: 30,
    isCore: true,
    kinds: ['systole', 'real'],
    play: async (run) => {
      const {cluster} = run;
      const active = await cluster.active(10_000);
      const returning = cluster.other(active);
      assert.ok(!returning.isOn);
      const before = await run.written();
      await returning.boot();
      await cluster.configure(returning);
      await cluster.start(returning);
      await until(async () => (await cluster.see(returning))?.minor !== undefined || drbdUp(returning), {
        timeoutMs: 60_000,
        everyMs: 1000,
        what: () => 'DRBD does not come up on the node that returned',
      });
      await cluster.synchronised();
      assert.equal(await cluster.active(10_000), active, 'the group moved by itself');
      await run.note('return', before, 'nothing moved');
    },
  },

  'planned-move': {
    about: 'hb_standby there and back',
    order: 40,
    isCore: true,
    kinds: ['systole', 'real'],
    play: async (run) => {
      const {cluster} = run;
      const from = await ready(run);
      for (const target of [cluster.other(from), from]) {
        const before = await run.written();
        const source = cluster.other(target);
        await cluster.command(source, 'hb_standby all');
        await until(async () => (await cluster.active(60_000)) === target, {
          timeoutMs: 120_000,
          everyMs: 500,
          what: () => `the group does not move to ${target.name}`,
        });
        // Rows went on being acknowledged while the move began: what counts is that they do again.
        await run.serving(await run.written(), 90_000);
        await run.note(target === from ? 'move back' : 'planned move', before);
        await cluster.synchronised();
      }
    },
  },
};

/** haresources starts nothing on a standby, so DRBD there comes up by hand or at boot, as an administrator's would. */
async function drbdUp(guest: Guest): Promise<boolean> {
  return (await guest.exec('drbdadm up data')).code === 0;
}

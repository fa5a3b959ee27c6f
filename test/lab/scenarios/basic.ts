// What every administrator does or meets: the first start from empty disks, a power cut, the return of the node, planned moves.

import assert from 'node:assert/strict';
import {both} from '../cluster.js';
import {
  askToMove,
  bringBack,
  deathWatch,
  during,
  HA_LOG,
  log,
  type Run,
  ready,
  type Scenarios,
  seconds,
  statusOf,
  stopwatch,
  withSettings,
} from '../run.js';
import {HARESOURCES} from '../settings.js';
import {SLOW, until} from '../slow.js';

export const scenarios: Scenarios = {
  'first-start': {
    about: 'from empty disks by the documented commands',
    order: 10,
    isCore: true,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      await cluster.firstStart();
      await cluster.synchronised();
      const startedMs = performance.now();
      await both(cluster.guests, (guest) => cluster.start(guest));
      await cluster.active(180_000);
      run.writer = await cluster.writer();
      await run.serving(0, 90_000);
      const tookMs = performance.now() - startedMs;
      await canCount(run);
      await run.client.mark();
      await run.note('first-start', 0, `start to service ${seconds(tookMs)}`);
    },
  },

  'power-cut': {
    about: 'the active node loses power: the standby takes over at once',
    order: 20,
    isCore: true,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const standby = cluster.other(active);
      const before = await run.written();
      const watch = await deathWatch(standby);
      await active.powerCut();
      assert.equal(await cluster.active(120_000), standby);
      await run.serving(await run.written(), 90_000);
      const tookMs = await watch.toServiceMs(run);
      await run.note('power-cut', before, `served ${seconds(tookMs)} after the death was declared`, tookMs);
    },
  },

  return: {
    about: 'it comes back and is synchronised; nothing moves',
    order: 30,
    isCore: true,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await cluster.active(10_000);
      const returning = cluster.other(active);
      if (returning.isOn) await returning.powerCut();
      await run.serving(await run.written(), 60_000);
      await run.client.mark();
      const before = await run.written();
      await bringBack(run, returning);
      assert.equal(await cluster.active(10_000), active, 'the group moved by itself');
      await run.note('return', before, 'nothing moved');
    },
  },

  // DRBD still shows a connected Primary when Heartbeat has called it dead: the kernel is made to ping it.
  'power-cut-unnoticed': {
    about:
      'a power cut that DRBD has not noticed when the death is declared: the kernel asks, and the standby takes over',
    order: 32,
    play: (run) =>
      withSettings(run, {net: `timeout ${300 * SLOW}; ping-int ${30 * SLOW}; ping-timeout ${30 * SLOW};`}, async () => {
        const {cluster} = run;
        const active = await ready(run);
        const standby = cluster.other(active);
        const before = await run.written();
        const read = await stopwatch(standby, [
          {file: HA_LOG, pattern: 'Running \\S*/drbddisk data start'},
          {file: '/proc/drbd', pattern: '^ *0: cs:(NetworkFailure|Unconnected|WFConnection) '},
        ]);
        await active.powerCut();
        assert.equal(await cluster.active(120_000), standby);
        await run.serving(await run.written(), 90_000);
        const [asked, noticed] = await read();
        assert.ok(asked && noticed && noticed.missedMs > asked.missedMs, 'DRBD has noticed by itself');
        const note = `DRBD noticed ${seconds(noticed.foundMs - asked.missedMs)} after it was asked`;
        await bringBack(run, active);
        await run.note('power-cut-unnoticed', before, note);
      }),
  },

  // The original starts the old copy: every row since the first power cut is gone.
  'old-copy-alone': {
    about: 'both lose their power one after the other, and the one that had the older data boots alone: it waits',
    order: 35,
    play: async (run) => {
      const {cluster} = run;
      const first = await ready(run);
      const last = cluster.other(first);
      await first.powerCut();
      assert.equal(await cluster.active(120_000), last);
      // Rows that only the last one has.
      await run.serving((await run.written()) + 30, 90_000);
      const before = await run.written();
      await last.powerCut();
      await bringBack(run, first, false);
      const saysDead = async () => /node data-1-\d: is dead[\s\S]*is not started here/.test(await log(first));
      await until(saysDead, {timeoutMs: 90_000, everyMs: 500, what: () => 'it does not say why it waits'});
      await during(20_000, async () => {
        const seen = await cluster.see(first);
        assert.ok(seen?.minor?.role === 'Secondary' && !seen.hasAddress, 'old data was promoted');
      });
      const [group] = (await statusOf(first)).groups;
      assert.match(group?.reason ?? '', /Consistent here: the other node may have gone on writing/);
      await bringBack(run, last, false);
      await run.serving(before, 120_000);
      await cluster.synchronised();
      await run.note('old-copy-alone', before, 'waited for the newer one');
    },
  },

  'planned-move': {
    about: 'hb_standby there and back',
    order: 40,
    isCore: true,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const from = await ready(run);
      for (const target of [cluster.other(from), from]) {
        const before = await run.written();
        const source = cluster.other(target);
        await askToMove(run, source, 'hb_standby all');
        await until(async () => (await cluster.active(60_000)) === target, {
          timeoutMs: 120_000,
          everyMs: 500,
          what: () => `the group does not move to ${target.name}`,
        });
        // Rows went on being acknowledged while the move began: what counts is that they do again.
        await run.serving(await run.written(), 90_000);
        const {outageMs} = await run.client.report();
        await run.note(target === from ? 'move back' : 'planned move', before, '', outageMs);
        await cluster.synchronised();
      }
    },
  },

  // The second worked example as its guide tests it: stop heartbeat on the active node, then look at the other.
  'worked-example': {
    about:
      'the second worked example as it stands: heartbeat is stopped on the active node, hb_takeover local brings it home',
    order: 45,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const home = cluster.guests[0];
      const active = await ready(run);
      const standby = cluster.other(active);
      for (const guest of cluster.guests) assert.equal(await guest.run('cat /etc/ha.d/haresources'), HARESOURCES);
      let before = await run.written();
      await cluster.stop(active);
      assert.equal(await cluster.active(120_000), standby);
      await run.serving(await run.written(), 90_000);
      assert.match(await standby.run('ip addr show dev eth0'), /inet 10\.0\.0\.17\/24 /);
      assert.match(await standby.run('cat /proc/drbd'), / ro:Primary\/Secondary ds:UpToDate\/UpToDate /);
      assert.match(await standby.run('df -h'), /^\/dev\/drbd0 .* \/data$/m);
      assert.match(await standby.run('ss -ltn'), /:3306 /);
      assert.equal((await cluster.see(active))?.hasAddress, false, 'the node that was stopped keeps the address');
      await run.note('worked-example', before, 'heartbeat was stopped');
      await cluster.start(active);
      await during(10_000, async () => assert.equal(await cluster.active(1000), standby, 'the group moved by itself'));
      if (standby === home) return;
      before = await run.written();
      await askToMove(run, home, 'hb_takeover local');
      await until(async () => (await cluster.active(60_000)) === home, {
        timeoutMs: 120_000,
        everyMs: 500,
        what: () => 'hb_takeover local does not bring the group home',
      });
      await run.serving(await run.written(), 90_000);
      await run.note('hb_takeover', before, 'home again');
    },
  },
};

/** A control: a row taken away behind the writer's back must be missed. */
async function canCount(run: Run): Promise<void> {
  const active = await run.cluster.active(10_000);
  const sql = (words: string): Promise<string> =>
    active.run(`mariadb --defaults-file=/etc/my.cnf -N demo -e "${words}"`, 60_000);
  // Not the first: a row of the time before the service answered was never acknowledged.
  const id = Number(await sql('SELECT id FROM entries ORDER BY id LIMIT 1 OFFSET 10'));
  await sql(`DELETE FROM entries WHERE id = ${id}`);
  assert.equal((await run.client.verify()).lost, 1, 'a lost row is not noticed');
  await sql(`INSERT INTO entries (id) VALUES (${id})`);
}

// What a disk does to the service: a lower device that fails or is replaced, copies that differ, a file system without space.

import assert from 'node:assert/strict';
import {packageRoot} from '../../../src/lab/host.js';
import type {Cluster} from '../cluster.js';
import {dropFiller, exchangeLower, failLower, fill, makeSpace, mendLower, scribble} from '../disk-faults.js';
import type {Guest} from '../guest.js';
import {during, log, moveAway, type Run, ready, type Scenarios, statusOf, withSettings} from '../run.js';
import {DEFAULTS} from '../settings.js';
import {until} from '../slow.js';

export const scenarios: Scenarios = {
  'disk-errors': {
    about:
      "errors on the Primary's lower device: it is detached, and the service goes on with the other node's disk, or there",
    order: 110,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const before = await run.written();
      await failLower(cluster, active);
      await run.serving((await run.written()) + 30, 120_000);
      const served = await cluster.active(30_000);
      await mendLower(active);
      await cluster.synchronised();
      await run.serving(await run.written(), 60_000);
      await run.note('disk-errors', before, served === active ? 'went on without a disk' : `moved to ${served.name}`);
    },
  },

  'disk-replaced': {
    about:
      "the active node's disk fails and an empty one takes its place, by docs/drbd.md: moved away, synchronised, moved back",
    order: 112,
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const other = cluster.other(active);
      const before = await run.written();
      await failLower(cluster, active);
      assert.equal(await healthOf(active), 1, 'a node without its disk passes for healthy');
      await moveAway(run, active);
      await cluster.stop(active);
      await active.run('drbdadm down data');
      await exchangeLower(active);
      await active.run('drbdadm create-md data </dev/null && drbdadm up data', 60_000);
      await cluster.start(active);
      await cluster.synchronised();
      assert.equal(await healthOf(active), 0);
      await moveAway(run, other);
      await run.note('disk-replaced', before, 'away, an empty disk, and back');
    },
  },

  'copies-differ': {
    about: 'drbdadm verify finds blocks that differ: said, nothing moves there until they are synchronised again',
    order: 114,
    play: (run) => withSettings(run, {net: `${DEFAULTS.net} verify-alg crc32c;`}, () => copiesDiffer(run)),
  },

  'full-disk': {
    about: 'the file system is full: the client gets errors, nothing flaps, and it goes on once there is space',
    order: 120,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const before = await run.written();
      const started = startsIn(await log(active));
      const said = await fill(active);
      assert.match(said, /full|No space|errno: 28|ERROR 1114|ERROR 1021|ERROR 1030/i);
      await during(20_000, async () => {
        assert.equal(await cluster.active(1000), active, 'the group moved');
      });
      if (cluster.kindOf(active) === 'systole') {
        const [group] = (await statusOf(active)).groups;
        assert.equal(group?.state, 'running');
        assert.equal(group.failCount, 0);
      }
      assert.equal(startsIn(await log(active)), started, 'the group was started again');
      await makeSpace(cluster, 10_000);
      await run.serving(await run.written(), 120_000);
      await dropFiller(active);
      await run.note('full-disk', before, `the client was told: ${said.trim().slice(0, 50)}`);
    },
  },
};

async function copiesDiffer(run: Run): Promise<void> {
  const {cluster} = run;
  const active = await ready(run);
  const standby = cluster.other(active);
  const before = await run.written();
  await scribble(standby);
  await active.run('drbdadm verify data', 30_000);
  const isKnown = async (guest: Guest) => isEstablished(cluster, guest, (kib) => kib > 0);
  const areKnown = async () => (await isKnown(active)) && (await isKnown(standby));
  await until(areKnown, {timeoutMs: 240_000, everyMs: 1000, what: () => 'the verification finds nothing'});
  for (const guest of [active, standby]) assert.equal(await healthOf(guest), 1, `${guest.name} calls it healthy`);
  const refused = await active.exec(`${packageRoot}/bin/hb_standby all`, 120_000);
  assert.equal(refused.code, 3, refused.stdout + refused.stderr);
  assert.match(refused.stderr, /data-1-\d cannot take .+ KiB.* differ/);
  assert.equal(await cluster.active(5000), active, 'it moved all the same');
  await standby.run('drbdadm disconnect data && drbdadm connect data', 30_000);
  await cluster.synchronised();
  const isGone = async () => isEstablished(cluster, active, (kib) => kib === 0);
  await until(isGone, {timeoutMs: 60_000, everyMs: 500, what: () => 'the blocks are not synchronised'});
  await moveAway(run, active);
  await run.note('copies-differ', before, 'refused until synchronised, then moved');
}

async function isEstablished(
  cluster: Cluster,
  guest: Guest,
  holds: (outOfSyncKib: number) => boolean,
): Promise<boolean> {
  const minor = (await cluster.see(guest))?.minor;
  return minor?.replication === 'Established' && holds(minor.outOfSyncKib ?? 0);
}

/** Exit code of `systole drbd status`, as monitoring sees it. */
async function healthOf(guest: Guest): Promise<number> {
  return (await guest.exec(`${packageRoot}/bin/systole drbd status`, 120_000)).code;
}

function startsIn(text: string): number {
  return text.split('\n').filter((line) => /GROUP_RUNNING|is running here|mysqld.* start/.test(line)).length;
}

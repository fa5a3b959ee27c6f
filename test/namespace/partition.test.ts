// Cut and healed links, pauses and late heartbeats between two daemons in two namespaces: nothing moves without need,
// and after every disturbance exactly one node owns the group.
import assert from 'node:assert/strict';
import {serviceAddress} from '../../src/lab/network.js';
import {until} from '../../src/lab/wait.js';
import {type Cluster, clusterTest, ownedBy, settled, startBoth} from '../helpers/cluster.js';

/** Longer than the deadtime of 1 s by far, so that a takeover would have happened. */
const timing = {keepaliveMs: 100, warntimeMs: 300, deadtimeMs: 1000, initdeadMs: 10_000};

async function linkIs({n1, n2}: Cluster, link: string, state: 'up' | 'dead'): Promise<void> {
  const says = async () => {
    const [ofN2, ofN1] = await Promise.all([
      n1.command('cl_status', 'hblinkstatus', 'n2', link),
      n2.command('cl_status', 'hblinkstatus', 'n1', link),
    ]);
    return ofN2.stdout.trim() === state && ofN1.stdout.trim() === state;
  };
  await until(says, {timeoutMs: 15_000, what: () => `${link} does not become ${state}`, everyMs: 50});
}

clusterTest('one link of two is cut and healed: it is reported, and nothing moves', {timing}, async (cluster) => {
  const {lab, watch} = cluster;
  await startBoth(cluster);
  const before = watch.events;
  await lab.cutLink('eth1');
  await linkIs(cluster, 'eth1', 'dead');
  await settled(cluster);
  await lab.healLink('eth1');
  await linkIs(cluster, 'eth1', 'up');
  await settled(cluster);
  assert.deepEqual(watch.events, before, 'nothing moved');
});

clusterTest(
  'both links are cut, then heal: without fencing both serve; afterwards one does, without a break',
  {timing},
  async (cluster) => {
    const {lab, n2, prober, watch} = cluster;
    await startBoth(cluster);
    const before = watch.events.length;
    await lab.partition();
    await until(async () => (await lab.owners()).length === 2, {
      timeoutMs: 20_000,
      what: () => 'n2 does not take over',
    });
    await until(async () => (await n2.machine.exec('pgrep -f neighbour.pl')).code !== 0, {
      timeoutMs: 10_000,
      what: () => 'n2 announces for ever',
    });
    // The client asked while both answered, and believed the one that will let go.
    const entry = (number: number) => `lladdr 02:77:00:00:00:0${number}`;
    await lab.client.run(`ip neigh replace ${serviceAddress} ${entry(1)} dev service nud permanent`);
    await lab.client.run(`ip neigh change ${serviceAddress} ${entry(1)} dev service nud reachable`);
    await lab.healPartition();
    await until(async () => (await lab.owners()).length === 1, {timeoutMs: 5000, what: () => 'both keep the group'});
    const [winner] = await lab.owners();
    await prober.answeredBy(winner ?? '', 5000);
    // It announced the address again: the entry would have stayed wrong for 30 s.
    assert.match(
      await lab.client.run(`ip neigh show ${serviceAddress}`),
      new RegExp(entry(cluster.lab.node(winner!).number)),
    );
    await settled(cluster);
    assert.deepEqual(await lab.owners(), [winner]);
    // The node that keeps the group never lost the address in between.
    assert.equal(
      watch.events.slice(before).filter(({node, carries}) => node === winner && !carries).length,
      0,
      JSON.stringify(watch.events),
    );
  },
);

clusterTest('a paused node: the other takes over; when it wakes up, one owner remains', {timing}, async (cluster) => {
  const {lab, n1} = cluster;
  await startBoth(cluster);
  await n1.pause();
  await until(async () => (await lab.owners()).includes('n2'), {
    timeoutMs: 20_000,
    what: () => 'n2 does not take over',
  });
  await n1.resume();
  await until(async () => (await lab.owners()).length === 1, {timeoutMs: 5000, what: () => 'both keep the group'});
  await settled(cluster);
  assert.equal((await lab.owners()).length, 1);
});

clusterTest('a late heartbeat is reported and moves nothing', {timing}, async (cluster) => {
  const {n1, n2, watch} = cluster;
  await startBoth(cluster);
  const before = watch.events;
  await n1.pause();
  // The disturbance itself: longer than warntime, shorter than deadtime.
  await new Promise((resolve) => setTimeout(resolve, 550));
  await n1.resume();
  await until(async () => /Late heartbeat: Node n1/.test(await n2.log()), {
    timeoutMs: 5000,
    what: () => 'no word of the late heartbeat',
  });
  await ownedBy(cluster, n1, 1000);
  assert.deepEqual(watch.events, before, 'nothing moved');
});

// Two daemons in two namespaces, one service address: who owns it, seen from the nodes' kernels and from a client, when
// a node starts, dies, stops or gives the group away.
import assert from 'node:assert/strict';
import {clusterTest, ownedBy, settled, startBoth} from '../helpers/cluster.js';

// `ip monitor` stamps what it reads when it gets a CPU: a smaller overlap may be the scheduler's.
const stampMs = 50;

clusterTest('two nodes start: the home node owns the group, the other does not', {}, async (cluster) => {
  await startBoth(cluster);
  assert.deepEqual(await cluster.lab.owners(), ['n1']);
  assert.ok(cluster.watch.events.every(({node}) => node === 'n1'));
});

clusterTest(
  'power cut: the other node takes over, the dead one returns without taking back, and may serve again',
  {},
  async (cluster) => {
    const {n1, n2, prober, watch} = cluster;
    await startBoth(cluster);
    await prober.mark();
    await n1.powerCut();
    await prober.answeredBy('n2', 20_000);
    await n1.powerOn();
    await watch.add(n1);
    await n1.start();
    await settled(cluster);
    assert.deepEqual(await cluster.lab.owners(), ['n2'], 'auto_failback is off');
    await n2.powerCut();
    await prober.answeredBy('n1', 20_000);
    assert.ok(watch.overlapMs === 0, 'a node without power owns nothing');
  },
);

clusterTest(
  'graceful stop: the group moves, never on both, and the stopped node holds nothing',
  {},
  async (cluster) => {
    const {n1, n2, prober, watch} = cluster;
    await startBoth(cluster);
    await prober.mark();
    await n1.stop();
    await ownedBy(cluster, n2);
    assert.notEqual((await n1.machine.exec(n1.daemon.status)).code, 0, 'the daemon is gone');
    assert.ok(watch.overlapMs < stampMs, JSON.stringify(watch.events));
  },
);

clusterTest('hb_standby and back: the group moves twice, never on both', {}, async (cluster) => {
  const {n1, n2, watch} = cluster;
  await startBoth(cluster);
  for (const [giver, taker] of [
    [n1, n2],
    [n2, n1],
  ] as const) {
    const {code, stderr} = await giver.command('hb_standby');
    assert.equal(code, 0, stderr);
    await ownedBy(cluster, taker);
    await settled(cluster);
  }
  assert.ok(watch.overlapMs < stampMs, JSON.stringify(watch.events));
});

// Goal: floods of garbage, full disks and killed processes cost no takeover and no service. Method: two daemons in namespaces,
// one service address, a third machine that floods; the address is watched by the kernels. docs/bad-input.md lists every case.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {packageRoot} from '../../src/lab/host.js';
import type {LabNode} from '../../src/lab/lab.js';
import {until} from '../../src/lab/wait.js';
import {type Cluster, clusterTest, settled, startBoth} from '../helpers/cluster.js';

const timing = {keepaliveMs: 100, warntimeMs: 500, deadtimeMs: 1000, initdeadMs: 10_000};
const FLOOD_S = 30;

/** No word of a death on either node. */
async function noDeath({lab}: Cluster): Promise<void> {
  for (const node of lab.nodes) {
    const bad = (await node.log()).split('\n').filter((line) => /is dead|Both machines own/.test(line));
    assert.deepEqual(bad, [], node.name);
  }
}

/** As the host numbers them, by the name that the process gave itself. */
async function pidOf(node: LabNode, title: string): Promise<number> {
  const found = await node.machine.exec(`pgrep -f '^${title}'`);
  return Number(found.stdout.split('\n')[0]);
}

async function rssKb(node: LabNode, title: string): Promise<number> {
  const text = await node.machine.run(`grep VmRSS /proc/$(pgrep -f '^${title}' | head -n 1)/status`);
  return Number(/\d+/.exec(text)?.[0]);
}

const messaging = 'systole: messaging';
const manager = 'heartbeat: master';

clusterTest(
  `garbage, forged and half-right packets at 20 000 a second for ${FLOOD_S} s: nobody is held dead, memory is flat`,
  {timing},
  async (cluster) => {
    const {lab, n1, watch} = cluster;
    await startBoth(cluster);
    const before = watch.events;
    // Warm: the first packets make the run-time take its working memory.
    const flood = (seconds: number) =>
      lab.client.run(
        `${process.execPath} ${packageRoot}/dist/test/helpers/flooder.js 10.77.0.1 694 20000 ${seconds} n2`,
        {timeoutMs: (seconds + 20) * 1000},
      );
    await flood(3);
    const startKb = await rssKb(n1, messaging);
    const sent = Number(await flood(FLOOD_S));
    const endKb = await rssKb(n1, messaging);
    assert.ok(sent >= FLOOD_S * 15_000, `only ${sent} packets were sent`);
    assert.ok(endKb - startKb < 16_000, `messaging grew from ${startKb} to ${endKb} kB`);
    await settled(cluster);
    await noDeath(cluster);
    assert.deepEqual(watch.events, before, 'nothing moved');
    const noise = (await n1.log()).split('\n').filter((line) => /authentication failed|refused/.test(line));
    assert.ok(noise.length > 0 && noise.length < 20, `${noise.length} lines about it`);
  },
);

clusterTest(
  'kill -9 of the manager, then of messaging, on both nodes: nothing is stopped or started twice, nobody is dead',
  {timing},
  async (cluster) => {
    const {lab, prober, watch} = cluster;
    await startBoth(cluster);
    const before = watch.events;
    await prober.mark();
    for (const node of lab.nodes) {
      for (const title of [manager, messaging]) {
        const old = await pidOf(node, title);
        await node.machine.run(`kill -9 ${old}`);
        const isReplaced = async () => {
          const now = await pidOf(node, title);
          return now > 0 && now !== old;
        };
        await until(isReplaced, {timeoutMs: 10_000, what: () => `${node.name}: no new ${title}`, everyMs: 50});
        await settled(cluster);
      }
    }
    assert.deepEqual(watch.events, before, 'nothing moved');
    const {outageMs} = await prober.report();
    // The kernel keeps the address throughout; four starts of Node beside it may keep the responder waiting for a CPU.
    assert.ok(outageMs < 1000, `the client saw ${outageMs} ms without an answer`);
    await noDeath(cluster);
    for (const node of lab.nodes) {
      const actions = (await node.log()).split('\n').filter((line) => /Running .* (start|stop)$/.test(line));
      // A restarted manager announces the address again by a start, which finds it there.
      assert.ok(!actions.some((line) => / stop$/.test(line)), actions.join('\n'));
      if (node.name === 'n2') assert.deepEqual(actions, []);
    }
  },
);

clusterTest(
  'full disks for logs, state and run files: the service stays, moves on request, and both processes are replaced',
  {timing},
  async (cluster) => {
    const {n1, n2, watch} = cluster;
    await startBoth(cluster);
    const before = watch.events;
    // A small disk over each directory, filled to the last byte; the daemon holds its old files open, so it is told to reopen.
    const fill = (path: string) =>
      `mount -t tmpfs -o size=256k,mode=755 full ${path}; cp -a /keep/. ${path}/ 2>/dev/null; cat /dev/zero >${path}/filler 2>/dev/null; true`;
    await n1.machine.run(
      `mkdir -p /keep; cp -a /var/lib/heartbeat/hb_* /keep/; ${fill('/var/lib/heartbeat')}; rm -rf /keep`,
    );
    await n1.machine.run(fill('/var/log'));
    await n1.machine.run(`kill -HUP ${await pidOf(n1, manager)}`);
    await settled(cluster);
    assert.deepEqual(watch.events, before, 'nothing moved');
    // State: a messaging process that starts writes the generation.
    for (const title of [messaging, manager]) {
      const old = await pidOf(n1, title);
      await n1.machine.run(`kill -9 ${old}`);
      await until(async () => ![0, old].includes(await pidOf(n1, title)), {
        timeoutMs: 10_000,
        what: () => `no new ${title}`,
        everyMs: 50,
      });
      await settled(cluster);
    }
    assert.deepEqual(watch.events, before, 'nothing moved');
    const standby = await n1.command('hb_standby');
    assert.equal(standby.code, 0, standby.stderr);
    await cluster.prober.answeredBy('n2', 10_000);
    await settled(cluster);
    const bad = (await n2.log()).split('\n').filter((line) => /is dead/.test(line));
    assert.deepEqual(bad, []);
    // With room again the loss is told, and lines are written.
    await n1.machine.run('rm /var/log/filler');
    await n1.command('hb_takeover');
    await until(async () => (await n1.log()).includes('could not be written'), {
      timeoutMs: 10_000,
      what: () => 'no word of the lost lines',
    });
  },
);

clusterTest('no room for the journal of scripts: groups start and stop all the same', {timing}, async (cluster) => {
  const {n1, n2} = cluster;
  for (const node of [n1, n2])
    await node.machine.run(
      'mkdir -p /run/heartbeat/scripts; mount -t tmpfs -o nr_inodes=1 full /run/heartbeat/scripts',
    );
  await startBoth(cluster);
  assert.match(readFileSync(`${n1.machine.directory}/log/ha-log`, 'utf8'), /is running/);
  const standby = await n1.command('hb_standby');
  assert.equal(standby.code, 0, standby.stderr);
  await cluster.prober.answeredBy('n2', 10_000);
});

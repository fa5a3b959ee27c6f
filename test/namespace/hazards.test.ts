// Goal: the hazards of docs/hazards.md on real machines: deaths in mid-release and mid-start, a failing start, a cut in one
// direction, and a database. Method: namespaces; agents with a slow or failing part; the kernels say who owns the address.

import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, writeFileSync} from 'node:fs';
import {Writer} from '../../src/lab/client.js';
import {Lab} from '../../src/lab/lab.js';
import {databasePrograms, installDatabase} from '../../src/lab/mariadb.js';
import {serviceAddress} from '../../src/lab/network.js';
import {until} from '../../src/lab/wait.js';
import {type Cluster, clusterTest, ownedBy, settled, startBoth} from '../helpers/cluster.js';
import {labTest} from '../helpers/lab-test.js';

const timing = {keepaliveMs: 100, warntimeMs: 500, deadtimeMs: 1000, initdeadMs: 10_000};
const address = `IPaddr::${serviceAddress}/24/eth0`;
const haresources = () => `n1 ${address} Slow`;

/** An agent whose actions sleep as a file on that node says, or fail. */
function installSlow(lab: Lab): void {
  for (const {machine} of lab.nodes) {
    mkdirSync(`${machine.directory}/ha.d/resource.d`, {recursive: true});
    const file = `${machine.directory}/ha.d/resource.d/Slow`;
    writeFileSync(
      file,
      `#!/bin/sh
[ -e "/run/slow-$1" ] && { echo "$1" >>/run/slow-began; sleep 30; }
[ -e "/run/fail-$1" ] && exit 1
case $1 in start) : >/run/slow ;; stop) rm -f /run/slow ;; status) [ -e /run/slow ] && echo running || echo stopped ;; esac
`,
    );
    chmodSync(file, 0o755);
  }
}

async function slowStarted(cluster: Cluster): Promise<void> {
  installSlow(cluster.lab);
  await startBoth(cluster);
}

clusterTest(
  'the giver loses power in mid-release: the other node serves, never both',
  {timing, haresources},
  async (cluster) => {
    const {n1, n2, watch} = cluster;
    await slowStarted(cluster);
    await n1.machine.run('touch /run/slow-stop');
    void n1.command('hb_standby').catch(() => {});
    await until(async () => (await n1.machine.exec('grep -q stop /run/slow-began')).code === 0, {
      timeoutMs: 10_000,
      what: () => 'the stop does not begin',
    });
    assert.deepEqual(await cluster.lab.owners(), ['n1'], 'what is not stopped is not given');
    await n1.powerCut();
    await ownedBy(cluster, n2);
    assert.equal(watch.overlapMs, 0);
  },
);

clusterTest('the taker loses power in mid-start: the giver serves again', {timing, haresources}, async (cluster) => {
  const {n1, n2} = cluster;
  await slowStarted(cluster);
  await n2.machine.run('touch /run/slow-start');
  void n1.command('hb_standby').catch(() => {});
  await until(async () => (await n2.machine.exec('grep -q start /run/slow-began')).code === 0, {
    timeoutMs: 15_000,
    what: () => 'the start does not begin',
  });
  await n2.powerCut();
  await ownedBy(cluster, n1);
  await cluster.prober.answeredBy('n1', 5000);
});

clusterTest(
  'a start that fails: the other node serves, the failure is counted and named',
  {timing, haresources},
  async (cluster) => {
    const {lab, n1, n2, watch} = cluster;
    installSlow(lab);
    await n1.machine.run('touch /run/fail-start');
    await Promise.all(lab.nodes.map((node) => node.start()));
    await cluster.prober.answeredBy('n2', 20_000);
    await ownedBy(cluster, n2);
    await settled(cluster);
    const status = JSON.parse((await n1.command('systole', 'status', '--json')).stdout);
    assert.equal(status.groups[0].failCount, 1);
    assert.ok(watch.overlapMs < 50, JSON.stringify(watch.events));
  },
);

clusterTest(
  'a cut in one direction: who is not heard yields to who took over, while the cut lasts and after it',
  {timing},
  async (cluster) => {
    const {lab, n2} = cluster;
    await startBoth(cluster);
    // n2 hears nothing any more, n1 hears everything.
    await n2.machine.run(
      "nft 'add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in udp dport 694 drop'",
    );
    await until(async () => (await lab.owners()).includes('n2'), {
      timeoutMs: 15_000,
      what: () => 'n2 does not take over',
    });
    await ownedBy(cluster, n2, 5000);
    await n2.machine.run('nft delete table inet cut');
    await settled(cluster);
    await ownedBy(cluster, n2, 5000);
  },
);

labTest(
  'a MariaDB group: a power cut loses no acknowledged row; control: a row that is taken away is counted as lost',
  async () => {
    const lab = await Lab.create({
      diskMb: 256,
      timing,
      haresources: (device) => `n1 ${address} Filesystem::${device}::/data::ext4 mysqld::/data/my.cnf`,
    });
    try {
      await installDatabase(lab);
      await lab.powerOn();
      const [n1, n2] = lab.nodes;
      assert.ok(n1 && n2);
      await Promise.all([n1.start(), n2.start()]);
      const writer = await Writer.start(lab.client);
      const grows = async (from: number) =>
        until(async () => (await writer.report()).acknowledged > from + 50, {
          timeoutMs: 40_000,
          what: () => 'no row is acknowledged',
          everyMs: 100,
        });
      await grows(0);
      await n1.powerCut();
      await grows((await writer.report()).acknowledged);
      assert.deepEqual(await lab.owners(), ['n2']);
      await writer.stop();
      const kept = await writer.verify();
      assert.equal(kept.lost, 0);
      await n2.machine.run("mariadb --no-defaults -S /run/mysqld.sock -u root -e 'DELETE FROM demo.entries LIMIT 3'");
      assert.equal((await writer.verify()).lost, 3);
    } finally {
      await lab.close();
    }
  },
  databasePrograms,
  120_000,
);

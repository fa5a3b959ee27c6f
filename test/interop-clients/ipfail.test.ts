// Goal: Debian's ipfail, unmodified and respawned by either daemon, moves the resources to the node that still reaches its ping
// node, and moves nothing when both lost it. Method: ipfail on both nodes, a ping node at the client machine, two links;
// one node's service cable is cut, so that the other link still carries the cluster.

import assert from 'node:assert/strict';
import type {Lab, LabNode} from '../../src/lab/lab.js';
import {clientAddress} from '../../src/lab/network.js';
import {until} from '../../src/lab/wait.js';
import {
  debianClStatus,
  type Kinds,
  libexec,
  logged,
  mixtures,
  online,
  ownedBy,
  packageTest,
  settle,
  withClientsLab,
} from '../helpers/clients-lab.js';

const haCf = [
  `respawn hacluster ${libexec}/ipfail`,
  'apiauth ipfail gid=haclient uid=hacluster',
  `ping ${clientAddress}`,
  'deadping 2',
];
const timing = {keepaliveMs: 200, warntimeMs: 600, deadtimeMs: 1500, initdeadMs: 4000};

async function pingIs(status: 'ping' | 'dead', ...nodes: readonly LabNode[]): Promise<void> {
  for (const {machine} of nodes) {
    const isSo = async (): Promise<boolean> =>
      (await machine.exec(`${debianClStatus} nodestatus ${clientAddress}`)).stdout === `${status}\n`;
    await until(isSo, {timeoutMs: 20_000, everyMs: 100, what: () => `${machine.name}: ping node not ${status}`});
  }
}

function ipfailTest(
  name: string,
  kinds: Kinds,
  autoFailback: 'on' | 'off',
  body: (lab: Lab, n1: LabNode, n2: LabNode) => Promise<void>,
): void {
  packageTest(name, () =>
    withClientsLab({kinds, haCf, timing, autoFailback}, async (lab, n1, n2) => {
      await online('ipfail', n1, n2);
      await pingIs('ping', n1, n2);
      await ownedBy(lab, n1);
      await body(lab, n1, n2);
    }),
  );
}

for (const [what, kinds] of mixtures) {
  ipfailTest(`ipfail, ${what}: who lost the ping node gives everything away`, kinds, 'off', async (lab, n1, n2) => {
    await n1.cut('eth0');
    await ownedBy(lab, n2);
    await logged(n1, /ipfail: .*less (visible )?ping nodes/);
    await n1.heal('eth0');
    await pingIs('ping', n1, n2);
    await settle(lab);
    assert.deepEqual(await lab.owners(), ['n2'], 'auto_failback is off');
    await n2.cut('eth0');
    await ownedBy(lab, n1);
  });
}

ipfailTest(
  'ipfail: nothing moves when both nodes lost the ping node',
  ['systole', 'systole'],
  'off',
  async (lab, n1, n2) => {
    await lab.client.run(`ip addr del ${clientAddress}/24 dev service`);
    await pingIs('dead', n1, n2);
    // Longer than ipfail ever waits before it acts.
    const isMoved = async (): Promise<boolean> => (await lab.owners()).join() !== 'n1';
    await assert.rejects(until(isMoved, {timeoutMs: 6000, everyMs: 100, what: () => 'it stays'}), /it stays/);
    await lab.client.run(`ip addr add ${clientAddress}/24 dev service`);
    await pingIs('ping', n1, n2);
    await ownedBy(lab, n1);
  },
);

ipfailTest(
  'ipfail: auto_failback on, the group returns when the ping node does',
  ['systole', 'systole'],
  'on',
  async (lab, n1, n2) => {
    await n1.cut('eth0');
    await ownedBy(lab, n2);
    await n1.heal('eth0');
    await pingIs('ping', n1, n2);
    await ownedBy(lab, n1);
  },
);

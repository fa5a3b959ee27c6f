// The demo's stage with real things: two namespaced nodes with two links each, a service address, ext4 on a shared
// disk, MariaDB. Assumes root and the packages of scripts/setup.sh. Promises to leave nothing behind (see src/lab).

import {Prober, Writer} from '../lab/client.js';
import type {DaemonKind} from '../lab/daemon.js';
import {mountsOf} from '../lab/disk.js';
import {Lab, type LabNode} from '../lab/lab.js';
import {installDatabase} from '../lab/mariadb.js';
import {serviceAddress} from '../lab/network.js';
import {until} from '../lab/wait.js';
import type {ClientReport, NodeReport, Stage} from './stage.js';

const timing = {keepaliveMs: 200, warntimeMs: 500, deadtimeMs: 1000, initdeadMs: 10_000};
const diskMb = 160;

export async function namespaceStage(daemon: DaemonKind): Promise<Stage> {
  let group = '';
  const lab = await Lab.create({
    daemon,
    timing,
    diskMb,
    haresources: (device) => {
      group = `n1 IPaddr::${serviceAddress}/24/eth0 Filesystem::${device}::/data::ext4 mysqld::/data/my.cnf`;
      return group;
    },
  });
  const clients: {prober?: Prober; writer?: Writer} = {};
  return {
    mode: 'namespaces',
    nodes: ['n1', 'n2'],
    facts: [
      'Two nodes and a client, each with its own network, mounts, processes and name.',
      '',
      '   n1 ---- eth1, direct ---- n2        heartbeats on both links,',
      `    \\--- eth0, service ---/            keepalive ${timing.keepaliveMs} ms, deadtime ${timing.deadtimeMs} ms`,
      '              |',
      `           client                      writes rows to ${serviceAddress}`,
      '',
      'The shared disk is an image on a loop device. A power cut first makes it refuse',
      'writes and forget what was not synchronised, then kills every process at once.',
    ],
    powerCutMeans: 'no process, no cable, unsynchronised writes gone',
    group: () => group,
    build: async (say) => {
      await lab.powerOn();
      say('n1, n2 and the client are on');
      await installDatabase(lab);
      say(`MariaDB's data directory is on the shared disk, ${lab.disk?.device}`);
    },
    startDaemon: (node) => lab.node(node).start(),
    servedBy: (node, timeoutMs) => servedBy(lab, clients, node, timeoutMs),
    settled: (timeoutMs) => settled(lab, timeoutMs),
    report: () => Promise.all(lab.nodes.map((node) => reportNode(lab, node))),
    mark: async () => {
      await Promise.all([clients.prober?.mark(), clients.writer?.mark()]);
    },
    client: () => reportClient(clients),
    powerCut: (node) => lab.node(node).powerCut(),
    powerOn: async (node) => {
      await lab.node(node).powerOn();
      await lab.node(node).start();
    },
    standby: async (node) => {
      const {code, stderr} = await lab.node(node).command('hb_standby');
      if (code !== 0) throw new Error(`hb_standby was refused: ${stderr.trim()}`);
    },
    verify: async () => {
      await clients.writer?.stop();
      const counted = await clients.writer?.verify();
      if (typeof counted?.lost !== 'number') throw new Error(`the rows cannot be read: ${counted?.lost}`);
      return {acknowledged: counted.acknowledged, lost: counted.lost};
    },
    logTail: async (node) => (lab.node(node).machine.isOn ? (await lab.node(node).log()).slice(-3000) : 'off'),
    close: () => lab.close(),
  };
}

async function servedBy(
  lab: Lab,
  clients: {prober?: Prober; writer?: Writer},
  node: string,
  timeoutMs: number,
): Promise<void> {
  clients.prober ??= await Prober.start(lab.client, {intervalMs: 1});
  clients.writer ??= await Writer.start(lab.client);
  const writer = clients.writer;
  await clients.prober.answeredBy(node, timeoutMs);
  const before = (await writer.report()).acknowledged;
  let last = '';
  await until(
    async () => {
      const now = await writer.report();
      last = now.lastError;
      return now.acknowledged > before;
    },
    {timeoutMs, what: () => `${node} carries the address, but no row is acknowledged: ${last}`, everyMs: 20},
  );
}

async function reportClient({prober, writer}: {prober?: Prober; writer?: Writer}): Promise<ClientReport> {
  const [address, rows] = await Promise.all([prober?.report(), writer?.report()]);
  return {
    acknowledged: rows?.acknowledged ?? 0,
    outageMs: rows?.outageMs ?? 0,
    addressOutageMs: address?.outageMs,
  };
}

/** Each calls the other active, and nothing is in transition. */
async function settled(lab: Lab, timeoutMs: number): Promise<void> {
  const seen = async (node: LabNode) => {
    const states = await Promise.all(
      lab.nodes.filter((each) => each !== node).map((each) => node.command('cl_status', 'nodestatus', each.name)),
    );
    const held = (await node.command('cl_status', 'rscstatus')).stdout.trim();
    return states.every(({stdout}) => stdout.trim() === 'active') && /^(none|local|foreign|all)$/.test(held);
  };
  await until(async () => (await Promise.all(lab.nodes.map(seen))).every(Boolean), {
    timeoutMs,
    what: () => 'the nodes do not settle',
    everyMs: 100,
  });
}

async function reportNode(lab: Lab, node: LabNode): Promise<NodeReport> {
  const cells = (address: string, data: string, database: string, daemon: string) => ({
    node: node.name,
    cells: [
      {name: 'service address', value: address},
      {name: '/data', value: data},
      {name: 'mariadbd', value: database},
      {name: 'its daemon says', value: daemon},
    ],
  });
  if (!node.machine.isOn) return cells('-', '-', '-', '(no power)');
  const carries = await node.carries(serviceAddress);
  const mounted = mountsOf(node.machine.pid, lab.disk?.device ?? '').length > 0;
  const pid = (await node.machine.exec('pgrep -x mariadbd')).stdout.trim();
  const held = (await node.command('cl_status', 'rscstatus')).stdout.trim();
  return cells(
    carries ? serviceAddress : '-',
    mounted ? 'ext4' : '-',
    pid ? `pid ${pid}` : '-',
    held ? `holds ${held}` : '(stopped)',
  );
}

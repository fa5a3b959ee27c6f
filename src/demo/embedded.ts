// The demo's stage without root: two daemons of this checkout on loopback addresses of this machine, owning a flag file
// and a small row store instead of an address, a file system and MariaDB. What it shows is the cluster's behaviour; what
// it cannot show is said in its facts. Promises that no process or file of it remains.

import {createSocket} from 'node:dgram';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {until} from '../lab/wait.js';
import type {ClusterStatus} from '../model/control.js';
import {EmbeddedNode, killProcessesOf} from './embedded-node.js';
import {RowClient} from './row-client.js';
import type {NodeReport, Stage} from './stage.js';

const storeAddress = '127.0.77.100';
const addresses = ['127.0.77.1', '127.0.77.2'] as const;
const timing = {keepalive: 200, warntime: 500, deadtime: 1000, initdead: 10_000};
const prefix = 'systole-demo-';

export async function embeddedStage(): Promise<Stage> {
  await removeStale();
  const directory = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  const rowsFile = `${directory}/rows`;
  const storePort = await freeTcpPort();
  const udpPort = await freeUdpPort();
  const group = `n1 DemoFlag::${directory}/owner DemoStore::${storeAddress}::${storePort}::${rowsFile}`;
  const nodes = ['n1', 'n2'].map((name, index) => {
    const [address, peerAddress] = index === 0 ? addresses : ([addresses[1], addresses[0]] as const);
    const peer = index === 0 ? 'n2' : 'n1';
    const own = `${directory}/${name}`;
    return new EmbeddedNode({name, peer, address, peerAddress, directory: own, udpPort, haresources: group, timing});
  });
  const node = (name: string) => nodes.find((each) => each.name === name) as EmbeddedNode;
  let client: RowClient | undefined;
  return {
    mode: 'embedded',
    nodes: ['n1', 'n2'],
    facts: [
      `Two daemons on ${addresses.join(' and ')}, keepalive ${timing.keepalive} ms, deadtime ${timing.deadtime} ms.`,
      'Instead of an address, a disk and MariaDB they own a flag file and a row store,',
      'a small server that appends to one file and acknowledges after fsync.',
      'A power cut is SIGKILL for every process of the node.',
    ],
    powerCutMeans: 'none of its processes is left',
    group: () => group.replaceAll(directory, 'DIR'),
    build: async (say) => say(`everything is below ${directory}`),
    startDaemon: (name) => node(name).start(),
    servedBy: async (name, timeoutMs) => {
      client ??= new RowClient(storeAddress, storePort);
      const rows = client;
      const before = rows.acknowledged.length;
      const what = () => `no row is acknowledged by ${name}`;
      await until(() => rows.by === name && rows.acknowledged.length > before, {timeoutMs, what});
    },
    settled: (timeoutMs) => settled(nodes, timeoutMs),
    report: () => Promise.all(nodes.map((each) => reportNode(each, directory))),
    mark: async () => client?.mark(),
    client: async () => ({
      acknowledged: client?.acknowledged.length ?? 0,
      outageMs: client?.outageMs ?? 0,
      addressOutageMs: undefined,
    }),
    powerCut: (name) => node(name).powerCut(),
    powerOn: (name) => node(name).start(),
    standby: (name) => node(name).command('hb_standby'),
    verify: async () => {
      await client?.stop();
      const present = new Set(readFileSync(rowsFile, 'utf8').split('\n').map(Number));
      const acknowledged = client?.acknowledged ?? [];
      return {acknowledged: acknowledged.length, lost: acknowledged.filter((row) => !present.has(row)).length};
    },
    logTail: async (name) => node(name).logTail(),
    close: async () => {
      await client?.stop();
      await killProcessesOf(directory);
      rmSync(directory, {recursive: true, force: true});
    },
  };
}

async function settled(nodes: readonly EmbeddedNode[], timeoutMs: number): Promise<void> {
  const seen = async (node: EmbeddedNode) => {
    const status = await statusOf(node);
    const peers = status?.nodes.filter((each) => each.name !== node.name) ?? [];
    return status?.phase === 'stable' && peers.length > 0 && peers.every((peer) => peer.status === 'active');
  };
  const all = async () => (await Promise.all(nodes.map(seen))).every(Boolean);
  await until(all, {timeoutMs, what: () => 'the nodes do not settle', everyMs: 100});
}

/** Over the control socket, which belongs to whoever started the daemon; cl_status is for root and haclient. */
async function statusOf(node: EmbeddedNode): Promise<ClusterStatus | undefined> {
  const text = await node.ask('systole', 'status', '--json');
  return text ? (JSON.parse(text) as ClusterStatus) : undefined;
}

async function reportNode(node: EmbeddedNode, directory: string): Promise<NodeReport> {
  const held = (await statusOf(node))?.rscstatus;
  return {
    node: node.name,
    cells: [
      {name: 'flag file', value: readOr(`${directory}/owner`) === node.name && held ? 'owner' : '-'},
      {name: 'row store', value: held ? pidOf(node) : '-'},
      {name: 'its daemon says', value: held ? `holds ${held}` : '(no power)'},
    ],
  };
}

function pidOf(node: EmbeddedNode): string {
  const pid = readOr(`${node.directory}/run/store.pid`);
  return pid ? `pid ${pid}` : '-';
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** A demo that was itself killed leaves its daemons; the next one ends them. */
async function removeStale(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (!pid || readOr(`/proc/${pid}/stat`)) continue;
    await killProcessesOf(join(tmpdir(), name));
    rmSync(join(tmpdir(), name), {recursive: true, force: true});
  }
}

function freeTcpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({host: storeAddress, port: 0}, () => {
      const found = server.address();
      server.close(() => resolve(typeof found === 'object' && found ? found.port : 0));
    });
  });
}

/** Both nodes use one port on their own addresses. */
function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, addresses[0], () => {
      const {port} = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

// A running two-node cluster in the namespace lab, and the questions the namespace tests ask of it from the outside.
// LAB_DAEMON=real runs the same tests against Debian's heartbeat: a way to see whether a test or our daemon is wrong.

import {existsSync} from 'node:fs';
import {Prober} from '../../src/lab/client.js';
import type {DaemonKind} from '../../src/lab/daemon.js';
import {packageRoot} from '../../src/lab/host.js';
import {Lab, type LabNode, type LabOptions} from '../../src/lab/lab.js';
import {OwnerWatch} from '../../src/lab/owner-watch.js';
import {until} from '../../src/lab/wait.js';
import {labTest} from './lab-test.js';

const kind: DaemonKind = process.env['LAB_DAEMON'] === 'real' ? 'real' : 'systole';
/** Two Systole nodes settle at once; the real daemon takes its ten seconds. */
const settleMs = 30_000;

export interface Cluster {
  readonly lab: Lab;
  readonly n1: LabNode;
  readonly n2: LabNode;
  readonly prober: Prober;
  readonly watch: OwnerWatch;
}

/** A test over a cluster that is torn down whatever happens; its logs are shown when the test fails. */
export function clusterTest(name: string, options: LabOptions, body: (cluster: Cluster) => Promise<void>): void {
  const manager = `${packageRoot}/dist/src/runtime/manager-process.js`;
  const needed = kind === 'systole' && !existsSync(manager) ? [manager] : [];
  labTest(name, () => withCluster(options, body), needed, 90_000);
}

async function withCluster(options: LabOptions, body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const lab = await Lab.create({daemon: kind, timing: {initdeadMs: 10_000}, ...options});
  try {
    await lab.powerOn();
    const [n1, n2] = lab.nodes as [LabNode, LabNode];
    const cluster = {lab, n1, n2, prober: await Prober.start(lab.client), watch: await OwnerWatch.start(lab)};
    await body(cluster);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await logsOf(lab)}`, {cause: error});
  } finally {
    await lab.close();
  }
}

/** Starts both daemons and waits until n1 owns the group and both have settled. */
export async function startBoth(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.lab.nodes.map((node) => node.start()));
  await cluster.prober.answeredBy('n1', settleMs);
  await settled(cluster);
}

/** Both daemons run, call the other one active, and nothing is in transition. */
export async function settled({lab}: Cluster): Promise<void> {
  const isSettled = async (node: LabNode) => {
    const states = await Promise.all(
      lab.nodes.filter((each) => each !== node).map((each) => node.command('cl_status', 'nodestatus', each.name)),
    );
    const held = await node.command('cl_status', 'rscstatus');
    return (
      states.every(({stdout}) => stdout.trim() === 'active') && /^(none|local|foreign|all)$/.test(held.stdout.trim())
    );
  };
  const all = async () => (await Promise.all(lab.nodes.map(isSettled))).every(Boolean);
  await until(all, {timeoutMs: settleMs, what: () => 'the nodes do not settle', everyMs: 50});
}

/** Exactly this node, by the nodes' own kernels. */
export async function ownedBy({lab}: Cluster, node: LabNode, timeoutMs = settleMs): Promise<void> {
  let seen: readonly string[] = [];
  await until(
    async () => {
      seen = await lab.owners();
      return seen.length === 1 && seen[0] === node.name;
    },
    {timeoutMs, what: () => `${node.name} is not the owner, but ${seen.join(' and ') || 'nobody'}`, everyMs: 20},
  );
}

async function logsOf(lab: Lab): Promise<string> {
  const logs = lab.nodes.map(async (node) => {
    const text = node.machine.isOn ? await node.log().catch((error: Error) => error.message) : '(off)';
    return `--- ${node.name}\n${text.slice(-4000)}`;
  });
  return (await Promise.all(logs)).join('\n');
}

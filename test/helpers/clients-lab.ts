// What the tests with clients of Debian's heartbeat package share: a lab whose nodes run either daemon, started and settled, and
// the reason why there is none where the package is missing.

import assert from 'node:assert/strict';
import type {DaemonKind} from '../../src/lab/daemon.js';
import {Lab, type LabNode, type LabOptions} from '../../src/lab/lab.js';
import {until} from '../../src/lab/wait.js';
import {labTest} from './lab-test.js';

export const libexec = '/usr/libexec/heartbeat';
export const debianClStatus = '/usr/bin/cl_status';

/** Which daemon runs on n1 and on n2. */
export type Kinds = readonly [DaemonKind, DaemonKind];

/** A test that needs the package; skipped with its reason where that is not installed. */
export function packageTest(name: string, body: () => Promise<void>, timeoutMs = 120_000): void {
  labTest(name, body, [`${libexec}/heartbeat`, `${libexec}/dopd`, debianClStatus], timeoutMs);
}

export interface ClientsLabOptions extends LabOptions {
  readonly kinds: Kinds;
  /** Before the daemons start: the place to put files into a node's /etc/ha.d. */
  readonly prepare?: (node: LabNode) => void | Promise<void>;
  /** Prefix of the shell line that starts the daemon, e.g. `PATH=...:$PATH; `. */
  readonly before?: string;
}

/** Runs `body` on a cluster whose nodes agree that nothing moves any more; shows both logs if it fails. */
export async function withClientsLab(
  options: ClientsLabOptions,
  body: (lab: Lab, n1: LabNode, n2: LabNode) => Promise<void>,
): Promise<void> {
  const {kinds, prepare, before = ''} = options;
  const lab = await Lab.create({
    ...options,
    daemon: {n1: kinds[0], n2: kinds[1]},
    haCf: ['realtime off', ...(options.haCf ?? [])],
  });
  const [n1, n2] = lab.nodes;
  assert(n1 && n2);
  try {
    await Promise.all(lab.nodes.map(async (node) => prepare?.(node)));
    await lab.powerOn();
    await Promise.all(lab.nodes.map((node) => node.machine.run(`${before}${node.daemon.start}`)));
    await settle(lab);
    await body(lab, n1, n2);
  } catch (error) {
    for (const node of lab.nodes) {
      // The debug file has everything, what scripts printed too.
      const text = await node.machine.run('cat /var/log/ha-debug').catch(() => 'no log');
      process.stderr.write(`---- ${node.name} (${node.daemon.kind})\n${text.split('\n').slice(-60).join('\n')}\n`);
    }
    throw error;
  } finally {
    await lab.close();
  }
}

/** Both nodes serve clients, and what they hold is complementary and stays so for a moment. */
export async function settle(lab: Lab): Promise<void> {
  let last = '';
  const holds = async (): Promise<string> => {
    const all = await Promise.all(lab.nodes.map((node) => node.machine.exec(`${debianClStatus} rscstatus`)));
    last = all.map(({stdout}) => stdout.trim()).join(' ');
    return last;
  };
  const isGood = (text: string): boolean =>
    /^(local foreign|foreign local|local local|all none|none all|foreign foreign)$/.test(text);
  await until(async () => isGood(await holds()), {timeoutMs: 40_000, everyMs: 100, what: () => `not settled: ${last}`});
}

export async function ownedBy(lab: Lab, node: LabNode, timeoutMs = 30_000): Promise<void> {
  let owners: string[] = [];
  const isOwned = async (): Promise<boolean> => {
    owners = await lab.owners();
    return owners.length === 1 && owners[0] === node.name;
  };
  await until(isOwned, {timeoutMs, everyMs: 50, what: () => `${node.name} does not own the address, but ${owners}`});
}

/** Waits for a line of the node's log. */
export async function logged(node: LabNode, wanted: RegExp, timeoutMs = 20_000): Promise<void> {
  const text = async (): Promise<boolean> => wanted.test(await node.log());
  await until(text, {timeoutMs, everyMs: 100, what: () => `${node.name} did not log ${wanted}`});
}

/** The same client on another node, as that node's daemon says. */
export async function isOnline(node: LabNode, client: string): Promise<boolean> {
  return (await node.machine.exec(`${debianClStatus} clientstatus ${node.name} ${client} 2000`)).stdout === 'online\n';
}

/** Waits until the client is signed on at each of these nodes. */
export async function online(client: string, ...nodes: readonly LabNode[]): Promise<void> {
  for (const node of nodes)
    await until(() => isOnline(node, client), {
      timeoutMs: 20_000,
      everyMs: 100,
      what: () => `${client} is not online at ${node.name}`,
    });
}

export const mixtures: readonly (readonly [string, Kinds])[] = [
  ['both nodes ours', ['systole', 'systole']],
  ['ours and the real one', ['systole', 'real']],
  ['the real one and ours', ['real', 'systole']],
];

// What a node's daemon costs while nothing happens: processor time, memory and packets of all its processes over a
// while. Reads /proc of the host, so nothing runs inside the node for it. The lab's own programs (its process 1, command
// server and responder) are not counted.

import {readdirSync, readFileSync, readlinkSync} from 'node:fs';
import type {Lab, LabNode} from '../src/lab/lab.js';
import {sleep} from './stage.js';

export interface Rest {
  readonly cpuPercent: number;
  readonly pssMb: number;
  /** As PSS would be if no process outside the node mapped the same files: what one machine really pays. */
  readonly aloneMb: number;
  readonly packetsPerSecond: number;
  readonly processes: number;
}

const ticksPerSecond = 100;

/** One figure per node. */
export async function measureRest(lab: Lab, seconds: number): Promise<Rest[]> {
  const before = await Promise.all(lab.nodes.map((node) => sample(lab, node)));
  await sleep(seconds * 1000);
  const after = await Promise.all(lab.nodes.map((node) => sample(lab, node)));
  return lab.nodes.map((_, index) => {
    const [from, to] = [before[index]!, after[index]!];
    const tookMs = to.atMs - from.atMs;
    return {
      cpuPercent: ((to.cpuMs - from.cpuMs) / tookMs) * 100,
      packetsPerSecond: ((to.packets - from.packets) / tookMs) * 1000,
      ...memory(to.pids),
      processes: to.pids.length,
    };
  });
}

async function sample(lab: Lab, node: LabNode) {
  const links = await lab.client.run('ip -s -j link show');
  const packets = (JSON.parse(links) as {ifname: string; stats64: {rx: {packets: number}}}[])
    .filter(({ifname}) => ifname.startsWith(`${node.name}-`)) // What the bridge received from here, the node sent.
    .reduce((sum, {stats64}) => sum + stats64.rx.packets, 0);
  const pids = daemonPids(node);
  return {atMs: performance.now(), packets, pids, cpuMs: pids.reduce((sum, pid) => sum + cpuMs(pid), 0)};
}

export function daemonPids(node: LabNode): number[] {
  const space = readlinkSync(`/proc/${node.machine.pid}/ns/pid`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== node.machine.pid && quietly(() => readlinkSync(`/proc/${pid}/ns/pid`)) === space)
    .filter((pid) => !/machine-init\.sh|lab\/responder\.js/.test(quietly(() => file(pid, 'cmdline')) ?? ''));
}

/** Nanosecond clocks of the living threads, and the ticks of children already reaped. */
function cpuMs(pid: number): number {
  const threads = quietly(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  const own = threads.reduce(
    (sum, thread) => sum + Number(quietly(() => file(pid, `task/${thread}/schedstat`))?.split(' ')[0] ?? 0) / 1e6,
    0,
  );
  const fields =
    quietly(() => file(pid, 'stat'))
      ?.split(') ')[1]
      ?.split(' ') ?? [];
  const reaped = Number(fields[13] ?? 0) + Number(fields[14] ?? 0);
  return own + (reaped * 1000) / ticksPerSecond;
}

function memory(pids: readonly number[]): {pssMb: number; aloneMb: number} {
  const shared = new Map<string, number>();
  let [pss, alone] = [0, 0];
  for (const pid of pids) {
    pss += Number(/^Pss:\s+(\d+)/m.exec(quietly(() => file(pid, 'smaps_rollup')) ?? '')?.[1] ?? 0);
    for (const part of mappings(pid)) {
      if (part.file === '') alone += part.pss;
      else {
        alone += part.own;
        shared.set(part.file, Math.max(shared.get(part.file) ?? 0, part.rss - part.own));
      }
    }
  }
  for (const kb of shared.values()) alone += kb;
  return {pssMb: pss / 1024, aloneMb: alone / 1024};
}

/** Each mapping of a process; `own` are the pages that no other process maps. */
function* mappings(pid: number): Generator<{file: string; rss: number; pss: number; own: number}> {
  const text = quietly(() => file(pid, 'smaps')) ?? '';
  for (const part of text.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const head = /^\S+ \S+ (\S+) \S+ (\d+) *(.*)/.exec(part);
    const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(part)?.[1] ?? 0);
    const isFile = head !== null && head[2] !== '0';
    yield {
      file: isFile ? `${head[3]} ${head[1]}` : '',
      rss: kb('Rss'),
      pss: kb('Pss'),
      own: kb('Private_Clean') + kb('Private_Dirty'),
    };
  }
}

function file(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'latin1');
}

/** Processes end while they are looked at. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

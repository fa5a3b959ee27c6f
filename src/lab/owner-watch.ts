// Watches from the outside, without a gap, which nodes carry an address: `ip monitor` in each node's kernel reports
// every appearance and disappearance with a time. Assumes booted nodes; a node that reboots must be watched again.
// Promises to find every moment in which two nodes carried it, to within the time `ip` itself is kept waiting for a CPU.

import {createInterface} from 'node:readline';
import type {Lab, LabNode} from './lab.js';
import {serviceAddress} from './network.js';
import {deadline} from './wait.js';

export interface OwnerEvent {
  readonly node: string;
  readonly carries: boolean;
  readonly atMs: number;
}

export class OwnerWatch {
  readonly #address: string;
  readonly #events: OwnerEvent[] = [];

  private constructor(address: string) {
    this.#address = address;
  }

  static async start(lab: Lab, address: string = serviceAddress): Promise<OwnerWatch> {
    const watch = new OwnerWatch(address);
    for (const node of lab.nodes) await watch.add(node);
    return watch;
  }

  /** Also after a reboot. */
  async add(node: LabNode): Promise<void> {
    const monitor = node.machine.spawn('ip', ['-o', '-ts', 'monitor', 'address']);
    const started = new Promise<void>((resolve) => {
      createInterface({input: monitor.stdout}).on('line', (line) => {
        resolve();
        this.#read(node.name, line);
      });
    });
    monitor.once('close', () => this.#note({node: node.name, carries: false, atMs: Date.now()}));
    // The monitor says nothing until something happens: something happens on lo until it says so.
    const knock = setInterval(
      () => void node.machine.exec('ip addr add 127.9.9.9/32 dev lo; ip addr del 127.9.9.9/32 dev lo').catch(() => {}),
      50,
    );
    await deadline(started, 5000, () => `${node.name}: ip monitor is silent`).finally(() => clearInterval(knock));
    if (await node.carries(this.#address)) this.#note({node: node.name, carries: true, atMs: Date.now()});
  }

  /** Oldest first. */
  get events(): readonly OwnerEvent[] {
    return this.#events.toSorted((a, b) => a.atMs - b.atMs);
  }

  /** The longest time in which two nodes carried the address. */
  get overlapMs(): number {
    const carrying = new Set<string>();
    let longestMs = 0;
    let sinceMs = 0;
    for (const event of this.events) {
      if (carrying.size > 1) longestMs = Math.max(longestMs, event.atMs - sinceMs);
      if (event.carries) carrying.add(event.node);
      else carrying.delete(event.node);
      if (carrying.size > 1) sinceMs = event.atMs;
    }
    return carrying.size > 1 ? Math.max(longestMs, Date.now() - sinceMs) : longestMs;
  }

  #read(node: string, line: string): void {
    if (!line.includes(` ${this.#address}/`)) return;
    const time = /^\[([^\]]+)\]/.exec(line)?.[1] ?? '';
    this.#note({node, carries: !line.includes('Deleted'), atMs: new Date(time).getTime()});
  }

  #note(event: OwnerEvent): void {
    const last = this.#events.findLast(({node}) => node === event.node);
    if ((last?.carries ?? false) !== event.carries) this.#events.push(event);
  }
}

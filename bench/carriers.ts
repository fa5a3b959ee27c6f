// Follows which nodes carry the service address, from each node's own kernel as it happens (`ip monitor`), and says for
// how long there was nobody, one or several. Assumes booted nodes. Resolution is a few milliseconds: the time at which
// this process reads the kernel's line.

import {createInterface} from 'node:readline';
import type {Lab} from '../src/lab/lab.js';
import {serviceAddress} from '../src/lab/network.js';

interface Change {
  readonly atMs: number;
  readonly owners: readonly string[];
}

export class Carriers {
  #changes: Change[] = [];
  #close: (() => void)[] = [];

  static async follow(lab: Lab): Promise<Carriers> {
    const carriers = new Carriers();
    carriers.#note(await lab.owners());
    for (const node of lab.nodes) {
      const monitor = node.machine.spawn('ip', ['-o', 'monitor', 'address']);
      carriers.#close.push(() => monitor.kill());
      createInterface({input: monitor.stdout}).on('line', (line) => {
        if (!line.includes(` ${serviceAddress}/`)) return;
        const others = carriers.now().filter((name) => name !== node.name);
        carriers.#note(line.startsWith('Deleted') ? others : [...others, node.name]);
      });
    }
    return carriers;
  }

  now(): readonly string[] {
    return this.#changes.at(-1)?.owners ?? [];
  }

  /** Since when the present owners are the owners. */
  sinceMs(): number {
    return this.#changes.at(-1)?.atMs ?? 0;
  }

  /** For how long after `fromMs` the condition held. */
  timeWhere(fromMs: number, holds: (owners: readonly string[]) => boolean): number {
    const endMs = performance.now();
    return this.#changes.reduce((sum, {atMs, owners}, index) => {
      const begin = Math.max(atMs, fromMs);
      const end = this.#changes[index + 1]?.atMs ?? endMs;
      return holds(owners) && end > begin ? sum + end - begin : sum;
    }, 0);
  }

  close(): void {
    for (const each of this.#close) each();
  }

  #note(owners: readonly string[]): void {
    this.#changes.push({atMs: performance.now(), owners});
  }
}

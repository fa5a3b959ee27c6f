// What the cores cannot see directly: links that lose, delay and repeat packets, machines that lose power, scripts
// that hang, and resources that really run. The judge looks here, never into the cores.

import type {ClusterConfig} from '../model/config.js';
import type {Message} from '../model/message.js';
import {Clock} from './clock.js';
import {Prng} from './prng.js';

export interface Weather {
  /** Probability that a packet is lost on one link. */
  readonly loss: number;
  /** eth1 loses nothing. */
  readonly isSecondReliable?: boolean;
  readonly duplicate: number;
  /** Most packets take 0.2 to 2 ms; this share takes up to 300 ms. */
  readonly slow: number;
  /** Probability per script of a failure, of a hang, of being slow (up to 4 s). */
  readonly scriptFails: number;
  readonly scriptHangs: number;
  readonly scriptSlow: number;
  /** Probability that the device does nothing and says so. */
  readonly fencingFails: number;
}

export const CALM: Weather = {
  loss: 0,
  duplicate: 0,
  slow: 0,
  scriptFails: 0,
  scriptHangs: 0,
  scriptSlow: 0,
  fencingFails: 0,
};

export const LINKS = ['eth0', 'eth1'] as const;
export type LinkName = (typeof LINKS)[number];

export class World {
  readonly clock = new Clock();
  readonly random: Prng;
  weather: Weather = CALM;
  /** `eth0 n1>n2` for each direction that is cut. */
  readonly cuts = new Set<string>();
  /** Extra loss for each direction, `n1>n2`. */
  readonly lossOf = new Map<string, number>();
  readonly trace: string[] = [];
  /** Resources that really run: node, then `GROUP#AGENT`. */
  readonly running = new Map<string, Set<string>>();
  /** Who told the network last that `GROUP#AGENT` is there; none: it may still send clients to a node that let go. */
  readonly told = new Map<string, string>();

  constructor(
    seed: number,
    readonly configs: Readonly<Record<string, ClusterConfig>>,
  ) {
    this.random = new Prng(seed);
    for (const name of this.names) this.running.set(name, new Set());
  }

  get names(): string[] {
    return Object.keys(this.configs);
  }

  note(text: string): void {
    this.trace.push(`${(this.clock.nowMs / 1000).toFixed(3).padStart(9)} ${text}`);
    if (this.trace.length > 4000) this.trace.splice(0, 2000);
  }

  /** One packet on one link; `deliver` is called for every copy that arrives. */
  carry(path: {readonly from: string; readonly to: string; readonly link: LinkName}, deliver: () => void): void {
    const {duplicate, slow} = this.weather;
    const loss = this.weather.isSecondReliable && path.link === 'eth1' ? 0 : this.weather.loss;
    const bias =
      this.weather.isSecondReliable && path.link === 'eth1' ? 0 : (this.lossOf.get(`${path.from}>${path.to}`) ?? 0);
    if (this.cuts.has(`${path.link} ${path.from}>${path.to}`) || this.random.chance(loss + bias)) return;
    const copies = this.random.chance(duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = this.random.chance(slow) ? this.random.between(2, 300) : this.random.between(0.2, 2);
      this.clock.after(delayMs, deliver);
    }
  }

  /** Cuts or restores a direction of a link. */
  setCut(path: {readonly from: string; readonly to: string; readonly link: LinkName}, isCut: boolean): void {
    const name = `${path.link} ${path.from}>${path.to}`;
    if (isCut) this.cuts.add(name);
    else this.cuts.delete(name);
  }

  /** It runs no more on this node; where another one runs it too, clients may have been sent to this one. */
  ended(node: string, name: string): void {
    this.running.get(node)?.delete(name);
    if (this.names.some((other) => this.running.get(other)?.has(name))) this.told.delete(name);
  }

  /** Nodes on which anything of the group runs. */
  runners(key: string): string[] {
    return this.names.filter((name) => [...(this.running.get(name) ?? [])].some((each) => each.startsWith(`${key}#`)));
  }
}

export interface Delivery {
  readonly link: LinkName;
  readonly message: Message;
}

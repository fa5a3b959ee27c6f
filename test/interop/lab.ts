// A cluster of two or three nodes, each of either kind, over two bridged links, with the questions that the cases ask
// of it: who runs what in reality, what the daemons say of it, and whether two nodes ever ran the same thing.

import {rmSync, writeFileSync} from 'node:fs';
import type {DaemonKind} from '../../src/lab/daemon.js';
import {makeLabDirectory, packageRoot} from '../../src/lab/host.js';
import {Machine} from '../../src/lab/machine.js';
import * as network from '../../src/lab/network.js';
import {deadline, until} from '../../src/lab/wait.js';
import {Capture} from './capture.js';
import {InteropNode, uptime} from './node.js';
import type {RelayPlan} from './relay.js';

export type Mode = 'on' | 'off' | 'legacy';
/** Node name -> resources that run there, e.g. {n1: 'A A2', n2: 'B'}. */
export type Layout = Readonly<Record<string, string>>;

export interface ClusterOptions {
  readonly kinds: Readonly<Record<string, DaemonKind>>;
  readonly mode: Mode;
  readonly haresources?: string;
  /** Media lines of ha.cf for a node; default: ucast on both links. */
  readonly media?: (node: {readonly number: number; readonly peers: readonly number[]}) => readonly string[];
  /** Further ha.cf lines, for one node or for all. */
  readonly haCf?: (name: string, kind: DaemonKind) => readonly string[];
  readonly deadtimeMs?: number;
  readonly authkeys?: string;
  readonly systoleConf?: string;
}

export const deadtimeMs = 1500;
export const keepaliveMs = 200;

const relayProgram = `${packageRoot}/dist/test/interop/relay.js`;
const defaultResources = 'n1 rsc::A rsc::A2\nn2 rsc::B\n';
const defaultSystoleConf = '[resources]\nmonitor-interval = 0\nkill-delay = 500ms\nfailure-expiry = 20s\n';

export class InteropLab {
  readonly nodes: readonly InteropNode[];
  readonly notes: string[] = [];
  readonly directory = makeLabDirectory();
  readonly client: Machine;
  readonly #options: ClusterOptions;
  capture: Capture | undefined;
  #programs: {kill(): unknown}[] = [];

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.client = new Machine('client', this.directory);
    const names = Object.keys(options.kinds);
    this.nodes = names.map((name, index) => new InteropNode(name, index + 1, options.kinds[name] ?? 'real', this));
    const hosts = names.map((name, index) => `${network.addressOf(index + 1, 'eth0')} ${name}`);
    writeFileSync(`${this.directory}/hosts`, ['127.0.0.1 localhost', ...hosts, ''].join('\n'));
    for (const node of this.nodes) this.configure(node);
  }

  static async create(options: ClusterOptions): Promise<InteropLab> {
    const lab = new InteropLab(options);
    try {
      await lab.client.boot(network.makeSwitches);
      lab.capture = await Capture.start(lab.client, lab.directory);
      for (const node of lab.nodes)
        await node.boot((pid) => network.plugIn(lab.client.pid, {name: node.name, number: node.number, pid}));
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** Writes a node's files, with further ha.cf lines if any. */
  configure(node: InteropNode, further: readonly string[] = []): void {
    const options = this.#options;
    const peers = this.nodes.filter((each) => each !== node).map((each) => each.number);
    const links = ['eth0', 'eth1'] as const;
    const ucast = peers.flatMap((peer) => links.map((link) => `ucast ${link} ${network.addressOf(peer, link)}`));
    const lines = [
      'logfile /var/log/ha-log',
      'debugfile /var/log/ha-debug',
      `keepalive ${keepaliveMs}ms`,
      'warntime 700ms',
      `deadtime ${options.deadtimeMs ?? deadtimeMs}ms`,
      `initdead ${2 * (options.deadtimeMs ?? deadtimeMs) + 2000}ms`,
      'realtime off',
      ...(options.media?.({number: node.number, peers}) ?? ucast),
      `auto_failback ${options.mode}`,
      ...this.nodes.map((each) => `node ${each.name}`),
      ...(options.haCf?.(node.name, node.kind) ?? []),
      ...further,
    ];
    node.configure('ha.cf', `${lines.join('\n')}\n`);
    node.configure('haresources', options.haresources ?? defaultResources);
    node.configure('authkeys', options.authkeys ?? 'auth 1\n1 sha1 HA_JACKBILLOW\n');
    if (node.kind === 'systole') node.configure('systole.conf', options.systoleConf ?? defaultSystoleConf);
  }

  note(text: string): void {
    this.notes.push(`${uptime().toFixed(2)} ==== ${text}`);
  }

  node(name: string): InteropNode {
    const found = this.nodes.find((each) => each.name === name);
    if (!found) throw new Error(`no node ${name}`);
    return found;
  }

  /** What runs where, in reality. */
  layout(): Layout {
    return Object.fromEntries(this.nodes.map((node) => [node.name, node.running().join(' ')]));
  }

  async cut(...links: network.LinkName[]): Promise<void> {
    this.note(`${links.join(' and ')} cut`);
    const [first] = this.nodes;
    if (first) await Promise.all(links.map((link) => network.cut(this.client.pid, first.name, link, 'kept')));
  }

  async heal(...links: network.LinkName[]): Promise<void> {
    const [first] = this.nodes;
    if (first) await Promise.all(links.map((link) => network.heal(this.client.pid, first.name, link)));
    this.note(`${links.join(' and ')} healed`);
  }

  /** A program in the middle of the network that ends with the lab. */
  spawnInMiddle(program: string, args: readonly string[]) {
    const child = this.client.spawn(program, args);
    this.#programs.push(child);
    return child;
  }

  /** Puts a relay between the nodes, for clusters whose media are `relayed`; it loses, doubles and delays packets. */
  async relay(faults: Pick<RelayPlan, 'loss' | 'duplication' | 'reordering'>): Promise<void> {
    const numbers = this.nodes.map(({number}) => number);
    const links = ['eth0', 'eth1'] as const;
    const routes = links.flatMap((link) =>
      numbers.map((number) => ({address: relayAddress(number, link), target: network.addressOf(number, link)})),
    );
    for (const {address} of routes) {
      const bridge = address.startsWith('10.77.0.') ? 'service' : 'direct';
      await this.client.run(`ip addr add ${address}/24 dev ${bridge}`);
    }
    const plan: RelayPlan = {routes, port: 694, seed: 1, ...faults};
    const program = this.spawnInMiddle(process.execPath, [relayProgram, JSON.stringify(plan)]);
    const ready = new Promise<void>((resolve) => program.stdout.once('data', () => resolve()));
    await deadline(ready, 10_000, () => 'the relay does not start');
    this.note(`relay: ${JSON.stringify(faults)}`);
  }

  /** The home layout: every group on its home node. */
  home(): Layout {
    const text = this.#options.haresources ?? defaultResources;
    const lines = text.split('\n').filter(Boolean);
    const of = (name: string) => lines.filter((line) => line.startsWith(`${name} `));
    const resources = (name: string) => of(name).flatMap((line) => line.split(' ').slice(1));
    return Object.fromEntries(
      this.nodes.map(({name}) => [
        name,
        resources(name)
          .map((word) => word.replace('rsc::', ''))
          .sort()
          .join(' '),
      ]),
    );
  }

  allOn(name: string): Layout {
    const every = Object.values(this.home()).filter(Boolean).join(' ').split(' ').sort().join(' ');
    return Object.fromEntries(this.nodes.map((node) => [node.name, node.name === name ? every : '']));
  }

  /** The word for a layout that a correct daemon says. */
  wordFor(name: string, layout: Layout): string {
    const home = this.home();
    const has = (layout[name] ?? '').split(' ').filter(Boolean);
    const own = (home[name] ?? '').split(' ').filter(Boolean);
    const local = has.some((each) => own.includes(each));
    const foreign = has.some((each) => !own.includes(each));
    if (local && foreign) return 'all';
    return local ? 'local' : foreign ? 'foreign' : 'none';
  }

  /** How often two nodes ran one resource at once, and for how long; from the agents' own records. */
  overlaps(): string[] {
    const open = new Map<string, Map<string, number>>();
    const found: string[] = [];
    const lines = this.nodes.flatMap((node) => node.calls().map((line) => ({node: node.name, words: line.split(' ')})));
    lines.sort((one, other) => Number(one.words[0]) - Number(other.words[0]));
    for (const {node, words} of lines) {
      const [at, resource, what] = [Number(words[0]), words[1] ?? '', words[2]];
      const runs = open.get(resource) ?? new Map<string, number>();
      open.set(resource, runs);
      if (what === 'UP') runs.set(node, at);
      if (what !== 'DOWN') continue;
      const since = runs.get(node);
      runs.delete(node);
      for (const [other, start] of runs) {
        const ms = Math.round((at - Math.max(start, since ?? 0)) * 1000);
        // The clock of the records counts hundredths of a second.
        if (since !== undefined && ms > 10) found.push(`${resource} on ${node} and ${other} for ${ms} ms until ${at}`);
      }
    }
    for (const [resource, runs] of open)
      if (runs.size > 1) found.push(`${resource} on ${[...runs.keys()].join(' and ')} at the end`);
    return found;
  }

  /** Waits until reality is this layout and both daemons say so, twice. */
  async settled(
    layout: Layout,
    options: {readonly withinMs?: number; readonly words?: Readonly<Record<string, readonly string[]>>} = {},
  ): Promise<void> {
    const same = () => {
      const seen = this.layout();
      return Object.entries(layout).every(([name, resources]) => seen[name] === resources);
    };
    const words = new Map<string, string>();
    const says = async (node: InteropNode) => {
      if (!node.machine.isOn) return true;
      const word = await node.word();
      words.set(node.name, word);
      return this.#acceptable(node, layout, options.words).includes(word);
    };
    const isSettled = async () => same() && (await Promise.all(this.nodes.map(says))).every(Boolean) && same();
    const what = () =>
      `expected ${show(layout)}; runs ${show(this.layout())}; rscstatus ${JSON.stringify(Object.fromEntries(words))}`;
    const limit = {timeoutMs: options.withinMs ?? 30_000, what, everyMs: 300};
    await until(isSettled, limit);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await until(isSettled, {...limit, timeoutMs: 5000});
    this.note(`settled: ${show(layout)}; ${JSON.stringify(Object.fromEntries(words))}`);
  }

  /** Waits until everything runs exactly once, groups whole, and the words agree, wherever that is. */
  async settledAny(options: {readonly withinMs?: number} = {}): Promise<void> {
    const groups = Object.values(this.home()).filter(Boolean);
    const sound = () => {
      const seen = Object.values(this.layout()).map((text) => text.split(' '));
      return groups.every((group) => {
        const members = group.split(' ');
        const holders = seen.filter((each) => members.some((member) => each.includes(member)));
        return holders.length === 1 && members.every((member) => holders[0]?.includes(member));
      });
    };
    const limit = options.withinMs ?? 30_000;
    const endAt = performance.now() + limit;
    for (;;) {
      await until(sound, {
        timeoutMs: Math.max(1, endAt - performance.now()),
        what: () => `not once and whole: ${show(this.layout())}`,
        everyMs: 100,
      });
      const layout = this.layout();
      const done = await this.settled(layout, {withinMs: 3000}).then(
        () => true,
        (error: Error) => {
          if (performance.now() > endAt) throw error;
          return false;
        },
      );
      if (done) return;
    }
  }

  #acceptable(
    node: InteropNode,
    layout: Layout,
    words: Readonly<Record<string, readonly string[]>> | undefined,
  ): readonly string[] {
    const given = words?.[node.name];
    if (given) return given;
    const word = this.wordFor(node.name, layout);
    // In legacy mode the real daemon keeps no holding and says `none` (resource-engine.md 1.3).
    return this.#options.mode === 'legacy' && node.kind === 'real' ? ['none'] : [word];
  }

  async close(): Promise<void> {
    for (const program of this.#programs) program.kill();
    await Promise.allSettled(this.nodes.map((node) => node.machine.kill()));
    await this.client.kill().catch(() => {});
    rmSync(this.directory, {recursive: true, force: true});
  }
}

function relayAddress(number: number, link: network.LinkName): string {
  return network.addressOf(200 + number, link);
}

/** Media lines that send everything through the relay. */
export function relayed({peers}: {readonly peers: readonly number[]}): string[] {
  const links = ['eth0', 'eth1'] as const;
  return peers.flatMap((peer) => links.map((link) => `ucast ${link} ${relayAddress(peer, link)}`));
}

export function show(layout: Layout): string {
  return Object.entries(layout)
    .map(([name, resources]) => `${name}: ${resources || '-'}`)
    .join(', ');
}

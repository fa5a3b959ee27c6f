// A whole two-node cluster from a seed: a storm of faults, during which safety is judged after every event, then calm,
// in which progress is demanded in bounded time. The same seed gives the same run, byte for byte.

import {readStatus} from '../core/step.js';
import type {ClusterConfig} from '../model/config.js';
import {Node} from './node.js';
import {CALM, LINKS, type LinkName, type Weather, World} from './world.js';

/** Mean number per virtual minute of each fault. */
export interface Storm {
  readonly weather: Weather;
  readonly powerCuts: number;
  readonly daemonKills: number;
  readonly managerKills: number;
  readonly messagingKills: number;
  readonly stalls: number;
  readonly partitions: number;
  readonly oneWayCuts: number;
  /** Of eth0 only, so that eth1 stays alive. */
  readonly linkCuts: number;
  readonly moves: number;
  readonly stops: number;
  /** haresources of one node becomes another one, and mostly is read at once. */
  readonly edits: number;
  readonly clockJumps: number;
  /** One direction loses most of its packets for a while. */
  readonly lopsided: number;
}

export class Cluster {
  readonly world: World;
  readonly nodes: readonly Node[];

  constructor(
    readonly seed: number,
    readonly configs: Readonly<Record<string, ClusterConfig>>,
    /** Other contents of haresources that an edit may bring. */
    readonly variants: readonly ClusterConfig['groups'][] = [],
  ) {
    this.world = new World(seed, configs);
    this.nodes = Object.entries(configs).map(([name, config]) => new Node(this.world, name, config));
    for (const node of this.nodes) node.peers = this.nodes.filter((each) => each !== node);
  }

  get keys(): string[] {
    return Object.values(this.configs)[0]?.groups.map((group) => group.key) ?? [];
  }

  /** Nodes on which exactly what their manager takes for the group runs. */
  wholeRunners(key: string): string[] {
    return this.nodes.filter((node) => isWhole(node, key)).map((node) => node.name);
  }

  boot(): void {
    for (const node of this.nodes) this.world.clock.after(this.world.random.between(0, 3000), () => node.boot());
  }

  /** Runs on; `judge` is called after every event. */
  run(ms: number, judge: () => void): void {
    const endMs = this.world.clock.nowMs + ms;
    while (this.world.clock.step(endMs)) judge();
  }

  /** Runs until `done`, at most ms; false: it was not reached. */
  runUntil(done: () => boolean, ms: number, judge: () => void): boolean {
    const endMs = this.world.clock.nowMs + ms;
    let nextLookMs = 0;
    while (this.world.clock.step(endMs)) {
      judge();
      if (this.world.clock.nowMs < nextLookMs) continue;
      nextLookMs = this.world.clock.nowMs + 50;
      if (done()) return true;
    }
    return done();
  }

  /** Schedules the faults of a storm that begins now. */
  brew(storm: Storm, ms: number): void {
    this.world.weather = storm.weather;
    const kinds: readonly (readonly [number, () => void])[] = [
      [storm.powerCuts, () => this.#cycle((node) => node.powerCut())],
      [storm.daemonKills, () => this.#cycle((node) => node.killDaemon())],
      [storm.managerKills, () => this.#any().killManager()],
      [storm.messagingKills, () => this.#any().killMessaging()],
      [storm.stalls, () => this.#any().stall(this.world.random.between(100, 12_000))],
      [storm.partitions, () => this.#cutAll(LINKS, 'both')],
      [storm.oneWayCuts, () => this.#cutAll(LINKS, 'one')],
      [storm.linkCuts, () => this.#cutAll(['eth0'], 'both')],
      [storm.moves, () => this.#move()],
      [storm.stops, () => this.#stop()],
      [storm.edits, () => this.#edit()],
      [storm.clockJumps, () => this.#any().jumpClock(this.world.random.between(-86_400_000, 86_400_000))],
      [storm.lopsided, () => this.#tilt()],
    ];
    for (const [perMinute, fault] of kinds) {
      const count = Math.floor((perMinute * ms) / 60_000 + this.world.random.next());
      for (let each = 0; each < count; each += 1) this.world.clock.after(this.world.random.between(0, ms), fault);
    }
  }

  /** Fair weather from now on: links whole, every node on. */
  heal(): void {
    this.world.weather = CALM;
    this.world.cuts.clear();
    this.world.lossOf.clear();
    this.world.note('==== calm');
    for (const node of this.nodes) {
      node.edit(this.configs[node.name]?.groups ?? [], true);
      if (!node.isOn) node.boot();
    }
  }

  /** Both daemons agree that nothing is in motion. */
  isSettled(): boolean {
    const now = {monoMs: this.world.clock.nowMs, wallMs: 0};
    return this.nodes.every((node) =>
      node.manager === undefined ? node.isStopped : readStatus(node.manager, now).rscstatus !== 'transition',
    );
  }

  /** What each node believes, for a failure's report. */
  describe(): string {
    const now = {monoMs: this.world.clock.nowMs, wallMs: 0};
    return this.nodes
      .map((node) => {
        if (node.manager === undefined) return `${node.name}: no manager`;
        const status = readStatus(node.manager, now);
        const groups = status.groups.map(
          (each) => `${each.key} ${each.state} owner=${each.owner} peer=${each.peerState} ${each.reason ?? ''}`,
        );
        return `${node.name}: ${status.phase} ${status.rscstatus} ${status.standby ?? ''} | ${groups.join(' | ')}`;
      })
      .join('\n');
  }

  #any(): Node {
    return this.world.random.pick(this.nodes) ?? (this.nodes[0] as Node);
  }

  #cycle(act: (node: Node) => void): void {
    const node = this.#any();
    act(node);
    this.world.clock.after(this.world.random.between(300, 20_000), () => node.boot());
  }

  #cutAll(links: readonly LinkName[], direction: 'one' | 'both'): void {
    const [one, other] = this.world.random.chance(0.5) ? this.world.names : [...this.world.names].reverse();
    if (one === undefined || other === undefined) return;
    const paths = links.flatMap((link) => [
      {from: one, to: other, link},
      ...(direction === 'both' ? [{from: other, to: one, link}] : []),
    ]);
    this.world.note(`==== cut ${links.join(' ')} ${direction} ${one}>${other}`);
    for (const path of paths) this.world.setCut(path, true);
    this.world.clock.after(this.world.random.between(200, 15_000), () => {
      this.world.note(`==== restored ${links.join(' ')}`);
      for (const path of paths) this.world.setCut(path, false);
    });
  }

  #move(): void {
    const scope = this.world.random.pick(['all', 'local', 'foreign'] as const) ?? 'all';
    const command = this.world.random.pick(['standby', 'takeover'] as const) ?? 'standby';
    const node = this.#any();
    this.world.note(`==== ${node.name}: hb_${command} ${scope}`);
    node.request({command, scope});
  }

  #edit(): void {
    const groups = this.world.random.pick(this.variants);
    if (groups === undefined) return;
    const node = this.#any();
    const isReloaded = this.world.random.chance(0.8);
    const lines = groups.map((group) => [group.home, ...group.resources.map((each) => each.word)].join(' '));
    this.world.note(`==== ${node.name}: haresources ${lines.join('; ')}${isReloaded ? ', reload' : ''}`);
    node.edit(groups, isReloaded);
    // Often on both, nearly at once.
    if (this.world.random.chance(0.5)) {
      const other = this.nodes.find((each) => each !== node);
      this.world.clock.after(this.world.random.between(0, 20), () => other?.edit(groups, true));
    }
  }

  #tilt(): void {
    const [one, other] = this.world.random.chance(0.5) ? this.world.names : [...this.world.names].reverse();
    const path = `${one}>${other}`;
    this.world.note(`==== ${path} loses most packets`);
    this.world.lossOf.set(path, this.world.random.between(0.3, 0.95));
    this.world.clock.after(this.world.random.between(500, 10_000), () => this.world.lossOf.delete(path));
  }

  #stop(): void {
    const node = this.#any();
    this.world.note(`==== ${node.name}: stop requested`);
    node.request({command: 'shutdown'});
    this.world.clock.after(this.world.random.between(5_000, 30_000), () => node.boot());
  }
}

function isWhole(node: Node, key: string): boolean {
  const definition = node.manager?.groups.find((each) => each.definition.key === key)?.definition;
  const running = [...(node.world.running.get(node.name) ?? [])].filter((each) => each.startsWith(`${key}#`));
  const wanted = definition?.resources.map(({script}) => `${key}#${script}`) ?? [];
  return wanted.length > 0 && wanted.length === running.length && wanted.every((each) => running.includes(each));
}

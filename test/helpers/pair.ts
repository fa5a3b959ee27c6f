// Two manager cores joined by an ideal, instant network and scripts that take a given time: for tests of the ownership
// rules alone. Messaging is played by the test: it says who is up, dead, returned. Whole clusters with faulty networks
// are src/sim's business.

import assert from 'node:assert/strict';
import {type ManagerState, readStatus, startManager, stepManager, wakeAt} from '../../src/core/step.js';
import type {ClusterConfig} from '../../src/model/config.js';
import type {ControlReply, ControlRequest} from '../../src/model/control.js';
import type {DiskFacts} from '../../src/model/disk.js';
import type {ManagerEffect, ManagerEvent} from '../../src/model/manager.js';
import {fieldOf, type Message} from '../../src/model/message.js';
import type {GroupsInForce, ResourceCall, ResourceExit} from '../../src/model/resource.js';
import {clusterConfig} from './cluster-config.js';

export interface Script {
  readonly ms: number;
  readonly code: number;
}

interface Timed {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Pair {
  nowMs = 1000;
  readonly trace: string[] = [];
  readonly nodes: Record<string, Member> = {};
  isCut = false;
  /** A beacon's way; other messages take 1 ms. */
  beaconMs = 1;
  #queue: Timed[] = [];
  #order = 0;

  constructor(options: {
    haresources: string;
    autoFailback?: 'on' | 'off' | 'legacy';
    stonith?: boolean;
    names?: string[];
    deadtimeMs?: number;
    /** haresources of nodes whose file differs. */
    differing?: Readonly<Record<string, string>>;
  }) {
    for (const name of options.names ?? ['n1', 'n2']) {
      const haresources = options.differing?.[name] ?? options.haresources;
      this.nodes[name] = new Member(this, name, clusterConfig({...options, haresources, node: name}));
    }
  }

  node(name: string): Member {
    const found = this.nodes[name];
    assert.ok(found, name);
    return found;
  }

  after(ms: number, run: () => void): void {
    this.#order += 1;
    this.#queue.push({at: this.nowMs + ms, order: this.#order, run});
  }

  /** Runs virtual time on. */
  run(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      this.#queue.sort((one, other) => one.at - other.at || one.order - other.order);
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#queue.shift();
      this.nowMs = Math.max(this.nowMs, next.at);
      next.run();
    }
    this.nowMs = end;
  }

  /** Runs until the condition holds, at most for so long. */
  until(condition: () => boolean, limitMs = 60_000): void {
    const end = this.nowMs + limitMs;
    while (!condition()) {
      assert.ok(this.nowMs < end, `not within ${limitMs} ms\n${this.trace.slice(-60).join('\n')}`);
      this.run(5);
    }
  }

  note(text: string): void {
    this.trace.push(`${String(this.nowMs).padStart(7)} ${text}`);
  }

  /** Nodes on which any resource of the group really runs. */
  runners(key: string): string[] {
    return Object.values(this.nodes)
      .filter((node) => [...node.running].some((each) => each.startsWith(`${key}#`)))
      .map((node) => node.name);
  }

  boot(...names: string[]): void {
    for (const name of names) this.node(name).boot();
    this.run(20);
    this.introduce();
  }

  /** Every live node hears of every other one. */
  introduce(): void {
    for (const one of this.alive()) for (const other of this.alive()) if (one !== other) one.hears(other);
    for (const one of this.alive()) one.commUp();
  }

  alive(): Member[] {
    return Object.values(this.nodes).filter((node) => node.state !== undefined);
  }

  cut(): void {
    this.isCut = true;
    for (const one of this.alive()) for (const other of this.alive()) if (one !== other) one.missed(other.name);
  }

  heal(): void {
    this.isCut = false;
    for (const one of this.alive()) {
      for (const other of this.alive()) {
        if (one === other) continue;
        one.give({type: 'messaging-said', message: {type: 'node-returned', node: other.name}});
        one.hears(other);
      }
    }
  }
}

export class Member {
  state: ManagerState | undefined;
  beacon: Readonly<Record<string, string>> = {};
  readonly running = new Set<string>();
  readonly scripts = new Map<string, Script>();
  /** What `SCRIPT status` prints, and its exit code, whether the resource runs or not. */
  readonly says = new Map<string, {readonly output: string; readonly code: number}>();
  readonly replies = new Map<number, ControlReply>();
  exited: number | undefined;
  fencing: 'works' | 'fails' = 'works';
  #life = 0;
  #asked = 0;
  #isUp = false;
  /** What the edge says of DRBD as soon as the manager begins; undefined: nothing yet. By default that nothing will be known. */
  disksAtStart: readonly DiskFacts[] | undefined = [];
  /** What the run directory remembers. */
  #inForce: GroupsInForce | undefined;

  constructor(
    readonly pair: Pair,
    readonly name: string,
    public config: ClusterConfig,
  ) {}

  /** The files were edited and read again. */
  reload(change: {readonly haresources?: string; readonly stonith?: boolean}): void {
    this.edit(change);
    this.give({type: 'config-changed', config: this.config});
  }

  /** The files were edited, and nobody read them yet. */
  edit(change: {readonly haresources?: string; readonly stonith?: boolean}): void {
    const {groups} = clusterConfig({node: this.name, haresources: change.haresources ?? 'n1 X'});
    const stonith = change.stonith === false ? undefined : this.config.ha.stonith;
    this.config = {
      ...this.config,
      ha: {...this.config.ha, stonith},
      groups: change.haresources === undefined ? this.config.groups : groups,
    };
  }

  /** Our own messaging process died and another one, which knows nobody, took its place. */
  restartMessaging(): void {
    this.give({type: 'messaging-lost'});
    this.#isUp = false;
    this.#ready();
  }

  boot(): void {
    this.#life += 1;
    this.#isUp = false;
    this.exited = undefined;
    this.beacon = {};
    const {groups = this.config.groups, claims} = this.#inForce ?? {};
    const started = startManager({...this.config, groups}, this.#now(), claims);
    this.#begin(started);
    if (this.#inForce !== undefined) this.give({type: 'config-changed', config: this.config});
    this.#ready();
    this.#tick(this.#life);
  }

  /** The daemon's other process went on: this manager replaces one that died, and is told what messaging knows. */
  adopt(statuses: Readonly<Record<string, 'active' | 'dead'>>, lastStatus: Readonly<Record<string, Message>>): void {
    this.kill();
    this.#isUp = true;
    const {groups = this.config.groups, claims} = this.#inForce ?? {};
    const started = startManager({...this.config, groups}, this.#now(), claims);
    this.#begin(started);
    this.#ready(statuses, lastStatus);
    this.#tick(this.#life);
  }

  #begin(started: ReturnType<typeof startManager>): void {
    this.state = started.state;
    this.#perform(started.effects);
    if (this.disksAtStart !== undefined) this.give({type: 'disks-changed', disks: this.disksAtStart});
  }

  #ready(
    statuses?: Readonly<Record<string, 'active' | 'dead'>>,
    lastStatus: Readonly<Record<string, Message>> = {},
  ): void {
    this.give({
      type: 'messaging-said',
      message: {
        type: 'ready',
        generation: this.#life,
        uuid: 'u'.repeat(16),
        view: {
          nodes: this.config.ha.nodes.map((name) => ({
            name,
            type: 'normal',
            status: statuses?.[name] ?? (statuses === undefined ? 'init' : 'active'),
            links: [],
          })),
          isCommUp: statuses !== undefined,
          lastStatus,
          lastReport: {},
        },
      },
    });
  }

  /** Power cut: nothing more runs, resources of the machine are gone. */
  powerCut(): void {
    this.kill();
    this.#inForce = undefined;
    this.running.clear();
  }

  /** The daemon dies at once, its resources and running scripts stay. */
  kill(): void {
    this.state = undefined;
    this.#life += 1;
  }

  commUp(): void {
    if (this.#isUp || this.state === undefined) return;
    this.#isUp = true;
    this.give({type: 'messaging-said', message: {type: 'comm-up'}});
  }

  hears(other: Member): void {
    this.#changed(other.name, 'active');
    this.#deliver(other, this.#status(other));
  }

  missed(name: string): void {
    this.#changed(name, 'dead');
    this.commUp();
  }

  restarted(name: string): void {
    this.give({type: 'messaging-said', message: {type: 'node-restarted', node: name}});
  }

  request(request: ControlRequest): number {
    this.#asked += 1;
    const id = this.#asked;
    this.give({type: 'client-requested', id, request});
    return id;
  }

  status() {
    assert.ok(this.state);
    return readStatus(this.state, this.#now());
  }

  group(key: string) {
    const found = this.status().groups.find((group) => group.key === key);
    assert.ok(found, key);
    return found;
  }

  give(event: ManagerEvent): void {
    if (this.state === undefined) return;
    const step = stepManager(this.state, event, this.#now());
    this.state = step.state;
    this.#perform(step.effects);
  }

  #changed(node: string, status: 'active' | 'dead'): void {
    const previous = this.state?.nodes.find((each) => each.name === node)?.status ?? 'init';
    if (previous === status) return;
    const wasHeard = previous !== 'init';
    this.give({type: 'messaging-said', message: {type: 'node-changed', node, status, previous, wasHeard}});
  }

  #status(other: Member): Message {
    return other.lastWord();
  }

  /** What messaging elsewhere keeps of it. */
  lastWord(): Message {
    const fields = {t: 'status', st: 'active', ...this.beacon};
    return {fields: Object.entries(fields).map(([name, value]) => ({name, type: 0 as const, value}))};
  }

  #deliver(from: Member, message: Message): void {
    this.give({type: 'messaging-said', message: {type: 'message-received', from: from.name, message}});
  }

  #now() {
    return {monoMs: this.pair.nowMs, wallMs: 1.7e12 + this.pair.nowMs + this.#life * 1e6};
  }

  #tick(life: number): void {
    if (this.state === undefined || life !== this.#life) return;
    const inMs = Math.max(1, wakeAt(this.state) - this.pair.nowMs);
    this.pair.after(Math.min(inMs, 50), () => {
      if (life !== this.#life || this.state === undefined) return;
      if (this.pair.nowMs >= wakeAt(this.state)) this.give({type: 'woke'});
      this.#tick(life);
    });
  }

  #perform(effects: readonly ManagerEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: ManagerEffect): void {
    const life = this.#life;
    if (effect.type === 'log') this.pair.note(`${this.name} ${effect.record.level} ${effect.record.text}`);
    if (effect.type === 'remember-groups') this.#inForce = effect;
    if (effect.type === 'reply') this.replies.set(effect.id, effect.reply);
    if (effect.type === 'run-script') this.#script(effect.id, effect.call);
    if (effect.type === 'exit') {
      this.exited = effect.status;
      this.state = undefined;
    }
    if (effect.type === 'fence') {
      const {id, node} = effect;
      this.pair.after(100, () => {
        if (this.fencing === 'works') this.pair.node(node).powerCut();
        const ok = this.fencing === 'works';
        if (life === this.#life) this.give({type: 'fencing-finished', id, node, ok, text: 'simulated'});
      });
    }
    if (effect.type === 'tell-messaging') this.#told(effect);
  }

  #told({message}: Extract<ManagerEffect, {type: 'tell-messaging'}>): void {
    const others = () => (this.pair.isCut ? [] : this.pair.alive().filter((each) => each !== this));
    if (message.type === 'set-beacon') {
      this.beacon = message.values;
      // As it was when it was sent: one that a newer one follows at once arrives all the same.
      for (const other of others()) {
        const status = other.#status(this);
        this.pair.after(this.pair.beaconMs, () => this.#isUp && other.#deliver(this, status));
      }
    }
    if (message.type === 'send') {
      const text = message.message.fields.map((each) => `${each.name}=${each.value}`).join(' ');
      this.pair.note(`${this.name} -> ${text}`);
      const dest = fieldOf(message.message, 'dest');
      for (const other of others()) {
        if (dest === undefined || dest === other.name) this.pair.after(1, () => other.#deliver(this, message.message));
      }
    }
    if (message.type === 'stop') {
      this.pair.after(message.tailMs, () => this.give({type: 'messaging-said', message: {type: 'stopped'}}));
    }
  }

  #script(id: number, call: ResourceCall): void {
    const life = this.#life;
    const {script} = call.resource;
    const name = `${call.group}#${script}`;
    const behaviour = this.scripts.get(`${script} ${call.action}`) ?? {ms: call.action === 'status' ? 2 : 5, code: 0};
    this.pair.note(`${this.name} RSC ${script} ${call.action}`);
    if (call.action === 'start' && behaviour.code === 0) this.running.add(name);
    this.pair.after(Math.min(behaviour.ms, call.timeoutMs), () => {
      const timedOut = behaviour.ms > call.timeoutMs;
      if (call.action === 'stop' && behaviour.code === 0 && !timedOut) this.running.delete(name);
      const found = this.running.has(name) ? 'running' : 'stopped';
      const said = this.says.get(script) ?? {output: found, code: behaviour.code};
      const {output, code} = call.action === 'status' ? said : {output: '', code: behaviour.code};
      const exit: ResourceExit = {
        code: timedOut ? undefined : code,
        output,
        timedOut,
        missing: false,
        tookMs: behaviour.ms,
      };
      if (life === this.#life) this.give({type: 'script-exited', id, call, exit});
    });
  }
}

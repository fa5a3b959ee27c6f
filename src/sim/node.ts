// One simulated node: both pure cores and the edge between them, as src/runtime does it, on virtual time. It can lose
// power, lose a process, stall as a whole, and be fenced.

import {type ManagerState, wakeAt as managerWakeAt, startManager, stepManager} from '../core/step.js';
import {type MessagingState, wakeAt as messagingWakeAt, startMessaging, stepMessaging} from '../messaging/step.js';
import type {ManagerToMessaging, MessagingToManager} from '../model/channel.js';
import type {ClusterConfig} from '../model/config.js';
import type {ManagerEffect, ManagerEvent} from '../model/manager.js';
import type {Message} from '../model/message.js';
import type {MessagingEffect, MessagingEvent, MessagingStart} from '../model/messaging.js';
import type {GroupsInForce, ResourceCall} from '../model/resource.js';
import type {Now} from '../model/time.js';
import {LINKS, type LinkName, type World} from './world.js';

const CHANNEL_MS = 0.1;
const SOCKET_MAX = 500;
const MANAGER_START_MS = 150;

export class Node {
  messaging: MessagingState | undefined;
  manager: ManagerState | undefined;
  /** Delivers packets of the others. */
  peers: Node[] = [];
  /** Says `ok` without acting: the control of the fencing judge. */
  hasLyingFence = false;
  /** For a control: a stop goes on for so long after it said that it had ended. */
  lateStopMs = 0;
  /** The operator stopped it: it is not started again by the storm. */
  isStopped = false;
  /** What the files say; read by a reload or a start. */
  config: ClusterConfig;
  /** Part of the machine's own time: jumps of the wall clock so far. */
  #wallShiftMs = 0;
  /** On the disk. */
  #generation = 1000;
  /** In the run directory: gone with the power. */
  #inForce: GroupsInForce | undefined;
  #life = 0;
  #managerLife = 0;
  #stalledUntilMs = 0;
  #inbox: (() => void)[] = [];
  #asked = 0;

  constructor(
    readonly world: World,
    readonly name: string,
    config: ClusterConfig,
  ) {
    this.config = config;
  }

  get isOn(): boolean {
    return this.messaging !== undefined;
  }

  boot(): void {
    if (this.isOn) return;
    this.isStopped = false;
    this.#life += 1;
    this.#startManager();
    this.#startMessaging();
  }

  powerCut(): void {
    this.world.note(`==== ${this.name}: power cut`);
    this.killDaemon();
    this.#inForce = undefined;
    for (const each of [...(this.world.running.get(this.name) ?? [])]) this.world.ended(this.name, each);
  }

  /** Fenced: the machine comes back by itself. */
  reset(): void {
    this.powerCut();
    this.world.clock.after(this.world.random.between(2_000, 15_000), () => this.boot());
  }

  /** The disk comes back empty; the next generation is taken from the clock. */
  loseDisk(): void {
    this.#generation = 0;
  }

  jumpClock(ms: number): void {
    this.world.note(`==== ${this.name}: wall clock jumps by ${Math.round(ms / 1000)} s`);
    this.#wallShiftMs += ms;
  }

  /** haresources is edited; whoever runs may be told to read it. */
  edit(groups: ClusterConfig['groups'], isReloaded: boolean): void {
    this.config = {...this.config, groups};
    const {config} = this;
    if (isReloaded) this.#run(() => this.#tellManager({type: 'config-changed', config}));
  }

  /** kill -9 of both processes: what runs keeps running. */
  killDaemon(): void {
    this.#life += 1;
    this.#managerLife += 1;
    this.messaging = undefined;
    this.manager = undefined;
    this.#stalledUntilMs = 0;
    this.#inbox = [];
  }

  killManager(): void {
    if (this.manager === undefined) return;
    this.world.note(`==== ${this.name}: manager killed`);
    this.#managerLife += 1;
    this.manager = undefined;
    this.#soon(() => this.#tellMessaging({type: 'manager-lost'}));
  }

  killMessaging(): void {
    if (this.messaging === undefined) return;
    this.world.note(`==== ${this.name}: messaging killed`);
    this.messaging = undefined;
    this.#tellManager({type: 'messaging-lost'});
    const life = this.#life;
    this.world.clock.after(100, () => life === this.#life && this.manager !== undefined && this.#startMessaging());
  }

  /** Nothing on this node runs for so long; packets wait in a bounded socket buffer. */
  stall(ms: number): void {
    if (!this.isOn) return;
    this.world.note(`==== ${this.name}: stalls for ${Math.round(ms)} ms`);
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.world.clock.nowMs + ms);
    const life = this.#life;
    this.world.clock.at(this.#stalledUntilMs, () => life === this.#life && this.#wakeUp());
  }

  request(request: Extract<ManagerEvent, {type: 'client-requested'}>['request']): void {
    this.#asked += 1;
    this.#run(() => this.#tellManager({type: 'client-requested', id: this.#asked, request}));
  }

  receive(link: LinkName, message: Message): void {
    this.#run(() => this.#tellMessaging({type: 'message-arrived', link, message}));
  }

  #now(): Now {
    return {monoMs: this.world.clock.nowMs, wallMs: 1.8e12 + this.world.clock.nowMs + this.#wallShiftMs};
  }

  /** Runs it now, or after the stall. */
  #run(what: () => void): void {
    if (this.world.clock.nowMs >= this.#stalledUntilMs) return what();
    if (this.#inbox.length < SOCKET_MAX) this.#inbox.push(what);
  }

  #wakeUp(): void {
    if (this.world.clock.nowMs < this.#stalledUntilMs) return;
    const waiting = this.#inbox;
    this.#inbox = [];
    // Timers of a process that was stopped fire before it reads its sockets: the worst case.
    this.#tellMessaging({type: 'woke'});
    this.#tellManager({type: 'woke'});
    for (const each of waiting) each();
  }

  #soon(what: () => void): void {
    const life = this.#life;
    this.world.clock.after(CHANNEL_MS, () => life === this.#life && this.#run(what));
  }

  #startMessaging(): void {
    this.#generation = this.#generation === 0 ? Math.floor(this.#now().wallMs / 1000) + 1 : this.#generation + 1;
    const {ha} = this.config;
    const start: MessagingStart = {
      node: this.name,
      nodes: ha.nodes,
      pingNodes: [],
      links: LINKS,
      generation: this.#generation,
      uuid: this.name.padEnd(16, '.'),
      keepaliveMs: ha.keepaliveMs,
      warntimeMs: ha.warntimeMs,
      deadtimeMs: ha.deadtimeMs,
      initdeadMs: ha.initdeadMs,
      deadpingMs: ha.deadpingMs,
      maxRexmitDelayMs: ha.maxRexmitDelayMs,
      hopfudge: ha.hopfudge,
      seed: this.#generation,
    };
    const step = startMessaging(start, this.#now());
    this.messaging = step.state;
    this.#performMessaging(step.effects);
    this.#armMessaging();
  }

  #startManager(): void {
    this.#managerLife += 1;
    const {groups = this.config.groups, claims} = this.#inForce ?? {};
    const step = startManager({...this.config, groups}, this.#now(), claims);
    this.manager = step.state;
    this.#performManager(step.effects);
    this.#armManager();
    if (groups !== this.config.groups) this.#tellManager({type: 'config-changed', config: this.config});
  }

  #tellMessaging(event: MessagingEvent): void {
    if (this.messaging === undefined) return;
    const step = stepMessaging(this.messaging, event, this.#now());
    this.messaging = step.state;
    this.#performMessaging(step.effects);
    this.#armMessaging();
  }

  #tellManager(event: ManagerEvent): void {
    if (this.manager === undefined) return;
    const step = stepManager(this.manager, event, this.#now());
    this.manager = step.state;
    this.#performManager(step.effects);
    this.#armManager();
  }

  #messagingTimer = 0;
  #armMessaging(): void {
    if (this.messaging === undefined) return;
    const atMs = messagingWakeAt(this.messaging);
    if (this.#messagingTimer === atMs && atMs > this.world.clock.nowMs) return;
    this.#messagingTimer = atMs;
    const life = this.#life;
    this.world.clock.at(atMs, () => {
      if (life !== this.#life || this.messaging === undefined || messagingWakeAt(this.messaging) !== atMs) return;
      if (this.world.clock.nowMs >= this.#stalledUntilMs) this.#tellMessaging({type: 'woke'});
    });
  }

  #managerTimer = 0;
  #armManager(): void {
    if (this.manager === undefined) return;
    const atMs = managerWakeAt(this.manager);
    if (this.#managerTimer === atMs && atMs > this.world.clock.nowMs) return;
    this.#managerTimer = atMs;
    const life = this.#managerLife;
    this.world.clock.at(atMs, () => {
      if (life !== this.#managerLife || this.manager === undefined || managerWakeAt(this.manager) !== atMs) return;
      if (this.world.clock.nowMs >= this.#stalledUntilMs) this.#tellManager({type: 'woke'});
    });
  }

  #performMessaging(effects: readonly MessagingEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'transmit') this.#transmit(effect.message);
      if (effect.type === 'tell-manager') this.#toManager(effect.message);
      if (effect.type === 'kill-manager') this.killManager();
      if (effect.type === 'start-manager') this.#restartManager();
      if (effect.type === 'exit') this.messaging = undefined;
    }
  }

  #transmit(message: Message): void {
    for (const link of LINKS) {
      for (const peer of this.peers) {
        const life = peer.#life;
        this.world.carry({from: this.name, to: peer.name, link}, () => {
          if (peer.#life === life) peer.receive(link, message);
        });
      }
    }
  }

  #toManager(message: MessagingToManager): void {
    const life = this.#managerLife;
    this.#soon(() => life === this.#managerLife && this.#tellManager({type: 'messaging-said', message}));
  }

  #toMessaging(message: ManagerToMessaging): void {
    this.#soon(() => this.#tellMessaging({type: 'manager-said', message}));
  }

  #restartManager(): void {
    const life = this.#life;
    this.world.clock.after(MANAGER_START_MS, () => {
      if (life !== this.#life || this.messaging === undefined || this.manager !== undefined) return;
      this.#run(() => {
        this.#startManager();
        this.#tellMessaging({type: 'manager-connected'});
      });
    });
  }

  #performManager(effects: readonly ManagerEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: ManagerEffect): void {
    if (effect.type === 'log' && effect.record.level !== 'debug') {
      this.world.note(`${this.name} ${effect.record.level} ${effect.record.text}`);
    }
    if (effect.type === 'tell-messaging') this.#toMessaging(effect.message);
    if (effect.type === 'remember-groups') this.#inForce = effect;
    if (effect.type === 'run-script') this.#script(effect.id, effect.call);
    if (effect.type === 'fence') this.#fence(effect.id, effect.node);
    if (effect.type === 'exit') {
      this.killDaemon();
      this.#inForce = undefined;
      this.isStopped = true;
      this.world.note(`==== ${this.name}: stopped`);
    }
  }

  #fence(id: number, node: string): void {
    const life = this.#managerLife;
    const {random} = this.world;
    const ok = !random.chance(this.world.weather.fencingFails);
    // The machine may be up again, and have begun something, before the device says that it was reset.
    const actsMs = random.between(200, 2000);
    const answersMs = actsMs + (random.chance(0.2) ? random.between(0, 20_000) : 0);
    this.world.clock.after(actsMs, () => {
      if (life !== this.#managerLife) return;
      // The device acts even when the node that asked is gone or paused a moment later.
      if (ok && !this.hasLyingFence) for (const peer of this.peers) if (peer.name === node) peer.reset();
    });
    this.world.clock.after(answersMs, () => {
      this.#run(
        () =>
          life === this.#managerLife && this.#tellManager({type: 'fencing-finished', id, node, ok, text: 'simulated'}),
      );
    });
  }

  #script(id: number, call: ResourceCall): void {
    const {random, weather} = this.world;
    const name = `${call.group}#${call.resource.script}`;
    const isStatus = call.action === 'status';
    const hangs = random.chance(weather.scriptHangs);
    const fails = !isStatus && random.chance(weather.scriptFails);
    const tookMs = random.chance(weather.scriptSlow) ? random.between(50, 4000) : random.between(1, 10);
    this.world.note(
      `${this.name} RSC ${call.resource.script} ${call.action}${hangs ? ' hangs' : ''}${fails ? ' fails' : ''}`,
    );
    const running = this.world.running.get(this.name);
    // A start that fails or hangs may have started it half-way: it counts as running from its first moment.
    if (call.action === 'start') running?.add(name);
    const life = this.#managerLife;
    const power = this.#life;
    this.world.clock.after(hangs ? call.timeoutMs : tookMs, () => {
      if (call.action === 'stop' && !hangs && !fails) {
        const end = () => power === this.#life && this.world.ended(this.name, name);
        if (this.lateStopMs === 0) end();
        else this.world.clock.after(this.lateStopMs, end);
      }
      if (call.action === 'start' && !hangs && !fails && running?.has(name)) this.world.told.set(name, this.name);
      const exit = {
        code: hangs ? undefined : fails ? 1 : 0,
        output: isStatus ? (running?.has(name) ? 'running' : 'stopped') : '',
        timedOut: hangs,
        missing: false,
        tookMs: hangs ? call.timeoutMs : tookMs,
      };
      if (life !== this.#managerLife) return;
      this.#run(() => life === this.#managerLife && this.#tellManager({type: 'script-exited', id, call, exit}));
    });
  }
}

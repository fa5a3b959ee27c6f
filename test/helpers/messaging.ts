// One messaging core under a virtual clock, and two of them on a faulty network. States go through JSON between
// steps, as a crash file would make them: a state that does not survive that fails here first.

import {draw} from '../../src/messaging/random.js';
import {type MessagingState, startMessaging, stepMessaging, wakeAt} from '../../src/messaging/step.js';
import type {MessagingToManager} from '../../src/model/channel.js';
import type {LogRecord} from '../../src/model/log.js';
import {type Field, fieldOf, type Message} from '../../src/model/message.js';
import type {MessagingEffect, MessagingEvent, MessagingStart} from '../../src/model/messaging.js';

export const WALL_MS = 1_795_000_000_000;

export function startOf(patch: Partial<MessagingStart> = {}): MessagingStart {
  return {
    node: 'ha1',
    nodes: ['ha1', 'ha2'],
    pingNodes: [],
    links: ['eth0', 'eth1'],
    generation: 1000,
    uuid: '1'.repeat(16),
    keepaliveMs: 1000,
    warntimeMs: 2500,
    deadtimeMs: 5000,
    initdeadMs: 10_000,
    deadpingMs: 5000,
    maxRexmitDelayMs: 250,
    hopfudge: 1,
    seed: 7,
    ...patch,
  };
}

export interface Done {
  readonly atMs: number;
  readonly effect: MessagingEffect;
}

export class Lab {
  state: MessagingState;
  nowMs: number;
  done: Done[] = [];

  constructor(
    readonly start: MessagingStart = startOf(),
    nowMs = 100_000,
  ) {
    this.nowMs = nowMs;
    const first = startMessaging(start, {monoMs: nowMs, wallMs: WALL_MS + nowMs});
    this.state = first.state;
    this.#note(first.effects);
  }

  /** One event at the present instant. */
  feed(event: MessagingEvent): readonly MessagingEffect[] {
    // A full history makes the detour expensive; then every sixteenth step takes it.
    const isTested = this.state.history.length < 60 || this.#steps++ % 16 === 0;
    const before = isTested ? (JSON.parse(JSON.stringify(this.state)) as MessagingState) : this.state;
    const {state, effects} = stepMessaging(before, event, {monoMs: this.nowMs, wallMs: WALL_MS + this.nowMs});
    this.state = state;
    this.#note(effects);
    return effects;
  }

  /** Lets time pass, waking the core punctually at each of its deadlines. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (let at = wakeAt(this.state); at <= untilMs; at = wakeAt(this.state)) {
      if (at < this.nowMs) throw new Error(`deadline ${at} was not dealt with at ${this.nowMs}`);
      if (at === this.nowMs && this.#isStuck(at)) throw new Error(`woken at ${at} and nothing happened`);
      this.nowMs = at;
      this.feed({type: 'woke'});
    }
    this.nowMs = untilMs;
  }

  /** Time passes while the process does not run: nobody wakes it. */
  sleep(ms: number): void {
    this.nowMs += ms;
  }

  receive(message: Message, link = 'eth0'): readonly MessagingEffect[] {
    return this.feed({type: 'message-arrived', link, message});
  }

  /** Takes what was done so far out of the record. */
  take(): readonly MessagingEffect[] {
    return this.done.splice(0).map((each) => each.effect);
  }

  #steps = 0;
  #stuckAt = -1;
  #stuckTimes = 0;
  #isStuck(at: number): boolean {
    this.#stuckTimes = this.#stuckAt === at ? this.#stuckTimes + 1 : 0;
    this.#stuckAt = at;
    return this.#stuckTimes > 20;
  }

  #note(effects: readonly MessagingEffect[]): void {
    for (const effect of effects) this.done.push({atMs: this.nowMs, effect});
  }
}

export function sent(effects: readonly MessagingEffect[], t?: string): readonly Message[] {
  const all = effects.flatMap((each) => (each.type === 'transmit' ? [each.message] : []));
  return t === undefined ? all : all.filter((each) => fieldOf(each, 't') === t);
}

export function told<T extends MessagingToManager['type']>(
  effects: readonly MessagingEffect[],
  type: T,
): readonly Extract<MessagingToManager, {type: T}>[] {
  const all = effects.flatMap((each) => (each.type === 'tell-manager' ? [each.message] : []));
  return all.filter((each): each is Extract<MessagingToManager, {type: T}> => each.type === type);
}

export function logs(effects: readonly MessagingEffect[]): readonly LogRecord[] {
  return effects.flatMap((each) => (each.type === 'log' ? [each.record] : []));
}

export function texts(effects: readonly MessagingEffect[]): readonly string[] {
  return logs(effects).map((each) => each.text);
}

/** A peer made by hand: stamps what the test says. */
export class Peer {
  seq = 0;
  generation = 500;
  uuid = '2'.repeat(16);
  constructor(readonly name = 'ha2') {}

  message(values: Readonly<Record<string, string>>, header: Readonly<Record<string, string>> = {}): Message {
    const isNumbered = !values['t']?.startsWith('NS_');
    if (isNumbered && header['seq'] === undefined) this.seq += 1;
    const all: Record<string, string> = {
      ...values,
      src: this.name,
      srcuuid: this.uuid,
      ...(isNumbered ? {seq: this.seq.toString(16)} : {}),
      hg: this.generation.toString(16),
      ts: '6b0166a9',
      ttl: '3',
      ...header,
    };
    const fields = Object.entries(all).map(([name, value]): Field => ({name, type: name === 'srcuuid' ? 1 : 0, value}));
    return {fields};
  }

  status(st = 'active', more: Readonly<Record<string, string>> = {}): Message {
    return this.message({t: 'status', st, dt: '1388', protocol: '1', ...more});
  }
}

/** A lab whose peer was heard and with which communication is up. */
export function settledPair(patch: Partial<MessagingStart> = {}): {lab: Lab; peer: Peer} {
  const lab = new Lab(startOf(patch));
  const peer = new Peer();
  lab.feed({type: 'manager-connected'});
  lab.feed({type: 'manager-said', message: {type: 'renew-lease', forMs: 1e9}});
  lab.receive(peer.status('up'));
  lab.receive(peer.message({dest: 'ha1', t: 'repnodes', nodelist: 'ha1 ha2 ', delnodelist: ' '}));
  lab.receive(peer.status('active'));
  lab.take();
  return {lab, peer};
}

export interface Weather {
  readonly loss: number;
  readonly duplication: number;
  /** Each packet takes 1 ms to this long. */
  readonly delayMaxMs: number;
}

interface Flight {
  readonly atMs: number;
  readonly order: number;
  readonly to: number;
  readonly link: string;
  readonly message: Message;
}

/** Cores joined by a network that loses, doubles and reorders; all from one seed. */
export class Net {
  readonly labs: readonly Lab[];
  weather: Weather = {loss: 0, duplication: 0, delayMaxMs: 1};
  isCut: (from: number, to: number, link: string) => boolean = () => false;
  #flights: Flight[] = [];
  #order = 0;
  #seed: number;

  constructor(starts: readonly MessagingStart[], seed: number) {
    this.#seed = seed;
    this.labs = starts.map((each) => new Lab(each));
    this.labs.forEach((lab, index) => {
      lab.feed({type: 'manager-connected'});
      lab.feed({type: 'manager-said', message: {type: 'renew-lease', forMs: 1e9}});
      this.#ship(index, lab.done);
    });
  }

  /** Lets something happen at one core now. */
  feed(index: number, event: MessagingEvent): void {
    const lab = this.labs[index]!;
    const from = lab.done.length;
    lab.feed(event);
    this.#ship(index, lab.done.slice(from));
  }

  run(ms: number): void {
    const untilMs = this.labs[0]!.nowMs + ms;
    for (;;) {
      const wakes = this.labs.map((each) => wakeAt(each.state));
      const wake = Math.min(...wakes);
      const flight = this.#flights[0];
      const at = Math.min(wake, flight?.atMs ?? wake);
      if (at > untilMs) break;
      for (const lab of this.labs) lab.nowMs = at;
      if (flight && flight.atMs === at) {
        this.#flights.shift();
        this.feed(flight.to, {type: 'message-arrived', link: flight.link, message: flight.message});
      } else {
        this.feed(wakes.indexOf(wake), {type: 'woke'});
      }
    }
    for (const lab of this.labs) lab.nowMs = untilMs;
  }

  random(): number {
    const {seed, value} = draw(this.#seed);
    this.#seed = seed;
    return value;
  }

  #ship(from: number, done: readonly Done[]): void {
    for (const message of sent(done.map((each) => each.effect))) {
      this.labs.forEach((lab, to) => {
        if (to === from) return;
        for (const link of lab.start.links) {
          if (this.isCut(from, to, link)) continue;
          const copies = this.random() < this.weather.duplication ? 2 : 1;
          for (let copy = 0; copy < copies; copy++) {
            if (this.random() >= this.weather.loss) this.#launch(lab.nowMs, {to, link, message});
          }
        }
      });
    }
    this.#flights.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
  }

  #launch(nowMs: number, flight: {to: number; link: string; message: Message}): void {
    const delayMs = 1 + Math.floor(this.random() * this.weather.delayMaxMs);
    this.#flights.push({...flight, atMs: nowMs + delayMs, order: this.#order++});
  }
}

// The loop of the messaging process: one event in, all its effects performed in order, then the next event; one timer for
// wakeAt. It may assume a boot message that the manager checked. It promises that no event is handled inside another,
// that a deadline is looked at after every event (a flood of packets cannot postpone a keepalive), and that everything
// it keeps is bounded.

import {readFileSync} from 'node:fs';
import type {MessagingState} from '../messaging/state.js';
import {startMessaging, stepMessaging, wakeAt} from '../messaging/step.js';
import {type LogLevel, log} from '../model/log.js';
import {type Message, messageOf} from '../model/message.js';
import type {MessagingEffect, MessagingEvent} from '../model/messaging.js';
import type {Now, Step} from '../model/time.js';
import {unreachable} from '../model/unreachable.js';
import {type KeySet, prepareKeys} from '../wire/keys.js';
import {openPacket, SEALED_BYTES_MAX, sealPacket} from '../wire/packet.js';
import {monotonicMs, readNow} from './clock.js';
import {Recorder} from './crash.js';
import {EmergencyStop} from './emergency-stop.js';
import {LinkSet} from './links/link-set.js';
import {PingSet} from './links/ping.js';
import type {ManagerSide} from './manager-side.js';
import {killProcess, type ManagerLine, type MessagingBoot, type MessagingCommands} from './messaging-boot.js';
import {killAndWait, spawnManager} from './messaging-children.js';
import {ReceiveGuard} from './receive-guard.js';
import {WakeTimer} from './wake-timer.js';

const loadIntervalMs = 1000;
/** A killed manager that is stuck in the kernel runs no code any more: then it is lost, though its socket lives. */
const killBoundMs = 2000;

export class MessagingLoop {
  private state: MessagingState | undefined;
  private recorder: Recorder<MessagingState, MessagingEvent> | undefined;
  private readonly queue: MessagingEvent[] = [];
  private isStepping = false;
  private isExiting = false;
  private keys: KeySet;
  private commands: MessagingCommands;
  private loadReadMs = Number.NEGATIVE_INFINITY;
  private readonly links: LinkSet;
  private readonly pings: PingSet;
  private readonly guard = new ReceiveGuard();
  private readonly timer = new WakeTimer(() => this.woke());
  private readonly emergency: EmergencyStop;

  constructor(
    private readonly boot: MessagingBoot,
    private readonly manager: ManagerSide,
    private readonly onExit: (status: number) => void,
  ) {
    this.keys = prepareKeys(boot.keyring);
    this.commands = boot;
    this.links = new LinkSet({
      media: boot.media,
      udpPort: boot.udpPort,
      loopback: boot.loopback,
      floating: boot.floating,
      deviceSockets: boot.deviceSockets,
      onPacket: (link, bytes, from) => this.received(link, bytes, from),
      onLog: (record) => this.manager.log(record),
    });
    this.pings = new PingSet({
      nodes: boot.media.filter((each) => each.kind === 'ping'),
      intervalMs: boot.start.keepaliveMs,
      staleMs: boot.start.deadpingMs / 2,
      isRealtime: boot.isRealtime,
      onAnswer: (node) => this.pingAnswered(node),
      onLog: (record) => this.manager.log(record),
    });
    this.emergency = new EmergencyStop(boot.isRealtime, {
      onSaid: (message) => this.dispatch({type: 'manager-said', message}),
      onLog: (record) => this.manager.log(record),
    });
  }

  /** Opens the links, then sends the first packet of this generation. */
  async start(): Promise<void> {
    await this.links.open();
    if (this.isExiting) return;
    const now = readNow();
    const load = this.readLoad(now.monoMs);
    const first = startMessaging(this.boot.start, now);
    this.recorder = new Recorder(first.state);
    this.take(first);
    if (load !== undefined) this.queue.push(load);
    this.drain();
    // After the first packet: starting programs takes its time.
    this.pings.open();
  }

  /** Everything but the boot message. */
  managerSaid(line: ManagerLine): void {
    if (line.type === 'boot') throw new Error('a second boot message on a running channel');
    if (line.type !== 'hello') {
      this.dispatch({type: 'manager-said', message: line});
      return;
    }
    this.commands = line;
    this.manager.greeted(line);
    this.dispatch({type: 'manager-connected'});
  }

  managerLost(): void {
    this.dispatch({type: 'manager-lost'});
  }

  /** The flight recorder's contents, for the crash file. */
  record(): {readonly state: unknown; readonly events: readonly {readonly now: Now; readonly event: unknown}[]} {
    return this.recorder?.contents() ?? {state: undefined, events: []};
  }

  private dispatch(event: MessagingEvent): void {
    this.queue.push(event);
    this.drain();
  }

  private drain(): void {
    if (this.isStepping || this.state === undefined) return;
    this.isStepping = true;
    try {
      for (let event = this.queue.shift(); event !== undefined && !this.isExiting; event = this.queue.shift()) {
        const now = readNow();
        this.recorder?.record(this.state, event, now);
        this.take(stepMessaging(this.state, event, now));
      }
    } finally {
      this.isStepping = false;
    }
    if (!this.isExiting) this.timer.arm(wakeAt(this.state));
  }

  private take({state, effects}: Step<MessagingState, MessagingEffect>): void {
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: MessagingEffect): void {
    switch (effect.type) {
      case 'transmit':
        this.transmit(effect.message);
        return;
      case 'tell-manager':
        this.manager.tell(effect.message);
        return;
      case 'use-keys':
        this.keys = prepareKeys(effect.keyring);
        return;
      case 'kill-manager':
        this.killManager();
        return;
      case 'start-manager':
        this.startManager();
        return;
      case 'emergency-stop':
        this.emergency.begin(this.commands.emergency);
        return;
      case 'log':
        this.manager.log(effect.record);
        return;
      case 'exit':
        this.exit(effect.status);
        return;
      default:
        unreachable(effect);
    }
  }

  private transmit(message: Message): void {
    const {msgfmt, compressAboveBytes} = this.boot;
    const bytes = sealPacket(message, this.keys, {msgfmt, compressAboveBytes});
    if (bytes.length <= SEALED_BYTES_MAX) this.links.send(bytes);
    else
      this.log(
        'ERROR',
        'PACKET_TOO_LONG',
        `a packet of ${bytes.length} bytes cannot be sent: ${SEALED_BYTES_MAX} is most`,
      );
  }

  private received(link: string, bytes: Buffer, from: string): void {
    if (this.state === undefined || this.isExiting) return;
    this.timer.noteRead();
    const beganMs = monotonicMs();
    if (this.guard.admits(from, beganMs)) {
      const opened = openPacket(bytes, this.keys);
      const endedMs = monotonicMs();
      this.guard.opened(from, opened.ok, endedMs - beganMs, endedMs);
      if (opened.ok) this.dispatch({type: 'message-arrived', link, message: opened.message});
      else if (this.guard.reports(link, opened.fault, endedMs))
        this.dispatch({type: 'noise-arrived', link, fault: opened.fault, from});
    }
    // In a flood the timer would wait for the end of this batch.
    if (this.state !== undefined && monotonicMs() >= wakeAt(this.state)) this.woke();
  }

  /** The real daemon sends a signed message to the ping node, whose echo it then hears; the answer alone is enough. */
  private pingAnswered(node: string): void {
    if (this.state === undefined || this.isExiting) return;
    const ts = Math.floor(readNow().wallMs / 1000).toString(16);
    const message = messageOf({t: 'NS_st', st: 'ping', info: 'ping', src: node, ts});
    this.dispatch({type: 'message-arrived', link: node, message});
  }

  private woke(): void {
    if (this.isExiting) return;
    const load = this.readLoad(monotonicMs());
    if (load !== undefined) this.queue.push(load);
    this.dispatch({type: 'woke'});
  }

  /** procfs answers from memory; an asynchronous read would need helper threads, which have another priority. */
  private readLoad(nowMs: number): MessagingEvent | undefined {
    if (nowMs - this.loadReadMs < loadIntervalMs) return undefined;
    this.loadReadMs = nowMs;
    try {
      return {type: 'load-read', text: readFileSync('/proc/loadavg', 'latin1').trim()};
    } catch {
      return undefined;
    }
  }

  private killManager(): void {
    const {identity} = this.manager;
    if (identity === undefined) {
      this.manager.lose();
      return;
    }
    killProcess(identity);
    const timer = setTimeout(() => {
      if (this.manager.identity === identity) this.manager.lose();
    }, killBoundMs);
    timer.unref();
  }

  /** One manager at a time: the lost one may only have lost its channel, so it is made sure that it runs no more. */
  private startManager(): void {
    const {identity} = this.manager;
    const start = (): void => {
      if (this.isExiting || this.manager.isConnected) return;
      const onError = (error: Error): void =>
        this.log('CRIT', 'MANAGER_NOT_STARTED', `cannot start a manager: ${error.message}`);
      const started = spawnManager(this.commands.manager, this.boot.isRealtime, onError);
      if (started !== undefined) this.manager.connect(started.socket, started.identity);
      // Not even a process: counts as one more loss, so that the core sees the end of its patience.
      else setTimeout(() => this.managerLost(), loadIntervalMs).unref();
    };
    if (identity === undefined) start();
    else killAndWait(identity, killBoundMs, start);
  }

  private log(level: LogLevel, code: string, text: string): void {
    this.manager.log(log(level, code, text));
  }

  private exit(status: number): void {
    this.isExiting = true;
    this.timer.close();
    this.emergency.close();
    this.pings.close();
    void this.links.close().then(() => this.onExit(status));
  }
}

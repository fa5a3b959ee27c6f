// The manager's hold on the messaging process: starts it, or adopts the one that started this manager, speaks to it, and
// starts another when it dies. Promises: onLost precedes the messages of the next one; a process that dies again and
// again is started ever more slowly, but always started; after `stop` none is started any more.

import type {ChildProcess} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {ManagerToMessaging, MessagingToManager} from '../model/channel.js';
import type {ClusterConfig} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import type {Paths} from '../model/paths.js';
import type {Channel, ChannelEnd} from './channel.js';
import {monotonicMs} from './clock.js';
import {messagingMark} from './config-diff.js';
import {floatingAddresses, messagingStartOf} from './messaging-boot.js';
import {forgetMessaging, noteMessaging} from './messaging-pid.js';
import {adoptMessagingProcess, startMessagingProcess} from './messaging-start.js';
import {loadUuid, nextGeneration} from './store.js';

export interface MessagingPortOptions {
  readonly config: () => ClusterConfig;
  readonly paths: Paths;
  readonly loopback: string | undefined;
  readonly onMessage: (message: MessagingToManager) => void;
  readonly onLost: () => void;
  readonly log: (record: LogRecord) => void;
  readonly adoptArguments: readonly string[];
  /** Its stderr: V8's own last words. */
  readonly stderr: 'inherit' | 'ignore';
}

/** As the real daemon's default would be: above everything ordinary, below the kernel's own threads. */
const REALTIME_PRIORITY = 20;
const LONG_LIFE_MS = 10_000;
const PAUSE_MS_MAX = 5000;
/** The announcement of a longer dead time must reach the peers before the silence that it excuses. */
const ANNOUNCE_MS = 200;
const RESTART_DEADTIME_MS = 30_000;
const SCRIPTS = {manager: '../../bundle/manager-process.cjs', emergency: './release-all.js'} as const;

export class MessagingPort {
  private channel: Channel<ManagerToMessaging> | undefined;
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private startedMs = 0;
  private shortLives = 0;
  private isStopping = false;
  private generation = 0;
  /** Of the configuration that messaging has or is about to get; undefined: not known. */
  private mark: string | undefined;
  private readonly ended: (() => void)[] = [];

  constructor(private readonly options: MessagingPortOptions) {}

  /** False: the node has no generation that its peers would accept, and cannot run. */
  start(): boolean {
    const {config, paths, loopback, stderr} = this.options;
    const {ha, keyring} = config();
    const wallMs = Date.now();
    const taken = nextGeneration({
      file: paths.generationFile,
      method: ha.generationMethod,
      wallMs,
      atLeast: this.generation,
    });
    const {uuid, logs} = loadUuid(paths.uuidFile);
    for (const record of [...taken.logs, ...logs]) this.options.log(record);
    if (!taken.ok) {
      this.options.log(log('EMERG', 'NO_GENERATION', `Cannot start: ${taken.reason}`));
      return false;
    }
    this.generation = taken.generation;
    const seed = Math.floor(Math.random() * 2 ** 31);
    const facts = {generation: taken.generation, uuid, seed};
    this.mark = messagingMark(config());
    this.startedMs = monotonicMs();
    let onEnd = this.lossHandler();
    const started = startMessagingProcess({
      boot: {
        ...commands(this.options.adoptArguments),
        start: messagingStartOf(config(), facts),
        keyring,
        media: ha.media,
        udpPort: ha.udpPort,
        msgfmt: ha.msgfmt,
        floating: floatingAddresses(config()),
        crashDirectory: paths.logDir,
        ...(ha.traditionalCompression ? {compressAboveBytes: ha.compressionThresholdBytes} : {}),
        ...(loopback === undefined ? {} : {loopback}),
      },
      realtimePriority: ha.realtime ? (ha.rtprio ?? REALTIME_PRIORITY) : undefined,
      stderr,
      // A started process is lost when it has exited; a channel that ends before only means that it soon will have.
      handlers: {onMessage: this.options.onMessage, onEnd: (end) => this.channelEnded(end)},
      onExit: () => {
        onEnd();
        onEnd = () => {};
      },
    });
    this.channel = started.channel;
    this.child = started.child;
    this.note(started.child.pid);
    return true;
  }

  adopt(): void {
    this.startedMs = monotonicMs();
    const onEnd = this.lossHandler();
    this.channel = adoptMessagingProcess(commands(this.options.adoptArguments), {
      onMessage: this.options.onMessage,
      onEnd,
    });
  }

  /** What `ready` said. An older messaging process says nothing: then it counts as equal. */
  noteMark(mark: string | undefined): void {
    this.mark = mark;
  }

  /** It was started with another configuration than the one in force here. */
  get isOutdated(): boolean {
    return this.mark !== undefined && this.mark !== messagingMark(this.options.config());
  }

  tell(message: ManagerToMessaging): void {
    if (message.type === 'stop') this.isStopping = true;
    this.channel?.send(message);
  }

  /** For changes that messaging only learns at its start. Resources stay; peers are told to be patient. */
  restart(): void {
    this.mark = messagingMark(this.options.config());
    this.tell({
      type: 'announce-deadtime',
      deadtimeMs: this.options.config().ha.deadtimeMs + RESTART_DEADTIME_MS,
    });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.channel?.send({type: 'stop', tailMs: 0}), ANNOUNCE_MS);
  }

  /** This node is about to vanish: no further keepalive, and no successor. */
  kill(): void {
    this.isStopping = true;
    this.child?.kill('SIGKILL');
    this.channel?.send({type: 'stop', tailMs: 0});
  }

  /** Settles when the process is gone, or after the bound. */
  async waitForEnd(boundMs: number): Promise<void> {
    clearTimeout(this.timer);
    if (this.channel === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, boundMs);
      this.ended.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** So that no second daemon is started beside it, should this manager die. */
  private note(pid: number | undefined): void {
    try {
      if (pid !== undefined) noteMessaging(this.options.paths.messagingPidFile, pid);
    } catch (error) {
      const text = `cannot write ${this.options.paths.messagingPidFile}: ${error}`;
      this.options.log(log('WARN', 'MESSAGING_NOT_NOTED', text));
    }
  }

  /** Returns what is to be called once this process is gone. */
  private lossHandler(): () => void {
    return () => {
      this.channel?.close();
      this.channel = undefined;
      this.child = undefined;
      for (const resolve of this.ended.splice(0)) resolve();
      if (this.isStopping) return forgetMessaging(this.options.paths.messagingPidFile);
      this.options.onLost();
      this.startAgain();
    };
  }

  private startAgain(): void {
    const isLong = monotonicMs() - this.startedMs >= LONG_LIFE_MS;
    this.shortLives = isLong ? 0 : this.shortLives + 1;
    const pauseMs = this.shortLives <= 1 ? 0 : Math.min(100 * 2 ** this.shortLives, PAUSE_MS_MAX);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.isStopping && !this.start()) this.startAgain();
    }, pauseMs);
  }

  private channelEnded(end: ChannelEnd): void {
    const {child} = this;
    if (end === 'closed' || child === undefined) return;
    // It has no use without its channel; the exit follows at once in the ordinary case.
    setTimeout(() => child.exitCode === null && child.kill('SIGKILL'), end === 'overflow' ? 0 : 1000).unref();
  }
}

function commands(adoptArguments: readonly string[]): {manager: readonly string[]; emergency: readonly string[]} {
  const command = (script: string): string[] => [
    process.execPath,
    '--enable-source-maps',
    fileURLToPath(new URL(script, import.meta.url)),
  ];
  return {manager: [...command(SCRIPTS.manager), ...adoptArguments], emergency: command(SCRIPTS.emergency)};
}

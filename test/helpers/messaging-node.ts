// A messaging process under test, with this test as its manager: boots it, renews its lease, collects what it says.

import assert from 'node:assert/strict';
import {once} from 'node:events';
import type {MessagingToManager} from '../../src/model/channel.js';
import type {Medium} from '../../src/model/config.js';
import {messageOf} from '../../src/model/message.js';
import type {MessagingStart} from '../../src/model/messaging.js';
import type {BootOptions, StartedMessaging} from '../../src/runtime/messaging-start.js';
import {startMessagingProcess} from '../../src/runtime/messaging-start.js';

export interface NodeOptions {
  readonly node: string;
  readonly nodes: readonly string[];
  readonly media: readonly Medium[];
  readonly udpPort: number;
  readonly loopback?: string;
  readonly start?: Partial<MessagingStart>;
  readonly boot?: Partial<BootOptions>;
  readonly key?: string;
  readonly bindToDevice?: boolean;
  readonly realtimePriority?: number;
  readonly launcher?: readonly string[];
  /** False: the test renews the lease itself, or lets it run out. */
  readonly renews?: boolean;
}

export function bootOf(options: NodeOptions): BootOptions {
  const start: MessagingStart = {
    node: options.node,
    nodes: options.nodes,
    pingNodes: [],
    links: [...new Set(options.media.flatMap((each) => (each.kind === 'ping' ? [] : [each.device])))],
    generation: Math.floor(Date.now() / 1000),
    uuid: options.node.padEnd(16, '!').slice(0, 16),
    keepaliveMs: 100,
    warntimeMs: 500,
    deadtimeMs: 1500,
    initdeadMs: 10_000,
    deadpingMs: 1500,
    maxRexmitDelayMs: 250,
    hopfudge: 1,
    seed: 7,
    ...options.start,
  };
  return {
    start,
    keyring: {signWith: 1, keys: [{index: 1, method: 'sha1', key: options.key ?? 'test-key'}]},
    media: options.media,
    udpPort: options.udpPort,
    msgfmt: 'classic',
    floating: [],
    ...(options.loopback === undefined ? {} : {loopback: options.loopback}),
    crashDirectory: '/tmp',
    manager: [],
    emergency: [],
    ...options.boot,
  };
}

export class MessagingNode {
  readonly said: MessagingToManager[] = [];
  readonly started: StartedMessaging;
  exit: {readonly status: number | null; readonly signal: string | null} | undefined;
  private readonly watchers = new Set<() => void>();
  private readonly lease: NodeJS.Timeout | undefined;

  constructor(options: NodeOptions) {
    this.started = startMessagingProcess({
      boot: bootOf(options),
      realtimePriority: options.realtimePriority,
      bindToDevice: options.bindToDevice ?? false,
      launcher: options.launcher ?? [],
      handlers: {
        onMessage: (message) => {
          this.said.push(message);
          for (const watcher of [...this.watchers]) watcher();
        },
        onEnd: () => undefined,
      },
      onExit: (status, signal) => {
        this.exit = {status, signal};
        for (const watcher of [...this.watchers]) watcher();
      },
    });
    if (options.renews === false) return;
    const renew = (): void => void this.started.channel.send({type: 'renew-lease', forMs: 5000});
    renew();
    this.lease = setInterval(renew, 1000);
  }

  /** The first message that fits, said already or to come. */
  async heard<T extends MessagingToManager>(
    what: string,
    fits: (message: MessagingToManager) => message is T,
    timeoutMs?: number,
  ): Promise<T>;
  async heard(
    what: string,
    fits: (message: MessagingToManager) => boolean,
    timeoutMs?: number,
  ): Promise<MessagingToManager>;
  async heard(
    what: string,
    fits: (message: MessagingToManager) => boolean,
    timeoutMs = 15_000,
  ): Promise<MessagingToManager> {
    await this.until(what, () => this.said.some(fits), timeoutMs);
    const found = this.said.find(fits);
    assert(found);
    return found;
  }

  async until(what: string, isDone: () => boolean, timeoutMs = 15_000): Promise<void> {
    if (isDone()) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (): void => {
        if (!isDone()) return;
        clearTimeout(timer);
        this.watchers.delete(finish);
        resolve();
      };
      const timer = setTimeout(() => {
        this.watchers.delete(finish);
        reject(
          new Error(
            `${what}: not within ${timeoutMs} ms; said:\n${this.said.map((each) => JSON.stringify(each)).join('\n')}`,
          ),
        );
      }, timeoutMs);
      this.watchers.add(finish);
    });
  }

  isActive(peer: string): Promise<MessagingToManager> {
    const fits = (each: MessagingToManager): boolean =>
      each.type === 'node-changed' && each.node === peer && each.status === 'active';
    return this.heard(`${peer} active`, fits);
  }

  send(fields: Readonly<Record<string, string>>): void {
    this.started.channel.send({type: 'send', message: messageOf(fields)});
  }

  get logs(): readonly string[] {
    return this.said.flatMap((each) =>
      each.type === 'log' ? [`${each.record.level} ${each.record.code} ${each.record.text}`] : [],
    );
  }

  /** Gracefully, then by force. */
  async stop(): Promise<void> {
    clearInterval(this.lease);
    const {child, channel} = this.started;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    channel.send({type: 'stop', tailMs: 0});
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
    await gone;
    clearTimeout(timer);
    channel.close();
  }
}

// The messaging process's view of the manager: who it is, the channel to it, and the log lines that wait for one. Messaging
// never writes log files, because a hung disk would stop the keepalives; without a manager the lines are kept, within a
// bound, and told to the next one.

import type {Duplex} from 'node:stream';
import type {MessagingToManager} from '../model/channel.js';
import {type LogRecord, log} from '../model/log.js';
import {type Channel, openChannel} from './channel.js';
import type {ManagerHello, ManagerLine, MessagingBoot, ProcessIdentity} from './messaging-boot.js';

const keptLogsMax = 500;

export interface ManagerHandlers {
  readonly onLine: (line: ManagerLine) => void;
  readonly onLost: () => void;
}

export class ManagerSide {
  identity: ProcessIdentity | undefined;
  private channel: Channel<MessagingToManager> | undefined;
  private kept: LogRecord[] = [];
  private dropped = 0;

  constructor(private readonly handlers: ManagerHandlers) {}

  get isConnected(): boolean {
    return this.channel !== undefined;
  }

  connect(socket: Duplex, identity: ProcessIdentity | undefined): void {
    this.identity = identity;
    const channel = openChannel<MessagingToManager, ManagerLine>(socket, {
      onMessage: (line) => {
        if (this.channel === channel) this.handlers.onLine(line);
      },
      onEnd: () => {
        if (this.channel === channel) this.lose();
      },
    });
    this.channel = channel;
  }

  /** It said who it is: log lines reach somebody from now on. */
  greeted(hello: MessagingBoot | ManagerHello): void {
    this.identity = hello.self;
    const kept = this.kept;
    this.kept = [];
    if (this.dropped > 0) kept.push(log('WARN', 'LOGS_DROPPED', `${this.dropped} log lines lost while no manager ran`));
    this.dropped = 0;
    for (const record of kept) this.log(record);
  }

  tell(message: MessagingToManager): void {
    this.channel?.send(message);
  }

  log(record: LogRecord): void {
    if (this.channel?.send({type: 'log', record}) === true) return;
    if (this.kept.length < keptLogsMax) this.kept.push(record);
    else this.dropped += 1;
  }

  /** Called for an end of the channel, and when a killed manager does not vanish. */
  lose(): void {
    if (this.channel === undefined) return;
    const channel = this.channel;
    this.channel = undefined;
    channel.close();
    this.handlers.onLost();
  }

  /** What nobody took, for the last resort. */
  unsaid(): readonly LogRecord[] {
    return this.kept;
  }

  close(): void {
    const channel = this.channel;
    this.channel = undefined;
    channel?.close();
  }
}

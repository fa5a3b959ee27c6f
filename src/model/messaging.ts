// Events and effects of the messaging core. Bytes stay at the edge: the runtime decodes and verifies (src/wire), the
// core sees messages or the name of a fault. The state type itself lives in src/messaging/state.ts.

import type {ManagerToMessaging, MessagingToManager} from './channel.js';
import type {LogRecord} from './log.js';
import type {Message} from './message.js';

/** Why a datagram was refused before it became a message. */
export type WireFault =
  | 'no-start'
  | 'bad-length'
  | 'bad-field'
  | 'no-end'
  | 'too-long'
  | 'no-auth'
  | 'unknown-key'
  | 'bad-digest'
  | 'bad-compression';

export type MessagingEvent =
  | {readonly type: 'woke'}
  | {readonly type: 'message-arrived'; readonly link: string; readonly message: Message}
  | {readonly type: 'noise-arrived'; readonly link: string; readonly fault: WireFault; readonly from: string}
  | {readonly type: 'manager-said'; readonly message: ManagerToMessaging}
  | {readonly type: 'manager-lost'}
  /** A restarted manager connected: it needs `ready`. */
  | {readonly type: 'manager-connected'}
  /** Contents of /proc/loadavg, refreshed now and then, for `ld`. */
  | {readonly type: 'load-read'; readonly text: string};

export type MessagingEffect =
  /** Encode, sign and send on all links; all header fields are in the message already. */
  | {readonly type: 'transmit'; readonly message: Message}
  | {readonly type: 'tell-manager'; readonly message: MessagingToManager}
  /** Sign with, and accept, these keys from now on. */
  | {readonly type: 'use-keys'; readonly keyring: import('./config.js').Keyring}
  /** The lease ran out: the manager hangs. Kill it; its loss follows as an event. */
  | {readonly type: 'kill-manager'}
  /** Start another manager; too many in a short time: the runtime runs the emergency stop instead. */
  | {readonly type: 'start-manager'}
  | {readonly type: 'emergency-stop'}
  | {readonly type: 'log'; readonly record: LogRecord}
  | {readonly type: 'exit'; readonly status: number};

/** What the messaging core needs at its start; the runtime has read and persisted the generation already. */
export interface MessagingStart {
  readonly node: string;
  readonly nodes: readonly string[];
  readonly pingNodes: readonly string[];
  /** Link names, in ha.cf order, each once. */
  readonly links: readonly string[];
  readonly generation: number;
  /** 16 bytes as latin1 text. */
  readonly uuid: string;
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
  readonly deadpingMs: number;
  readonly maxRexmitDelayMs: number;
  readonly hopfudge: number;
  /** Seeds the random choices (ack trigger, request delay). */
  readonly seed: number;
  /** Which configuration this is; goes back to each manager in `ready`. */
  readonly mark?: string;
}

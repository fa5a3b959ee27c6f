// What dopd's core knows, what happens to it and what it wants done: plain data, shared by the side that asks (dopd-asks.ts) and
// the side that is asked (dopd.ts).

import type {Message} from '../model/message.js';
import type {FenceAnswer} from './outdate.js';

/** One request of helpers here to a peer's dopd. */
export interface Ask {
  readonly peer: string;
  readonly resource: string;
  readonly clients: readonly number[];
  /** Comes back with the answer of a dopd of our kind, so that an answer that was late cannot pass for this one's. */
  readonly id: string;
  readonly startedMs: number;
  /** When the loss of the link was known here: the peer's DRBD notices it within a time that begins no later. */
  readonly lostMs: number;
  /** Requests sent before the peer must have noticed, and answers without an id: they come in the order of the requests. */
  readonly unproven: number;
  readonly answers: number;
  readonly hasAskedSince: boolean;
  readonly nextSendMs: number;
  readonly nextStatusMs: number;
  /** An unproven 4 arrived; after this moment the peer is asked again and then believed. */
  readonly believeAfterMs: number | undefined;
  /** The peer is dead, and its STONITH is not decided; said in the log once. */
  readonly awaitsStonith: boolean;
}

/** What names a request to the peer whose dopd carries it out. */
export type Sent = Pick<Ask, 'peer' | 'resource' | 'id'>;

/** The kernel's call of its handler, and the early request that was sent for it. */
export interface EarlyCall {
  readonly peer: string;
  readonly atMs: number;
  readonly id: string;
  /** An original has answered it. */
  readonly isAnswered: boolean;
}

/** Who waits for an outdate that runs here. */
export interface Asker {
  readonly node: string;
  /** Absent: an original dopd. */
  readonly id: string | undefined;
  /** Sent when the kernel called its handler, before the handler has asked. */
  readonly isEarly: boolean;
}

export interface DopdState {
  readonly node: string;
  /** Different in every life of dopd. */
  readonly session: string;
  readonly serial: number;
  readonly asks: readonly Ask[];
  /** By resource. */
  readonly runs: Readonly<Record<string, readonly Asker[]>>;
  /** Requests that ended here without the peer's word, oldest first: it may be about to carry them out until they are taken back. */
  readonly unanswered: readonly Sent[];
  /** By resource: when DRBD was last seen to connect. Who was connected then was not reset since. */
  readonly returns: Readonly<Record<string, number>>;
  /** By resource: the last call of the kernel's handler for a link that has not come back since. */
  readonly calls: Readonly<Record<string, EarlyCall>>;
  /** How long DRBD takes to notice a lost link. */
  readonly noticeMs: number;
  /** By resource: does `fencing resource-and-stonith` freeze its writes until a helper has an answer? Absent: not known yet. */
  readonly freezes: Readonly<Record<string, boolean>>;
}

export type DopdEvent =
  | {
      readonly type: 'helper-asked';
      readonly client: number;
      readonly peer: string;
      readonly resource: string;
      /** DRBD here is connected to that peer, so nothing is to be fenced. */
      readonly isConnected: boolean;
    }
  | {readonly type: 'helper-left'; readonly client: number}
  /** The kernel has called its handler, which will ask in a moment. */
  | {readonly type: 'helper-called'; readonly peer: string; readonly resource: string}
  /** DRBD here is connected to its peer again. */
  | {readonly type: 'link-returned'; readonly resource: string}
  | {
      readonly type: 'node-seen';
      readonly node: string;
      readonly nodeType: string;
      readonly status: string;
      readonly stonith?: string | undefined;
      /** With `OK`: when that reset was begun, by the clock that events are given by; undefined: the daemon did not say. */
      readonly resetMs?: number | undefined;
    }
  /** The cluster has no such node. */
  | {readonly type: 'node-unknown'; readonly node: string}
  | {readonly type: 'message'; readonly message: Message}
  | {readonly type: 'outdate-ended'; readonly resource: string; readonly value: FenceAnswer; readonly why: string}
  | {readonly type: 'woke'};

export type DopdEffect =
  | {readonly type: 'send'; readonly message: Message}
  | {readonly type: 'answer'; readonly client: number; readonly value: number}
  | {readonly type: 'outdate'; readonly resource: string; readonly requester: string}
  | {readonly type: 'ask-status'; readonly node: string; readonly resource: string}
  /** The cluster's manager shall reset a node that it has declared dead and harmless, or reset at that moment, too long ago. */
  | {readonly type: 'want-stonith'; readonly node: string; readonly oldMs?: number | undefined}
  | {readonly type: 'log'; readonly level: 'info' | 'WARN' | 'ERROR'; readonly text: string};

export interface DopdStep {
  readonly state: DopdState;
  readonly effects: readonly DopdEffect[];
}

export function keep(state: DopdState, ...effects: readonly DopdEffect[]): DopdStep {
  return {state, effects};
}

export function line(level: 'info' | 'WARN' | 'ERROR', text: string): DopdEffect {
  return {type: 'log', level, text};
}

/** Names come from outside; `constructor` is one like any other. */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** It becomes an argument of drbdadm. */
export function isResourceName(word: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,126}$/.test(word);
}

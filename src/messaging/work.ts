// One step in the making: the state so far and the effects so far. It lives only within one step; the state objects
// themselves are never changed, only replaced.

import type {MessagingToManager} from '../model/channel.js';
import type {NodeName} from '../model/cluster.js';
import {type LogLevel, type LogRecord, log} from '../model/log.js';
import type {Message} from '../model/message.js';
import type {MessagingEffect} from '../model/messaging.js';
import type {Now} from '../model/time.js';
import {draw} from './random.js';
import {FAULTS_MAX, type FaultEntry, type MessagingState, type NodeRecord, PENDING_MAX} from './state.js';

const FAULT_PERIOD_MS = 60_000;

export interface Work {
  state: MessagingState;
  readonly now: Now;
  readonly effects: MessagingEffect[];
}

export function change(work: Work, patch: Partial<MessagingState>): void {
  work.state = {...work.state, ...patch};
}

/** Replaces part of one node's record and returns the new record; the node must exist. */
export function changeNode(work: Work, name: NodeName, patch: Partial<NodeRecord>): NodeRecord {
  let changed: NodeRecord | undefined;
  const nodes = work.state.nodes.map((each) => {
    if (each.name !== name) return each;
    changed = {...each, ...patch};
    return changed;
  });
  if (!changed) throw new Error(`no record of node ${name}`);
  change(work, {nodes});
  return changed;
}

export function record(work: Work, level: LogLevel, code: string, text: string, data?: LogRecord['data']): void {
  work.effects.push({type: 'log', record: log(level, code, text, data)});
}

export function tell(work: Work, message: MessagingToManager): void {
  if (work.state.isManagerThere) work.effects.push({type: 'tell-manager', message});
}

/** Hands an accepted message on; while no manager listens the newest ones wait for it. */
export function deliver(work: Work, from: NodeName, message: Message): void {
  const {isManagerThere, isManagerUnseen, pending} = work.state;
  if (!isManagerThere || isManagerUnseen) {
    change(work, {pending: [...pending, {from, message, atMs: work.now.monoMs}].slice(-PENDING_MAX)});
  }
  tell(work, {type: 'message-received', from, message});
}

/** A random whole number, `from` and `to` included. */
export function chooseBetween(work: Work, {from, to}: {from: number; to: number}): number {
  const {seed, value} = draw(work.state.random);
  change(work, {random: seed});
  return from + Math.floor(value * (to - from + 1));
}

/**
 * Noise: logged once per source and code in a minute. The table is bounded: when it is full of fresh entries, all
 * further sources of a code share one entry, so that forged sources cannot fill the log either.
 */
export function recordRarely(work: Work, source: string, entry: LogRecord): void {
  const {faults} = work.state;
  const nowMs = work.now.monoMs;
  const key = `${entry.code} ${source}`;
  let at = faults.findIndex((each) => each.key === key);
  if (at < 0 && faults.length >= FAULTS_MAX) at = roomFor(faults, entry.code, nowMs);
  const known = at < 0 ? undefined : faults[at];
  const isShared = known?.key === `${entry.code} *`;
  if (known && (known.key === key || isShared) && nowMs - known.loggedMs < FAULT_PERIOD_MS) {
    change(work, {faults: faults.with(at, {...known, suppressed: known.suppressed + 1})});
    return;
  }
  const isOverflow = at < 0 && faults.length >= FAULTS_MAX;
  const next: FaultEntry = {key: isShared || isOverflow ? `${entry.code} *` : key, loggedMs: nowMs, suppressed: 0};
  change(work, {faults: at < 0 ? [...faults, next] : faults.with(at, next)});
  work.effects.push({type: 'log', record: withSuppressed(entry, known?.key === next.key ? known.suppressed : 0)});
}

/** In a full table: an entry that is old enough to be forgotten, else the shared entry of this code. */
function roomFor(faults: readonly FaultEntry[], code: string, nowMs: number): number {
  const old = faults.findIndex((each) => nowMs - each.loggedMs >= FAULT_PERIOD_MS);
  return old >= 0 ? old : faults.findIndex((each) => each.key === `${code} *`);
}

function withSuppressed(entry: LogRecord, suppressed: number): LogRecord {
  if (suppressed === 0) return entry;
  const text = `${entry.text} (and ${suppressed} more in the last minutes)`;
  return {...entry, text, data: {...entry.data, suppressed}};
}

/** Foreign text in a log line: printable, and short. */
export function printable(text: string): string {
  return text.slice(0, 99).replace(/[^\x21-\x7e]/g, '?');
}

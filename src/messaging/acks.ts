// Acknowledgements (wire-protocol.md 4.3): one for every tenth number of a peer, and the bookkeeping of theirs.
// Our own packets need no acknowledgement from us: nobody's bookkeeping counts it but the real daemon's own.

import {log} from '../model/log.js';
import {fieldOf, type Message, messageOf, parseHex} from '../model/message.js';
import {send} from './send.js';
import {type HistoryEntry, type NodeRecord, nodeOf, unacknowledged} from './state.js';
import {change, changeNode, record, recordRarely, tell, type Work} from './work.js';

/** Acknowledged entries stay this long, because a request may be under way. */
const ACKED_KEEP_MS = 2500;
/**
 * Heartbeat 3.0.6 stops at 250, which is also the largest gap that a peer repairs: with the keepalives that follow it lost
 * what clients had said (seen with a one-way cut). Some room below that keeps every message repairable.
 */
const BACKLOG_MAX = 200;

/** Sends an ack when a number that ends in the peer's trigger digit became complete. */
export function maybeAck(work: Work, name: string): void {
  const node = nodeOf(work.state, name);
  if (!node || node.tracking.last === 0) return;
  const {tracking, ackTrigger} = node;
  const first = tracking.missing[0];
  const complete = first ? first.seq - 1 : tracking.last;
  const target = complete - ((((complete - ackTrigger) % 10) + 10) % 10);
  if (target <= tracking.ackSent) return;
  changeNode(work, name, {tracking: {...tracking, ackSent: target}});
  send(work, messageOf({t: 'NS_ackmsg', dest: name, ackseq: target.toString(16)}));
}

export function ackArrived(work: Work, node: NodeRecord, message: Message): void {
  const ackseq = parseHex(fieldOf(message, 'ackseq'));
  const {highest} = work.state;
  if (ackseq === undefined || ackseq > highest) {
    recordRarely(work, node.name, log('ERROR', 'ACK_CORRUPT', `corrupted ackseq from ${node.name}`, {highest}));
    return;
  }
  if (ackseq <= node.acked) return;
  changeNode(work, node.name, {acked: ackseq});
  forgetAcked(work);
}

/**
 * Heartbeat's back-pressure: while a live peer is so far behind, API clients are not read, so that they cannot push out of the
 * history what the peer still has to ask for. It ends by itself: the peer catches up or is declared dead.
 */
export function judgeFlow(work: Work): void {
  const backlog = unacknowledged(work.state);
  const isPaused = backlog > BACKLOG_MAX || (backlog === BACKLOG_MAX && work.state.isFlowPaused);
  if (isPaused === work.state.isFlowPaused) return;
  change(work, {isFlowPaused: isPaused});
  record(
    work,
    'info',
    isPaused ? 'CLIENTS_PAUSED' : 'CLIENTS_RESUMED',
    `all clients are now ${isPaused ? 'paused' : 'resumed'}`,
  );
  tell(work, {type: 'flow-changed', isPaused});
}

function forgetAcked(work: Work): void {
  const {state, now} = work;
  const acked = state.highest - unacknowledged(state);
  const isNeeded = (each: HistoryEntry) => each.seq > acked || now.monoMs - each.sentMs < ACKED_KEEP_MS;
  const first = state.history.findIndex(isNeeded);
  if (first !== 0) change(work, {history: first < 0 ? [] : state.history.slice(first)});
}

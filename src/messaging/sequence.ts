// Which numbers of a peer were received (wire-protocol.md 3.3 step 8, 4.1), and asking for the missing ones (4.2).
// Real nodes send first transmissions out of order, so the first request waits a random while.

import {log} from '../model/log.js';
import {messageOf} from '../model/message.js';
import {send} from './send.js';
import {
  GAP_MAX,
  HELD_MAX,
  isLive,
  MISSING_MAX,
  type Missing,
  NEVER,
  type NodeRecord,
  type Tracking,
  UNTRACKED,
} from './state.js';
import {changeNode, chooseBetween, deliver, record, recordRarely, type Work} from './work.js';

/** Requests sent to one peer in one step; the others follow a moment later. */
const ASKS_MAX = 50;
const ASK_AGAIN_SOON_MS = 10;

export type Novelty = 'new' | 'filled' | 'duplicate' | 'old';

/** Takes the number of one accepted packet into the books and says what it is. */
export function follow(work: Work, node: NodeRecord, seq: number): Novelty {
  const {tracking} = node;
  if (tracking.last === 0) {
    changeNode(work, node.name, {tracking: begin(work, node, seq), early: {generation: 0, seqs: []}});
    return 'new';
  }
  if (seq === tracking.last) return 'duplicate';
  if (seq < tracking.last) return fill(work, node, seq);
  if (seq > tracking.last + 1) noteGap(work, node, seq);
  else changeNode(work, node.name, {tracking: {...tracking, last: seq}});
  return 'new';
}

/** The first number of a life. Those seen before it but not processed, for want of a status, are asked for again. */
function begin(work: Work, node: NodeRecord, seq: number): Tracking {
  const {early, generation} = node;
  const lost = early.generation === generation ? early.seqs.filter((each) => each < seq && seq - each <= GAP_MAX) : [];
  const missing = [...new Set(lost)].sort((a, b) => a - b).map((each) => ({seq: each, askAtMs: firstAsk(work)}));
  return {...UNTRACKED, last: seq, missing, askAtMs: earliest(missing), ackSent: seq - 1};
}

function noteGap(work: Work, node: NodeRecord, seq: number): void {
  const {name, tracking} = node;
  const lost = seq - tracking.last - 1;
  const text = `${lost} lost packet(s) for [${name}] [${tracking.last}:${seq}]`;
  recordRarely(work, name, log('WARN', 'PACKETS_LOST', text, {node: name, lost}));
  if (lost > GAP_MAX || tracking.missing.length + lost > MISSING_MAX) {
    recordRarely(work, name, log('ERROR', 'PACKETS_LOST_FOR_GOOD', `lost a lot of packets! [${name}]`, {node: name}));
    for (const message of tracking.held) deliver(work, name, message);
    changeNode(work, name, {tracking: {...UNTRACKED, last: seq, ackSent: seq - 1}});
    return;
  }
  const added: Missing[] = [];
  for (let each = tracking.last + 1; each < seq; each++) added.push({seq: each, askAtMs: firstAsk(work)});
  const missing = [...tracking.missing, ...added];
  changeNode(work, name, {tracking: {...tracking, last: seq, missing, askAtMs: earliest(missing)}});
}

function fill(work: Work, node: NodeRecord, seq: number): Novelty {
  return strike(work, node, seq) ? 'filled' : 'old';
}

/** Takes a number off the missing list, because it came or never will; true if it was on it. */
export function strike(work: Work, node: NodeRecord, seq: number): boolean {
  const {name, tracking} = node;
  const missing = tracking.missing.filter((each) => each.seq !== seq);
  if (missing.length === tracking.missing.length) return false;
  changeNode(work, name, {tracking: {...tracking, missing, askAtMs: earliest(missing)}});
  if (missing.length === 0) {
    const text = `No pkts missing from ${name}!`;
    recordRarely(work, name, log('info', 'PACKETS_COMPLETE', text, {node: name}));
  }
  return true;
}

/** Client announcements that waited for earlier holes go on as soon as there are none. */
export function releaseHeld(work: Work, node: NodeRecord): void {
  const {name, tracking} = node;
  if (tracking.held.length === 0 || tracking.missing.length > 0) return;
  changeNode(work, name, {tracking: {...tracking, held: []}});
  for (const message of tracking.held) deliver(work, name, message);
}

export function askAtMs(node: NodeRecord): number {
  return isLive(node) ? node.tracking.askAtMs : NEVER;
}

/** Sends the requests that are due. A node that is not live is asked nothing. */
export function askForMissing(work: Work, node: NodeRecord): void {
  const nowMs = work.now.monoMs;
  if (askAtMs(node) > nowMs) return;
  let left = ASKS_MAX;
  const due: number[] = [];
  const missing = node.tracking.missing.map((each) => {
    if (each.askAtMs > nowMs) return each;
    if (left === 0) return {...each, askAtMs: nowMs + ASK_AGAIN_SOON_MS};
    left -= 1;
    due.push(each.seq);
    return {...each, askAtMs: nowMs + Math.max(1, work.state.start.maxRexmitDelayMs)};
  });
  changeNode(work, node.name, {tracking: {...node.tracking, missing, askAtMs: earliest(missing)}});
  for (const seq of due) {
    send(work, messageOf({t: 'NS_rexmit', dest: node.name, firstseq: String(seq), lastseq: String(seq)}));
  }
}

/** The owner says it cannot send that number again. */
export function nakArrived(work: Work, node: NodeRecord, seq: number): void {
  if (!strike(work, node, seq)) return;
  const text = `Irretrievably lost packet: node ${node.name} seq ${seq}`;
  record(work, 'ERROR', 'PACKET_LOST_FOR_GOOD', text, {node: node.name, seq});
}

/** A sequenced packet came before the status that vouches for it: remember its number, so that it is asked for. */
export function rememberEarly(
  work: Work,
  node: NodeRecord,
  {generation, seq}: {generation: number; seq: number},
): void {
  if (generation === node.generation && seq <= node.floor) return;
  const known = node.early.generation === generation ? node.early.seqs : [];
  if (generation < node.early.generation || known.includes(seq)) return;
  changeNode(work, node.name, {early: {generation, seqs: [...known, seq].slice(-HELD_MAX)}});
}

function firstAsk(work: Work): number {
  const maxMs = work.state.start.maxRexmitDelayMs;
  return work.now.monoMs + Math.max(1, chooseBetween(work, {from: maxMs < 100 ? 0 : 50, to: maxMs}));
}

function earliest(missing: readonly Missing[]): number {
  let at = NEVER;
  for (const each of missing) at = Math.min(at, each.askAtMs);
  return at;
}

/** Forgets what was received; numbers up to the highest seen will not be asked for again. */
export function forget(work: Work, node: NodeRecord): void {
  const floor = Math.max(node.floor, node.tracking.last);
  const lost = node.tracking.held;
  changeNode(work, node.name, {tracking: UNTRACKED, floor});
  for (const message of lost) deliver(work, node.name, message);
}

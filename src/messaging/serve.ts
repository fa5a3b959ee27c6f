// Serving requests for retransmission (wire-protocol.md 4.2). Requests arrive once per link and can be replayed by
// anybody, so both answers, the packet and the refusal, are given at most once per number in a while.

import {log} from '../model/log.js';
import {fieldOf, type Message, messageOf, parseDecimal} from '../model/message.js';
import {lowestKept, send} from './send.js';
import type {NodeRecord} from './state.js';
import {change, recordRarely, type Work} from './work.js';

const SERVED_MAX = 50;
const NAKS_MAX = 50;

export function rexmitRequested(work: Work, node: NodeRecord, message: Message): void {
  const first = parseDecimal(fieldOf(message, 'firstseq'));
  const last = parseDecimal(fieldOf(message, 'lastseq'));
  if (first === undefined || last === undefined || first < 1 || last < first) {
    recordRarely(work, node.name, log('ERROR', 'REXMIT_BAD', `bad rexmit request from ${node.name}`));
    return;
  }
  const {highest} = work.state;
  for (let seq = first; seq <= last && seq < first + SERVED_MAX; seq++) {
    if (seq > highest) {
      const text = `Rexmit of seq ${seq} requested. ${highest} is max.`;
      recordRarely(work, node.name, log('ERROR', 'REXMIT_UNSENT', text, {node: node.name, seq}));
      return;
    }
    if (seq > node.acked || !node.hasFlowControl) serve(work, node, seq);
  }
}

function serve(work: Work, node: NodeRecord, seq: number): void {
  const {history} = work.state;
  const nowMs = work.now.monoMs;
  const at = history.findIndex((each) => each.seq === seq);
  const entry = history[at];
  if (!entry) {
    refuse(work, node, seq);
    return;
  }
  if (entry.resentMs !== null && nowMs - entry.resentMs < quietMs(work)) return;
  change(work, {history: history.with(at, {...entry, resentMs: nowMs})});
  work.effects.push({type: 'transmit', message: entry.message});
}

function refuse(work: Work, node: NodeRecord, seq: number): void {
  const nowMs = work.now.monoMs;
  const fresh = work.state.recentNaks.filter((each) => nowMs - each.atMs < quietMs(work));
  const isRepeated = fresh.some((each) => each.node === node.name && each.seq === seq);
  if (isRepeated || fresh.length >= NAKS_MAX) return;
  change(work, {recentNaks: [...fresh, {node: node.name, seq, atMs: nowMs}]});
  const reason = seq < lowestKept(work.state) ? 'seqno too low' : 'seqno not found';
  const text = `Cannot rexmit pkt ${seq} for ${node.name}: ${reason}`;
  recordRarely(work, node.name, log('ERROR', 'REXMIT_IMPOSSIBLE', text, {node: node.name, seq}));
  send(work, messageOf({t: 'NS_nak_rexmit', firstseq: seq.toString(16), dest: node.name, info: reason}));
}

function quietMs(work: Work): number {
  return Math.max(10, work.state.start.maxRexmitDelayMs - 10);
}

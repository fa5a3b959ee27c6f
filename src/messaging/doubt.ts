// Self-doubt (style.md rule 8): after a pause of this process the peers' packets wait in the sockets, and judging by
// the clock alone would kill the living. The rule has three parts.
//  1. A pause: a step later than its deadline by more than max(keepalive, deadtime/4). Then nobody is declared dead
//     before now + min(keepalive + 500 ms, max(deadtime/2, 1.5 keepalive)): time to read what waits, and to hear one
//     fresh keepalive. Granted five times per silence at most, or an overloaded node would never see a death.
//  2. A status read right after a pause may be old. It counts as heard one keepalive after the one before it, never
//     as now, so a peer that died during the pause is not given the whole dead time again.
//  3. A verdict that is more than 25 ms late for any reason first reads the sockets for 50 ms, once per silence.
// Together: a dead peer is declared dead at most keepalive + 500 ms later than without the pause; a peer whose
// packets wait in the sockets is not. The time we slept does not count against the manager's lease either.

import {log} from '../model/log.js';
import {type MessagingState, NEVER, type NodeRecord} from './state.js';
import {change, changeNode, recordRarely, type Work} from './work.js';

const GRACES_MAX = 5;
const PUNCTUAL_MS = 25;
const SECOND_LOOK_MS = 50;
const DRAIN_MAX_MS = 100;

/** Part 1: looks at how late this step is. */
export function doubtOurselves(work: Work, plannedMs: number): void {
  const {start, leaseUntilMs} = work.state;
  const nowMs = work.now.monoMs;
  const pauseMs = nowMs - plannedMs;
  if (pauseMs <= Math.max(start.keepaliveMs, start.deadtimeMs / 4)) return;
  const text = `We were not running for ${Math.round(pauseMs)} ms; no verdict on other nodes before their packets are read`;
  recordRarely(work, 'self', log('WARN', 'WE_SLEPT', text, {pauseMs: Math.round(pauseMs)}));
  const graceUntilMs = nowMs + graceMs(work.state);
  const nodes = work.state.nodes.map((each) =>
    each.graces < GRACES_MAX ? {...each, graceUntilMs, graces: each.graces + 1} : each,
  );
  change(work, {nodes, drainUntilMs: nowMs + Math.min(DRAIN_MAX_MS, start.keepaliveMs / 2)});
  if (leaseUntilMs !== NEVER) change(work, {leaseUntilMs: leaseUntilMs + pauseMs});
}

function graceMs({start: {keepaliveMs, deadtimeMs}}: MessagingState): number {
  return Math.min(keepaliveMs + 500, Math.max(deadtimeMs / 2, 1.5 * keepaliveMs));
}

/** Part 2: when a status that is read now counts as heard. */
export function creditedMs(work: Work, node: NodeRecord): number {
  const nowMs = work.now.monoMs;
  if (node.heardMs === null || node.status === 'dead' || nowMs >= work.state.drainUntilMs) return nowMs;
  return Math.min(nowMs, node.heardMs + work.state.start.keepaliveMs);
}

/** Part 3: true when the verdict has to wait for one more look into the sockets. */
export function wantsSecondLook(work: Work, node: NodeRecord, deadlineMs: number): boolean {
  const nowMs = work.now.monoMs;
  if (nowMs - deadlineMs <= PUNCTUAL_MS || node.hadSecondLook) return false;
  changeNode(work, node.name, {graceUntilMs: nowMs + SECOND_LOOK_MS, hadSecondLook: true});
  return true;
}

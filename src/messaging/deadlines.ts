// Every deadline of the messaging core, as a number. Deaths are due to the millisecond: a crash is handled when the
// dead time ends, not at the next poll.

import {askAtMs} from './sequence.js';
import {type LinkRecord, type MessagingState, NEVER, type NodeRecord} from './state.js';

/** The next time at which something is due. */
export function wakeAt(state: MessagingState): number {
  if (state.isStopped) return NEVER;
  let at = Math.min(state.nextBeatMs, state.bonusUntilMs, state.leaseUntilMs, state.stopAtMs, state.startManagerAtMs);
  if (state.askNodesAtMs !== null && !state.isCommUp) at = Math.min(at, state.askNodesAtMs);
  for (const node of state.nodes) {
    if (node.name === state.start.node) continue;
    at = Math.min(at, deathAtMs(state, node), askAtMs(node));
    for (const link of node.links) at = Math.min(at, linkDeathAtMs(state, node, link));
  }
  return at;
}

export function deathAtMs(state: MessagingState, node: NodeRecord): number {
  if (node.status === 'dead') return NEVER;
  return Math.max((node.heardMs ?? node.sinceMs) + patienceMs(state, node), node.graceUntilMs);
}

export function linkDeathAtMs(state: MessagingState, node: NodeRecord, link: LinkRecord): number {
  if (link.status === 'dead') return NEVER;
  return Math.max(link.heardMs + patienceMs(state, node), node.graceUntilMs);
}

/** A peer's own announced dead time counts, not ours; before communication is up everybody has initdead. */
function patienceMs(state: MessagingState, node: NodeRecord): number {
  const silenceMs = node.type === 'ping' ? state.start.deadpingMs : node.dtMs;
  return state.isCommUp ? silenceMs : Math.max(silenceMs, state.start.initdeadMs);
}

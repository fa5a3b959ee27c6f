// Moves that nobody asked for by hand: automatic failback when the home node is back, and the offer of a class that
// failed here to a real peer (a Systole peer sees the failure in the beacon and takes its turn by itself).

import type {StandbyScope} from '../model/cluster.js';
import {hasFailedClass} from './classic.js';
import {type Draft, followsClassicRules, isAlive, isHome, isNice, ownsGroup, say} from './draft.js';
import {isPeerStable} from './peer.js';
import {theirsOf} from './peer-groups.js';
import {beginGiving, FAILBACK_RETRY_MS, refusal} from './standby.js';

export function settleMoves(draft: Draft): void {
  if (draft.state.phase !== 'stable') return;
  settleFailback(draft);
  if (followsClassicRules(draft) && isNice(draft)) {
    offer(draft, 'local');
    offer(draft, 'foreign');
  }
}

function settleFailback(draft: Draft): void {
  const {state} = draft;
  if (!state.needsFailback || !isAlive(state.peer) || state.peer.hasLeft) return;
  const isLegacy = !isNice(draft);
  // A real peer in legacy mode asks for its groups itself (ip-request).
  const wants = state.config.ha.autoFailback === 'on' || (isLegacy && state.peer.kind === 'systole');
  const isDue = draft.now.monoMs >= state.failbackAtMs;
  if (!isDue || (!isPeerStable(draft) && !(isLegacy && state.peer.kind === 'classic'))) return;
  const foreign = state.groups.filter((group) => !isHome(draft, group) && ownsGroup(group));
  if (!wants || foreign.length === 0) {
    state.needsFailback = false;
    return;
  }
  const {peer} = state;
  if (peer.kind === 'systole' && foreign.every((group) => theirsOf(peer, group.definition.key)?.state === 'f')) return;
  if (refusal(draft) !== undefined || foreign.some((group) => group.goal === 'run' || group.goal === 'stop')) {
    state.failbackAtMs = draft.now.monoMs + FAILBACK_RETRY_MS;
    return;
  }
  state.needsFailback = false;
  say(draft, 'info', 'FAILBACK', `${state.peer.name} is back: giving its resources back (auto_failback)`);
  beginGiving(draft, 'foreign', {isSilent: isLegacy, isFailback: true});
}

function offer(draft: Draft, part: Exclude<StandbyScope, 'all'>): void {
  const {state} = draft;
  const {offered} = state.classic;
  if (!hasFailedClass(draft, part)) {
    if (!state.groups.some((group) => group.isFailed)) offered[part] = false;
    return;
  }
  if (offered[part] || !state.classic.hold[part] || refusal(draft) !== undefined) return;
  offered[part] = true;
  say(draft, 'WARN', 'OFFERING', `Resources failed here: offering ${part} resources to ${state.peer?.name ?? ''}`);
  beginGiving(draft, part, {isSilent: false, isFailback: false});
}

// Moves that nobody asked for by hand: automatic failback when the home node is back, and the offer of a class that
// failed here to a real peer (a Systole peer sees the failure in the beacon and takes its turn by itself).

import type {StandbyScope} from '../model/cluster.js';
import {hasFailedClass, isLacking} from './classic.js';
import {giveRefusal, takeRefusal} from './disks.js';
import {type Draft, followsClassicRules, isAlive, isHome, isNice, ownsGroup, say, send} from './draft.js';
import {isPeerStable} from './peer.js';
import {theirsOf} from './peer-groups.js';
import {beginGiving, FAILBACK_RETRY_MS, hasPartThere, refusal} from './standby.js';
import type {GroupState, Peer} from './state.js';

export function settleMoves(draft: Draft): void {
  if (draft.state.phase !== 'stable') return;
  settleFailback(draft);
  if (followsClassicRules(draft) && isNice(draft)) {
    settleTakeover(draft);
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
  if (isHeldBack(draft, peer, foreign)) return;
  const isRefused = (group: GroupState) =>
    theirsOf(peer, group.definition.key)?.state === 'f' || hasPartThere(draft, group);
  if (peer.kind === 'systole' && foreign.every(isRefused)) return;
  if (refusal(draft) !== undefined || foreign.some((group) => group.goal === 'run' || group.goal === 'stop')) {
    state.failbackAtMs = draft.now.monoMs + FAILBACK_RETRY_MS;
    return;
  }
  // What is kept back for its disk is looked at again after the move.
  state.needsFailback = giveRefusal(draft, foreign) !== undefined;
  say(draft, 'info', 'FAILBACK', `${state.peer.name} is back: giving its resources back (auto_failback)`);
  beginGiving(draft, 'foreign', {isSilent: isLegacy, isFailback: true});
}

/** The peer's copy is not good yet: facts that change bring this up again, so nothing is tried in the meantime. */
function isHeldBack(draft: Draft, peer: Peer, foreign: readonly GroupState[]): boolean {
  const {state} = draft;
  const held = foreign.filter((group) => giveRefusal(draft, [group]) !== undefined);
  // A real peer takes all of them at once.
  const isHeld = peer.kind === 'systole' ? held.length === foreign.length : held.length > 0;
  const text = giveRefusal(draft, held)?.text;
  if (!isHeld || text === undefined) {
    state.failbackSaid = undefined;
    return false;
  }
  const about = held.map((group) => group.definition.key).join(' ');
  if (state.failbackSaid !== about) {
    state.failbackSaid = about;
    say(draft, 'info', 'FAILBACK_WAITS', `${peer.name} is back, its resources stay here for now: ${text}`);
  }
  return true;
}

/** A real peer gives automatically once, when this node returns; what it was refused then is asked for now. */
function settleTakeover(draft: Draft): void {
  const {state} = draft;
  if (!state.isTakeoverOwed || state.config.ha.autoFailback !== 'on' || refusal(draft) !== undefined) return;
  const own = state.groups.filter((group) => isHome(draft, group) && !ownsGroup(group));
  if (takeRefusal(draft, own) !== undefined) return;
  state.isTakeoverOwed = false;
  if (own.length === 0) return;
  say(
    draft,
    'info',
    'FAILBACK',
    `The disks here are good: asking ${state.peer?.name ?? ''} for our resources (auto_failback)`,
  );
  send(draft, {t: 'hb_takeover', rsc_hold: 'local'});
}

function offer(draft: Draft, part: Exclude<StandbyScope, 'all'>): void {
  const {state} = draft;
  const {offered} = state.classic;
  if (!hasFailedClass(draft, part)) {
    if (!state.groups.some((group) => group.isFailed || isLacking(draft, group))) offered[part] = false;
    return;
  }
  if (offered[part] || !state.classic.hold[part] || refusal(draft) !== undefined) return;
  offered[part] = true;
  say(draft, 'WARN', 'OFFERING', `Resources cannot run here: offering ${part} resources to ${state.peer?.name ?? ''}`);
  beginGiving(draft, part, {isSilent: false, isFailback: false});
}

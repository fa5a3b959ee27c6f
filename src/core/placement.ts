// Decides for every group whether this node may start it, keeps it, or yields it (docs/adr/0002). Level-triggered: it
// looks at the whole state after every event, so a lost or repeated message changes nothing. Safety does not rest on
// both nodes agreeing whose turn it is: between living Systole nodes nothing is started before the peer granted it or
// acknowledged the claim.

import {BARRED_FAILS} from './beacon.js';
import {classicPlacement, classicRelease} from './classic.js';
import {awaitsDisks, barOf, sayBar} from './disks.js';
import {
  type Draft,
  followsClassicRules,
  isAlive,
  isGranted,
  isHome,
  isNice,
  onlyAsksDisk,
  ownsGroup,
  say,
} from './draft.js';
import {setGoal} from './goals.js';
import {leaseMs} from './lease.js';
import {isClaimSeen, nextClaim, OWNING, theirsOf, wordOf} from './peer-groups.js';
import {inScope} from './scope.js';
import type {GroupState, Peer, PeerGroup, Placement} from './state.js';

/** What was found in part on both nodes is measured some times before one of them lets go of it. */
const LEFTOVER_MS = 10_000;

export function placeGroups(draft: Draft): void {
  for (const group of draft.state.groups) {
    if (group.goal === 'measure') continue;
    if (ownsGroup(group)) placeOwned(draft, group);
    else placeUnowned(draft, group);
  }
}

function placeOwned(draft: Draft, group: GroupState): void {
  if (group.goal === 'stop') return mayRunAgain(draft, group) ? setGoal(draft, group, 'run') : undefined;
  if (group.isRemoved || group.nextDefinition?.resources.length === 0) return setGoal(draft, group, 'stop');
  if (yields(draft, group)) return setGoal(draft, group, 'stop');
  if (draft.state.phase !== 'stable') return;
  if (isGivenAway(draft, group)) return setGoal(draft, group, 'stop');
  // A group found running in part is completed by its owner.
  if (group.state !== 'running' || group.goal !== 'idle' || !isIncomplete(draft, group)) return;
  // From here on it is its owner, and not one that happens to have a part of it.
  if (group.isPartial) group.claim = nextClaim(draft, theirsOf(draft.state.peer, group.definition.key));
  setGoal(draft, group, 'run');
}

/** It cannot be stopped here, and nobody else can run it: it is better started again than stopped for ever. */
function mayRunAgain(draft: Draft, group: GroupState): boolean {
  if (group.state !== 'blocked' || group.job !== undefined || draft.state.phase !== 'stable') return false;
  if (group.isRemoved || group.nextDefinition !== undefined || followsClassicRules(draft)) return false;
  if (isGivenAway(draft, group) || barOf(draft.state, group) !== undefined || awaitsDisks(draft, group)) return false;
  return isRetryDue(draft, group) && mayComplete(draft, group);
}

/** A single status without an answer is the monitor's business (outcomes.ts): it asks again before it acts. */
function isIncomplete(draft: Draft, group: GroupState): boolean {
  if (awaitsDisks(draft, group)) return false;
  if (group.isPartial) return mayComplete(draft, group);
  return group.resources.some((each) => each === 'stopped' || each === 'failed');
}

/** Can the rest of what was found in part not run on the peer, nor be started there? */
function mayComplete(draft: Draft, group: GroupState): boolean {
  const {peer} = draft.state;
  if (peer === undefined) return true;
  if (!isAlive(peer) || peer.hasLeft) return peer.cleared === 'yes';
  if (peer.kind === 'classic') return classicPlacement(draft, group).act === 'start';
  if (!isHeard(peer)) return false;
  const theirs = theirsOf(peer, group.definition.key);
  if ((theirs?.state ?? 'n') === 'n' && strangerOf(draft, group, peer) !== undefined) return false;
  // It has seen that we may own it, so it does not start it any more.
  return isClaimSeen(draft, group, peer) && !`${OWNING}ig`.includes(theirs?.state ?? 'n');
}

function isGivenAway(draft: Draft, group: GroupState): boolean {
  const {standby} = draft.state;
  if (standby?.role === 'giver' && standby.keys.includes(group.definition.key)) return standby.step === 'releasing';
  return followsClassicRules(draft) && isNice(draft) && classicRelease(draft, group);
}

/** Both run it: the higher claim keeps it, for its owner was told last by clients and data; a tie goes home. */
function yields(draft: Draft, group: GroupState): boolean {
  const {peer} = draft.state;
  const theirs = isHeard(peer) && !peer.hasLeft ? theirsOf(peer, group.definition.key) : undefined;
  if (peer === undefined || theirs === undefined || !'srb'.includes(theirs.state)) {
    group.isConflicting = false;
    return theirs?.state === 'u' && isLeftover(draft, group, theirs);
  }
  if (onlyAsksDisk(group)) {
    const text = `Resource group ${group.definition.key} runs on ${peer.name}, which is heard again: its start here, which only asked for its disk, is given up`;
    say(draft, 'WARN', 'OWNER_IS_BACK', text, {group: group.definition.key});
    return true;
  }
  // What cannot be stopped there stays there either way: a status that gave no answer here may give one.
  if (theirs.state === 'b' && group.isPartial && draft.now.monoMs < group.sinceMs + LEFTOVER_MS) return false;
  const isMine = isOlder(draft, group, theirs) && !group.isPartial;
  if (!group.isConflicting) {
    group.isConflicting = true;
    group.conflictSinceMs = draft.now.monoMs;
    const whose = isHome(draft, group) ? 'our' : 'foreign';
    const decision = isMine ? `${peer.name} must yield` : 'this node yields';
    const text = `Both machines own ${whose} resources! Group ${group.definition.key}: ${decision} (claim ${group.claim} here, ${theirs.claim} there)`;
    say(draft, 'CRIT', 'TWO_OWNERS', text, {group: group.definition.key, mine: group.claim, theirs: theirs.claim});
  }
  return !isMine || isUnheard(draft, group, peer);
}

/** It does not hear this node (a cut in one direction), so it never yields. */
function isUnheard(draft: Draft, group: GroupState, peer: Peer): boolean {
  if (isClaimSeen(draft, group, peer) || theirsOf(peer, group.definition.key)?.state === 'b') {
    group.conflictSinceMs = draft.now.monoMs;
    return false;
  }
  const {config} = draft.state;
  // A manager that hangs does not acknowledge either, until it is replaced or its node is dead.
  if (draft.now.monoMs < group.conflictSinceMs + leaseMs(config) + 2 * config.ha.deadtimeMs) return false;
  const text = `${peer.name} runs resource group ${group.definition.key} too and does not hear this node: this node yields`;
  say(draft, 'CRIT', 'YIELDING', text, {group: group.definition.key});
  return true;
}

/**
 * Both nodes run something of it, as when init starts a server on each: neither could ever complete it. One lets go of its part
 * after a while in which a status that hung may have answered.
 */
function isLeftover(draft: Draft, group: GroupState, theirs: PeerGroup): boolean {
  const {peer, phase} = draft.state;
  if (!group.isPartial || group.goal !== 'idle' || draft.now.monoMs < group.sinceMs + LEFTOVER_MS) return false;
  // Who has not measured everything yet may have nothing of it.
  if (phase !== 'stable' || peer?.phase !== 's') return false;
  if (!isClaimSeen(draft, group, peer) || isOlder(draft, group, theirs)) return false;
  const {key, resources} = group.definition;
  const here = resources.filter((_, index) => group.resources[index] !== 'stopped').map(({word}) => word);
  const text = `Resource group ${key} is there in part on both nodes: stopping what this one has of it (${here.join(' ')}). Only heartbeat may start resources, not init`;
  say(draft, 'ERROR', 'PART_ON_BOTH', text, {group: key});
  return true;
}

/** Of two that have it: the last that took it, else the home node. */
function isOlder(draft: Draft, group: GroupState, theirs: PeerGroup): boolean {
  return group.claim > theirs.claim || (group.claim === theirs.claim && isPreferred(draft, group, theirs));
}

/** A living Systole peer, and what is known of it is new. */
function isHeard(peer: Peer | undefined): peer is Peer {
  return isAlive(peer) && peer.kind === 'systole' && peer.version > 0;
}

/** The home node goes first. Where both or none take themselves for it (their files differ), the names decide. */
function isPreferred(draft: Draft, group: GroupState, theirs: PeerGroup | undefined): boolean {
  const isOurs = isHome(draft, group);
  if (isOurs !== (theirs?.isHome ?? false)) return isOurs;
  return draft.state.self < (draft.state.peer?.name ?? '');
}

function placeUnowned(draft: Draft, group: GroupState): void {
  if (group.goal !== 'idle') return;
  const free = unbarredPlacement(draft, group);
  const isTurn = free.act === 'start' || free.act === 'claim';
  const bar = barOf(draft.state, group);
  if (isTurn && bar !== undefined) sayBar(draft, group, bar);
  const placement = isTurn && bar !== undefined ? waits(group, bar.text) : free;
  const theirs = theirsOf(draft.state.peer, group.definition.key);
  if (placement.act === 'start') return begin(draft, group, theirs);
  if (placement.act === 'claim' && !group.intends) {
    group.intends = true;
    group.claim = nextClaim(draft, theirs);
  }
  if (placement.act === 'withdraw') group.intends = false;
}

function begin(draft: Draft, group: GroupState, theirs: PeerGroup | undefined): void {
  if (!group.intends) group.claim = nextClaim(draft, theirs);
  // A disk keeps it from its home: it returns there, if it is to, when the disk is good.
  if (theirs?.fails === BARRED_FAILS && !isHome(draft, group)) draft.state.needsFailback = true;
  group.intends = false;
  group.granted = undefined;
  group.isFailed = false;
  setGoal(draft, group, 'run');
}

/** What may happen to a group that this node does not own; a pure question, also asked for `systole status`. */
export function placementOf(draft: Draft, group: GroupState): Placement {
  const bar = barOf(draft.state, group);
  return bar === undefined ? unbarredPlacement(draft, group) : waits(group, bar.text);
}

/** The same without regard to disks. */
function unbarredPlacement(draft: Draft, group: GroupState): Placement {
  const {state} = draft;
  const {peer} = state;
  if (group.isRemoved) return waits(group, 'it is no longer in haresources');
  if (state.phase !== 'stable') return waits(group, phaseReason(state.phase));
  if (awaitsDisks(draft, group)) return waits(group, 'DRBD has not said yet how its disks are');
  if (state.standby?.role === 'giver' && inScope(draft, group, state.standby) && !isRefused(draft, group)) {
    return waits(group, 'it is being given to the other node');
  }
  if (peer === undefined) return retryOrWait(draft, group);
  if (!isAlive(peer) || peer.hasLeft) {
    if (peer.cleared === 'yes') return retryOrWait(draft, group);
    return waits(
      group,
      peer.cleared === 'fencing' ? `waiting for the fencing of ${peer.name}` : `waiting for ${peer.name}`,
    );
  }
  if (peer.kind === 'classic') return classicPlacement(draft, group);
  if (peer.kind === 'unknown' || peer.version === 0) return waits(group, `waiting to hear what ${peer.name} owns`);
  return besideSystole(draft, group, peer);
}

/** The taker of a move tried it in vain: it is not held back until the others are taken. */
function isRefused({state}: Draft, group: GroupState): boolean {
  const {standby, peer} = state;
  return (
    standby?.step === 'acquiring' && peer?.kind === 'systole' && theirsOf(peer, group.definition.key)?.state === 'f'
  );
}

function besideSystole(draft: Draft, group: GroupState, peer: Peer): Placement {
  const theirs = theirsOf(peer, group.definition.key);
  if (theirs !== undefined && OWNING.includes(theirs.state)) return waits(group, `it is on ${peer.name}`);
  if (peer.phase === 'l' || theirs?.state === 'g') return retryOrWait(draft, group);
  if (isGranted(group)) return waits(group, `it was given to ${peer.name}`);
  const turn =
    theirs === undefined || theirs.state === 'n' ? loneTurn(draft, group, peer) : turnOf(draft, group, peer, theirs);
  if (turn !== 'mine') return waits(group, turn);
  if (theirs?.state === 'i') {
    return isPreferred(draft, group, theirs) ? {act: 'claim'} : waits(group, `${peer.name} is about to start it`);
  }
  return group.intends && isClaimSeen(draft, group, peer) ? {act: 'start'} : {act: 'claim'};
}

/** The peer does not have the group, so it is always our turn, unless the peer runs it by its old name. */
function loneTurn(draft: Draft, group: GroupState, peer: Peer): 'mine' | string {
  if (group.isFailed && !isRetryDue(draft, group)) return failedReason(group);
  const stranger = strangerOf(draft, group, peer);
  return stranger === undefined ? 'mine' : `haresources differ: ${peer.name} runs ${stranger}, which is not known here`;
}

/** What the peer runs, or starts before us, and is not known here: perhaps the same under another first word. */
function strangerOf(draft: Draft, group: GroupState, peer: Peer): string | undefined {
  const words = new Set(draft.state.groups.map((each) => wordOf(each.definition.key)));
  const goesFirst = (theirs: PeerGroup): boolean =>
    OWNING.includes(theirs.state) || (theirs.state === 'i' && !isPreferred(draft, group, theirs));
  return Object.entries(peer.groups).find(([word, theirs]) => !words.has(word) && goesFirst(theirs))?.[0];
}

/** Whose turn it is to start an unowned group when both nodes live: who has not failed, then the home node. */
function turnOf(draft: Draft, group: GroupState, peer: Peer, theirs: PeerGroup): 'mine' | string {
  const preferred = isPreferred(draft, group, theirs);
  const hasPeerFailed = theirs.state === 'f';
  if (!group.isFailed) {
    return hasPeerFailed || preferred ? 'mine' : `${peer.name} is its home and has not started it yet`;
  }
  if (!hasPeerFailed) return `it failed here (${group.lastError ?? 'no reason given'}), ${peer.name} may start it`;
  const isFewer = group.failCount < theirs.fails || (group.failCount === theirs.fails && preferred);
  if (!isFewer) return `it failed on both nodes; ${peer.name} tries next`;
  return isRetryDue(draft, group) ? 'mine' : failedReason(group);
}

function retryOrWait(draft: Draft, group: GroupState): Placement {
  if (!group.isFailed || isRetryDue(draft, group)) return {act: 'start'};
  return waits(group, failedReason(group));
}

function isRetryDue(draft: Draft, group: GroupState): boolean {
  return group.retryAtMs === undefined || draft.now.monoMs >= group.retryAtMs;
}

function failedReason(group: GroupState): string {
  return `it failed to start ${group.failCount} times (${group.lastError ?? 'no reason given'}); it will be tried again`;
}

function waits(group: GroupState, reason: string): Placement {
  return group.intends ? {act: 'withdraw', reason} : {act: 'wait', reason};
}

function phaseReason(phase: string): string {
  if (phase === 'waiting') return 'communication is not up yet';
  return phase === 'joining' ? 'this node is joining the cluster' : 'this node is leaving the cluster';
}

// What a real Heartbeat 3.0.6 peer expects (resource-engine.md 2): the two-bit holding, the stability handshake, the
// ten-second timer. The hazards of section 8 are not copied: holdings follow measurement, a release is announced after
// its stops, and a conflict is resolved instead of being logged.

import {type Hold, holdOf, includesHold, parseHold} from '../model/cluster.js';
import {fieldOf, type Message} from '../model/message.js';
import {barOf, isPeerDiskBad} from './disks.js';
import {
  classOf,
  type Draft,
  followsClassicRules,
  holdsClass,
  isAlive,
  isNice,
  isQuiet,
  ownsGroup,
  say,
} from './draft.js';
import {isMeasuring} from './goals.js';
import {CONFLICT_PATIENCE_MS} from './legacy.js';
import {repeatsAtMs, sendHold} from './reports.js';
import {inScope} from './scope.js';
import type {GroupState, Peer, Placement} from './state.js';

const ACQUIRE_AFTER_MS = 10_000;
/** Nobody holds our own groups although both are stable: take them after this. */
const ORPHAN_PATIENCE_MS = 15_000;

/** The peer turned out to be a real Heartbeat. */
export function becomeClassic(draft: Draft): void {
  const {classic, phase, isCommUp, peer} = draft.state;
  classic.hold = {local: holdsClass(draft, 'local'), foreign: holdsClass(draft, 'foreign')};
  classic.offered = {local: false, foreign: false};
  classic.orphanSinceMs = undefined;
  if (phase === 'stable') classic.rstate = 'stable';
  else if (isCommUp && classic.rstate === 'stable') classic.rstate = 'starting';
  // Packets overtake each other: its report may have come before the status that tells what it is.
  if (isCommUp && peer !== undefined && peer.reportSequence > 0) heardFirstHold(draft, peer);
}

/** A report is known; when the original does not follow with a stable one, we act after ten seconds, as it does. */
function heardFirstHold(draft: Draft, peer: Peer): void {
  const {classic} = draft.state;
  if (classic.rstate === 'starting' || classic.rstate === 'both-starting') classic.rstate = 'received';
  if (classic.rstate === 'received') classic.acquireAtMs ??= draft.now.monoMs + ACQUIRE_AFTER_MS;
  if (classic.rstate !== 'stable' && peer.isStable) becomeStable(draft, peer);
}

export function heardStarting(draft: Draft, peer: Peer): void {
  const {classic} = draft.state;
  const wasStable = classic.rstate === 'stable';
  if (classic.rstate === 'starting') classic.rstate = 'both-starting';
  peer.isStable = false;
  sendHold(draft, {isStable: peer.kind === 'classic' ? wasStable : draft.state.phase === 'stable'});
}

/** `resource` from a real peer. */
export function heardHold(draft: Draft, peer: Peer, message: Message): void {
  const {classic} = draft.state;
  if (fieldOf(message, 'rsc_hold') === undefined || !noteHold(peer, message)) return;
  if (classic.rstate === 'starting' || classic.rstate === 'both-starting') classic.rstate = 'received';
  if (classic.rstate === 'received') classic.acquireAtMs ??= draft.now.monoMs + ACQUIRE_AFTER_MS;
  const wasStable = classic.rstate === 'stable';
  const isStable = fieldOf(message, 'isstable');
  if (isStable === '1' && !peer.isStable) {
    peer.isStable = true;
    say(draft, 'info', 'PEER_STABLE', 'remote resource transition completed.', {node: peer.name});
    sendHold(draft, {isStable: wasStable});
  }
  if (isStable === '0') peer.isStable = false;
  if (!wasStable && peer.isStable) becomeStable(draft, peer);
}

/**
 * Updates what the peer says it holds; `releasing` keeps what it held while its stop scripts may still run. False: a
 * lost report that was sent again, and came after one that was made later, says nothing any more.
 */
export function noteHold(peer: Peer, message: Message): boolean {
  const sequence = Number.parseInt(fieldOf(message, 'seq') ?? '', 16);
  if (sequence < peer.reportSequence) {
    // What it said later was only what came to it, so this one would have counted.
    if (!peer.isReportWhole) peer.owesReport = true;
    return false;
  }
  if (sequence >= 0) peer.reportSequence = sequence;
  peer.isReportWhole = fieldOf(message, 'rtype') === 'full' && fieldOf(message, 'isstable') !== undefined;
  if (peer.isReportWhole) peer.owesReport = false;
  const word = parseHold(fieldOf(message, 'rsc_hold'));
  const before = peer.hold;
  if (fieldOf(message, 'rtype') === 'full') peer.hold = word;
  else peer.hold = word === 'none' ? 'none' : union(peer.hold, word);
  const info = fieldOf(message, 'info');
  // 3.0.6 says this before its stop scripts ran (resource-engine.md 2.13), so it is no proof that they are done.
  if (info === 'standby' || info === 'shutdown') peer.releasing = union(peer.releasing, union(before, peer.hold));
  else if (fieldOf(message, 'isstable') === '1') peer.releasing = 'none';
  return true;
}

function union(one: Hold, other: Hold): Hold {
  return holdOf({
    local: includesHold(one, 'local') || includesHold(other, 'local'),
    foreign: includesHold(one, 'foreign') || includesHold(other, 'foreign'),
  });
}

function becomeStable(draft: Draft, peer: Peer): void {
  const {classic} = draft.state;
  acquireOwn(draft, peer);
  classic.rstate = 'stable';
  classic.acquireAtMs = undefined;
  say(draft, 'info', 'LOCAL_STABLE', 'local resource transition completed.');
  sendHold(draft, {isStable: true});
}

function acquireOwn(draft: Draft, peer: Peer): void {
  const {classic} = draft.state;
  if (includesHold(peer.hold, 'foreign') || classic.hold.local) {
    say(draft, 'info', 'ACQUIRE_NONE', 'Local Resource acquisition completed. (none)');
    return;
  }
  classic.hold.local = true;
}

/** Deadlines of this machine that passed. Called after every event while the peer is a real one. */
export function settleClassic(draft: Draft): void {
  const {state} = draft;
  const {classic, peer} = state;
  if (!followsClassicRules(draft) || !isNice(draft) || peer === undefined || !state.isCommUp) return;
  if (isMeasuring(draft)) return;
  const {monoMs} = draft.now;
  if (classic.rstate === 'received' && classic.acquireAtMs !== undefined && monoMs >= classic.acquireAtMs) {
    becomeStable(draft, peer);
  }
  if (classic.rstate !== 'stable' || state.standby !== undefined) {
    peer.conflictSinceMs = undefined;
    classic.orphanSinceMs = undefined;
    return;
  }
  settleConflict(draft, peer);
  settleOrphans(draft, peer);
}

/** A real peer never yields by itself when it missed our death or we missed its: wait for its restart, then yield. */
function settleConflict(draft: Draft, peer: Peer): void {
  const {classic} = draft.state;
  const local = classic.hold.local && includesHold(peer.hold, 'foreign');
  const foreign = classic.hold.foreign && includesHold(peer.hold, 'local');
  if ((!local && !foreign) || peer.releasing !== 'none') {
    peer.conflictSinceMs = undefined;
    return;
  }
  if (peer.conflictSinceMs === undefined) {
    peer.conflictSinceMs = draft.now.monoMs;
    say(draft, 'CRIT', 'TWO_OWNERS', `Both machines own ${local ? 'our' : 'foreign'} resources!`, {node: peer.name});
  }
  if (draft.now.monoMs < peer.conflictSinceMs + CONFLICT_PATIENCE_MS) return;
  say(draft, 'CRIT', 'YIELDING', `${peer.name} keeps resources that run here too: this node yields them`);
  if (local) classic.hold.local = false;
  if (foreign) classic.hold.foreign = false;
  peer.conflictSinceMs = undefined;
  sendHold(draft, {isStable: true});
}

function settleOrphans(draft: Draft, peer: Peer): void {
  const {classic} = draft.state;
  if (classic.hold.local || includesHold(peer.hold, 'foreign') || peer.releasing !== 'none' || !peer.isStable) {
    classic.orphanSinceMs = undefined;
    return;
  }
  classic.orphanSinceMs ??= draft.now.monoMs;
  if (draft.now.monoMs < classic.orphanSinceMs + ORPHAN_PATIENCE_MS) return;
  classic.orphanSinceMs = undefined;
  classic.hold.local = true;
  say(draft, 'WARN', 'ORPHANS_TAKEN', 'No one owns our local resources! Acquiring them.');
  sendHold(draft, {isStable: true});
}

/** Deadlines for wakeAt. */
export function classicDeadlines(draft: Draft): (number | undefined)[] {
  const {classic, peer} = draft.state;
  return [
    repeatsAtMs(draft),
    classic.rstate === 'received' ? classic.acquireAtMs : undefined,
    peer?.conflictSinceMs === undefined ? undefined : peer.conflictSinceMs + CONFLICT_PATIENCE_MS,
    classic.orphanSinceMs === undefined ? undefined : classic.orphanSinceMs + ORPHAN_PATIENCE_MS,
  ];
}

/** May a group that we do not own be started beside a living real peer? */
export function classicPlacement(draft: Draft, group: GroupState): Placement {
  const {classic, peer} = draft.state;
  const part = classOf(draft, group);
  const may = isNice(draft) ? classic.hold[part] : group.isPermitted;
  if (!may) return {act: 'wait', reason: `it belongs to ${peer?.name ?? 'the other node'} now`};
  const isDue = !group.isFailed || (group.retryAtMs ?? 0) <= draft.now.monoMs;
  if (isDue) return {act: 'start'};
  return {act: 'wait', reason: `it failed to start (${group.lastError ?? 'no reason given'}); it will be tried again`};
}

/** Must an owned group be stopped because its class is not ours any more? */
export function classicRelease(draft: Draft, group: GroupState): boolean {
  const {classic, standby, peer} = draft.state;
  if (classic.rstate !== 'stable' || !isAlive(peer)) return false;
  if (standby?.role === 'giver' && inScope(draft, group, standby)) return false;
  return !classic.hold[classOf(draft, group)];
}

/** The class holds a group that failed and none is being worked at: it can be offered to the peer. */
export function hasFailedClass(draft: Draft, part: 'local' | 'foreign'): boolean {
  const groups = draft.state.groups.filter((group) => classOf(draft, group) === part);
  const areQuiet = groups.every(isQuiet);
  return areQuiet && groups.some((group) => isLacking(draft, group));
}

/** It failed here, or a disk bars it and the peer's may be better. */
export function isLacking(draft: Draft, group: GroupState): boolean {
  if (ownsGroup(group)) return false;
  return group.isFailed || (barOf(draft.state, group) !== undefined && !isPeerDiskBad(draft, group));
}

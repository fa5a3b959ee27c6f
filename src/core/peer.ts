// What is known of the other node: alive or dead, real Heartbeat or Systole, what it owns, and whether it is proven
// harmless. A node that dies in the middle of a release or a start counts as an owner (docs/adr/0002).

import type {MessagingToManager} from '../model/channel.js';
import type {NodeName, NodeStatus, StonithWord} from '../model/cluster.js';
import {fieldOf, type Message} from '../model/message.js';
import {readBeacon} from './beacon.js';
import {becomeClassic} from './classic.js';
import {currentHold, type Draft, isAlive, isNice, nextId, ownsGroup, say, send} from './draft.js';
import {suspectConflict} from './legacy.js';
import {isClaimSeen, OWNING, theirsOf} from './peer-groups.js';
import {mayBeShared} from './sharing.js';
import {cancelStandby} from './standby.js';
import type {ManagerState, Peer} from './state.js';

const FENCE_RETRY_MS = 5_000;
/** Or it is about to, with our acknowledgement on its way. */
const MAY_OWN = `${OWNING}i`;

export function newPeer(name: NodeName): Peer {
  return {
    name,
    status: 'init',
    wasHeard: false,
    kind: 'unknown',
    hasLeft: false,
    cleared: 'no',
    fence: undefined,
    stonith: undefined,
    resetMs: undefined,
    ...unknownHoldings(),
  };
}

function unknownHoldings() {
  return {
    incarnation: '',
    version: 0,
    phase: 'w',
    configHash: '',
    isGiving: false,
    seenIncarnation: '',
    groups: {},
    hold: 'none',
    isStable: false,
    releasing: 'none',
    conflictSinceMs: undefined,
    reportSequence: 0,
    owesReport: false,
    isReportWhole: true,
  } as const;
}

type NodeChanged = Extract<MessagingToManager, {type: 'node-changed'}>;

export function nodeChanged(draft: Draft, event: NodeChanged): void {
  const {state} = draft;
  state.nodes = state.nodes.map((node) => (node.name === event.node ? {...node, status: event.status} : node));
  const {peer} = state;
  if (peer === undefined || peer.name !== event.node) return;
  const before = peer.status;
  // Heard for the first time in this life: what it ran before it was cut off from us is not known either.
  if (!peer.wasHeard && event.wasHeard && state.config.ha.stonith === undefined) mayBeShared(draft);
  peer.wasHeard ||= event.wasHeard;
  peer.status = event.status;
  if (event.status === 'dead') return before === 'dead' ? undefined : peerDied(draft, peer);
  if (!isAliveStatus(before) && isAliveStatus(event.status)) peerAppeared(draft, peer);
}

function forgetPeer(peer: Peer): void {
  const nothing = {hasLeft: false, cleared: 'no', fence: undefined, stonith: undefined, resetMs: undefined} as const;
  Object.assign(peer, {kind: 'unknown', ...nothing, ...unknownHoldings()});
}

function isAliveStatus(status: NodeStatus): boolean {
  return status === 'up' || status === 'active';
}

function peerAppeared(draft: Draft, peer: Peer): void {
  peer.wasHeard = true;
  peer.cleared = 'no';
  peer.fence = undefined;
  peer.stonith = undefined;
  peer.resetMs = undefined;
  // What it said before its silence is old; its next status, which follows, says what is.
  peer.version = 0;
  // After its goodbye only a new life speaks, even when our own messaging, itself new, cannot tell.
  if (peer.hasLeft) forgetPeer(peer);
  say(draft, 'info', 'PEER_ALIVE', `Node ${peer.name} is alive: waiting to hear what it owns`, {node: peer.name});
}

export function nodeRestarted(draft: Draft, node: NodeName): void {
  const {peer, groups, classic} = draft.state;
  if (peer?.name !== node) return;
  // Without fencing its former life may have ended long after we had called it dead.
  if (!peer.hasLeft && draft.state.config.ha.stonith === undefined) mayBeShared(draft);
  forgetPeer(peer);
  classic.offered = {local: false, foreign: false};
  forgetWaiting(draft);
  cancelStandby(draft, `${node} was restarted`);
  for (const group of groups) group.granted = undefined;
}

/** Same generation after we had called it dead: what it owns is told by its next status. */
export function nodeReturned(draft: Draft, node: NodeName): void {
  const {peer} = draft.state;
  if (peer?.name !== node) return;
  peer.hasLeft = false;
  peer.cleared = 'no';
  peer.fence = undefined;
  peer.stonith = undefined;
  peer.resetMs = undefined;
  peer.version = 0;
  peer.isStable = false;
  peer.owesReport = peer.kind === 'classic';
  suspectConflict(draft, peer);
  mayBeShared(draft);
}

/** Also when a restarted manager finds its peer dead: what was proven before is not known any more. */
export function peerDied(draft: Draft, peer: Peer): void {
  const {state} = draft;
  cancelStandby(draft, `${peer.name} died`);
  peer.hasLeft ||= hasReleasedAll(draft, peer);
  const isHarmless = peer.hasLeft || (!mayOwnSomething(draft, peer) && knowsAnOwner(draft, peer));
  circumstancesChanged(draft);
  state.needsFailback = true;
  forgetWaiting(draft);
  peer.isStable = false;
  peer.conflictSinceMs = undefined;
  if (isHarmless) return declareHarmless(draft, peer);
  if (state.config.ha.stonith !== undefined) return fence(draft, peer, 0);
  declareUnprotected(draft, peer);
}

/**
 * It leaves and owns nothing any more, by its own word: a goodbye, which alone a new manager of ours has not heard. Such a life starts
 * nothing more, so whatever it said later was the same, and who comes after it says that it is another life.
 */
function hasReleasedAll({state}: Draft, peer: Peer): boolean {
  if (peer.kind !== 'systole' || peer.version === 0 || peer.phase !== 'l') return false;
  const isEachNamed = state.groups.every((group) => theirsOf(peer, group.definition.key) !== undefined);
  return isEachNamed && !Object.values(peer.groups).some((group) => MAY_OWN.includes(group.state));
}

/** Whatever it waited for until a disk is ready: after its end it asks anew. */
function forgetWaiting({state}: Draft): void {
  state.failbackSaid = undefined;
  state.isTakeoverOwed = false;
  for (const group of state.groups) group.isAskedFor = false;
}

function declareUnprotected(draft: Draft, peer: Peer): void {
  peer.cleared = 'yes';
  peer.fence = undefined;
  say(draft, 'WARN', 'NO_STONITH', 'No STONITH device configured.', {node: peer.name});
  say(draft, 'WARN', 'UNPROTECTED', 'Shared disks are not protected.');
  announceFencing(draft, peer, 'n_stnth');
  takeover(draft, peer);
}

function declareHarmless(draft: Draft, peer: Peer): void {
  peer.cleared = 'yes';
  say(draft, 'info', 'DEAD_GAVE_UP', `Dead node ${peer.name} gave up resources.`, {node: peer.name});
  announceFencing(draft, peer, 'unneeded');
  if (!peer.hasLeft) takeover(draft, peer);
}

function takeover(draft: Draft, peer: Peer): void {
  if (draft.state.phase === 'leaving' || draft.state.phase === 'left') {
    say(draft, 'info', 'TAKEOVER_CANCELLED', 'Resource takeover cancelled - shutdown in progress.');
    return;
  }
  say(draft, 'info', 'TAKEOVER', `Resources being acquired from ${peer.name}.`, {node: peer.name});
}

/** May something of any group run on the dead peer? Never heard, released without proof, or granted: yes. */
function mayOwnSomething(draft: Draft, peer: Peer): boolean {
  if (!peer.wasHeard || peer.kind === 'unknown') return true;
  if (draft.state.groups.some((group) => group.granted !== undefined)) return true;
  // In legacy mode a real peer never says what it holds.
  if (peer.kind === 'classic') return !isNice(draft) || peer.hold !== 'none' || peer.releasing !== 'none';
  return Object.values(peer.groups).some((group) => MAY_OWN.includes(group.state));
}

/**
 * Who owned nothing may still live and start what nobody owned, if it takes us for dead and harmless too. It cannot when
 * it knows that we own something, for then it has to fence us first.
 */
function knowsAnOwner(draft: Draft, peer: Peer): boolean {
  if (peer.kind === 'classic') return currentHold(draft) !== 'none';
  return draft.state.groups.some((group) => ownsGroup(group) && isClaimSeen(draft, group, peer));
}

function announceFencing(draft: Draft, peer: Peer, result: StonithWord): void {
  peer.stonith = result;
  if (draft.state.isCommUp) send(draft, {t: 'stonith', node: peer.name, result});
}

function fence(draft: Draft, peer: Peer, tries: number): void {
  const id = nextId(draft);
  peer.cleared = 'fencing';
  peer.stonith = 'pending';
  peer.resetMs = undefined;
  peer.fence = {id, retryAtMs: 0, tries: tries + 1, sinceMs: Math.floor(draft.now.monoMs)};
  say(draft, 'info', 'FENCING', `Resetting node ${peer.name}, attempt ${tries + 1}`, {node: peer.name});
  draft.effects.push({type: 'fence', id, node: peer.name});
}

/**
 * A dead node that owned nothing is not reset for the groups' sake. Its copy of a replicated disk is another matter: alive
 * behind a cut it may reset us and go on from that copy, so who must not write before it is off asks for this. So does who has seen
 * it run since it was reset, and names that reset: what asks twice must not reset it twice.
 */
export function fenceHarmless(draft: Draft, node: NodeName, oldMs?: number): boolean {
  const {peer, config} = draft.state;
  if (peer?.name !== node || peer.status !== 'dead' || config.ha.stonith === undefined) return false;
  const isOld = peer.stonith === 'OK' && oldMs !== undefined && peer.resetMs === oldMs;
  if (!isOld && stonithWordOf(draft.state) !== 'unneeded') return false;
  fence(draft, peer, 0);
  return true;
}

/** Of the dead peer. Whether a proof can still come depends on the device that is configured now. */
export function stonithWordOf({peer, config}: ManagerState): StonithWord | undefined {
  const word = peer?.stonith;
  if (word !== 'unneeded' && word !== 'n_stnth') return word;
  return config.ha.stonith === undefined ? 'n_stnth' : 'unneeded';
}

export function fencingFinished(
  draft: Draft,
  outcome: {readonly id: number; readonly ok: boolean; readonly text: string},
): void {
  const {peer} = draft.state;
  if (peer?.fence?.id !== outcome.id || peer.cleared !== 'fencing') return;
  if (outcome.ok) {
    peer.cleared = 'yes';
    peer.resetMs = peer.fence.sinceMs;
    peer.fence = undefined;
    say(draft, 'info', 'FENCED', `node ${peer.name} was reset: ${outcome.text}`, {node: peer.name});
    announceFencing(draft, peer, 'OK');
    return takeover(draft, peer);
  }
  peer.fence = {...peer.fence, id: undefined, retryAtMs: draft.now.monoMs + FENCE_RETRY_MS};
  const text = `STONITH of ${peer.name} failed.  Retrying... (${outcome.text})`;
  say(draft, 'ERROR', 'FENCING_FAILED', text, {node: peer.name});
  announceFencing(draft, peer, 'bad');
}

export function retryFencing(draft: Draft): void {
  const {peer} = draft.state;
  if (peer?.cleared !== 'fencing' || peer.fence === undefined || peer.fence.id !== undefined) return;
  // Taken out of ha.cf, by an operator who knows: the attempt under way was awaited.
  if (draft.state.config.ha.stonith === undefined) return declareUnprotected(draft, peer);
  if (draft.now.monoMs >= peer.fence.retryAtMs) fence(draft, peer, peer.fence.tries);
}

/** A `status` of the peer: its beacon, or the lack of one. */
export function heardStatus(draft: Draft, peer: Peer, message: Message): void {
  const beacon = readBeacon(message);
  if (beacon === undefined) {
    // Systole without a beacon yet: what it owns stays unknown, which counts as owning.
    const isSystole = fieldOf(message, 'sysv') !== undefined;
    // A restart that our messaging, itself new, could not notice: the machine runs the original Heartbeat now.
    if (!isSystole && peer.kind === 'systole') forgetPeer(peer);
    if (isSystole || peer.kind !== 'unknown' || fieldOf(message, 'st') !== 'active') return;
    peer.kind = 'classic';
    say(draft, 'info', 'PEER_CLASSIC', `Node ${peer.name} runs the original Heartbeat: its rules are kept`);
    return becomeClassic(draft);
  }
  if (peer.kind === 'systole' && beacon.incarnation === peer.incarnation && beacon.version <= peer.version) return;
  if (peer.kind !== 'systole') say(draft, 'info', 'PEER_SYSTOLE', `Node ${peer.name} runs Systole`);
  if (beacon.configHash !== peer.configHash) compareConfiguration(draft, peer, beacon.configHash);
  const isNewLife = peer.kind === 'systole' && beacon.incarnation !== peer.incarnation;
  if (isNewLife) cancelStandby(draft, `the manager of ${peer.name} was restarted`);

  // A beacon between the two was lost, and it may have said that the peer started what runs here.
  if (peer.kind === 'systole' && !isNewLife && peer.version > 0 && beacon.version > peer.version + 1) {
    mayBeShared(draft);
  }
  peer.kind = 'systole';
  Object.assign(peer, beacon);
  settleGrants(draft, peer);
}

function compareConfiguration(draft: Draft, peer: Peer, theirs: string): void {
  const ours = draft.state.beacon.text.split(' ')[1];
  if (ours === undefined || theirs === '' || theirs === ours) return;
  const text = `haresources on ${peer.name} differs from the one here: groups may be left without an owner`;
  say(draft, 'ERROR', 'HARESOURCES_DIFFER', text, {node: peer.name});
}

/** A grant ends when the peer took it or gave up on it, and is forgotten when the peer knows that it is over. */
function settleGrants(draft: Draft, peer: Peer): void {
  for (const group of draft.state.groups) {
    const {granted} = group;
    if (granted === undefined) continue;
    const theirs = theirsOf(peer, group.definition.key)?.state ?? 'n';
    const isKnown = group.claim > granted.claim && isClaimSeen(draft, group, peer);
    if ('srfn'.includes(theirs) || (granted.isWithdrawn && isKnown)) group.granted = undefined;
    else if (granted.incarnation !== peer.incarnation) granted.isWithdrawn = true;
  }
}

/** The peer lives and did not take what was granted for long: it can be claimed again (by acknowledgement). */
export function expireGrants(draft: Draft): void {
  for (const {granted} of draft.state.groups) {
    if (granted !== undefined && draft.now.monoMs >= granted.untilMs) granted.isWithdrawn = true;
  }
}

/** This node may be the only one left: nothing is promised to the other one, and what failed here is tried at once. */
function circumstancesChanged({state, now}: Draft): void {
  for (const group of state.groups) {
    group.granted = undefined;
    if (group.isFailed) group.retryAtMs = now.monoMs;
  }
}

export function peerLeft(draft: Draft, peer: Peer): void {
  peer.hold = 'none';
  peer.releasing = 'none';
  peer.hasLeft = true;
  peer.cleared = 'yes';
  draft.state.needsFailback = true;
  forgetWaiting(draft);
  cancelStandby(draft, `${peer.name} was stopped`);
  circumstancesChanged(draft);
  say(draft, 'info', 'PEER_LEFT', `Received shutdown notice from '${peer.name}'.`, {node: peer.name});
  takeover(draft, peer);
}

/** The peer is settled: what it says it owns is final. */
export function isPeerStable(draft: Draft): boolean {
  const {peer} = draft.state;
  if (!isAlive(peer) || peer.hasLeft) return false;
  return peer.kind === 'systole' ? peer.version > 0 && peer.phase === 's' : peer.isStable;
}

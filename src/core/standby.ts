// Planned moves: the me / other / done handshake of `ask_resources` (resource-engine.md 2.7), as giver and as taker.
// Between Systole nodes each group is granted in the beacon as soon as it is stopped, and a refusal is said at once;
// towards a real peer the holding is announced only after the stops, right before `done` (2.15, point 8).

import type {StandbyScope} from '../model/cluster.js';
import type {ControlReply} from '../model/control.js';
import {fieldOf, type Message} from '../model/message.js';
import {barOf, giveRefusal, takeRefusal} from './disks.js';
import {
  classOf,
  currentHold,
  type Draft,
  followsClassicRules,
  isAlive,
  isGranted,
  isNice,
  ownsGroup,
  say,
  send,
} from './draft.js';
import {forgive} from './forgive.js';
import {isMeasuring, setGoal} from './goals.js';
import {OWNING, theirsOf} from './peer-groups.js';
import {sendHold} from './reports.js';
import {inScope, readScope} from './scope.js';
import type {GroupState, Peer, Standby} from './state.js';

const ASK_MS = 10_000;
/** The bound of a real peer for every later step. */
const STEP_MS = 3_600_000;
const GRANT_MS = 30_000;
/** How often a taker looks whether a Systole giver still gives: it may have cancelled while this node was paused. */
const LOOK_MS = 2_000;
/** A failback that was refused or cancelled is tried again after this. */
export const FAILBACK_RETRY_MS = 1_000;
const DISK_NOT_READY = 'DISK_NOT_READY';
const DISK_RETRY_MS = 10_000;

/** Why a move cannot begin now; undefined: it can. */
export function refusal(draft: Draft): Extract<ControlReply, {ok: false}> | undefined {
  const {state} = draft;
  const {peer} = state;
  const no = (code: string, text: string, hint: string) => ({ok: false, code, text, hint}) as const;
  if (state.phase === 'leaving' || state.phase === 'left') return no('SHUTTING_DOWN', 'this node is shutting down', '');
  if (!isAlive(peer) || peer.hasLeft) {
    return no('PEER_DEAD', 'no other node is there to take over', 'start Heartbeat on the other node first');
  }
  if (state.standby !== undefined) return no('STANDBY_RUNNING', 'another move is in progress', 'see systole status');
  if (state.phase !== 'stable' || isMeasuring(draft)) {
    return no('IN_FLUX', 'local resources in flux', 'wait until systole status shows this node stable');
  }
  const isStable = peer.kind === 'systole' ? peer.version > 0 && peer.phase === 's' : peer.isStable || !isNice(draft);
  if (!isStable) return no('PEER_IN_FLUX', 'Other side is in flux.', 'wait until the other node is stable');
  return undefined;
}

/** The same for a move that somebody asked for. */
export function requestRefusal(draft: Draft): Extract<ControlReply, {ok: false}> | undefined {
  if (isNice(draft)) return refusal(draft);
  const text = 'Standby mode only implemented when auto_failback is on or off';
  return {ok: false, code: 'LEGACY', text, hint: 'set auto_failback in ha.cf'};
}

/** Begins to give; the caller has checked refusal(). */
export function beginGiving(
  draft: Draft,
  scope: StandbyScope,
  options: {readonly isSilent: boolean; readonly isFailback: boolean},
): void {
  const {state, now} = draft;
  const standby: Standby = {
    role: 'giver',
    scope,
    step: 'asked',
    untilMs: now.monoMs + ASK_MS,
    keys: [],
    ...options,
  };
  state.standby = standby;
  say(draft, 'info', 'STANDBY', `${state.self} wants to go standby [${scope}]`);
  if (options.isSilent) return beginReleasing(draft, standby);
  send(draft, {t: 'ask_resources', rsc_hold: scope, info: 'me'});
}

export function givableGroups(draft: Draft, scope: StandbyScope): GroupState[] {
  return draft.state.groups.filter((group) => inScope(draft, group, {role: 'giver', scope}) && ownsGroup(group));
}

export function heardAsk(draft: Draft, peer: Peer, message: Message): void {
  const {state} = draft;
  const info = fieldOf(message, 'info');
  const scope = readScope(fieldOf(message, 'rsc_hold'));
  if (!isNice(draft) || state.phase === 'leaving' || state.phase === 'left') return;
  if (info === 'me') return heardMe(draft, peer, scope);
  const {standby} = state;
  if (standby?.role === 'giver' && standby.step === 'asked' && info === 'other') return accepted(draft, standby);
  if (standby?.role === 'giver' && standby.step === 'acquiring' && info === 'done') return completed(draft, standby);
  if (standby?.role === 'taker' && standby.step === 'waiting' && info === 'done')
    return beginTaking(draft, peer, standby);
  say(draft, 'debug', 'STANDBY_IGNORED', `Ignored standby message '${info ?? ''}' from ${peer.name}`);
}

function heardMe(draft: Draft, peer: Peer, scope: StandbyScope): void {
  const {standby} = draft.state;
  if (standby !== undefined) {
    const losesTie = standby.role === 'giver' && standby.step === 'asked' && peer.name < draft.state.self;
    if (peer.kind !== 'systole' || !losesTie) {
      const leftS = Math.ceil((standby.untilMs - draft.now.monoMs) / 1000);
      const text = `Standby in progress- new request from ${peer.name} ignored [${leftS} seconds left]`;
      return say(draft, 'WARN', 'STANDBY_RUNNING', text);
    }
    cancelStandby(draft, `${peer.name} asked at the same time and goes first`);
  }
  const wanted = draft.state.groups.filter((group) => inScope(draft, group, {role: 'taker', scope}));
  const refused = refusal(draft) ?? takeRefusal(draft, wanted);
  if (refused !== undefined) {
    say(draft, 'WARN', 'STANDBY_REFUSED', `Standby message from ${peer.name} ignored. ${refused.text}`);
    // A real peer has no word for a refusal; its request ends after ten seconds, and it never asks again by itself.
    draft.state.isTakeoverOwed ||= peer.kind === 'classic' && refused.code === DISK_NOT_READY;
    if (peer.kind === 'systole') send(draft, {t: 'sysrefuse', dest: peer.name, code: refused.code, text: refused.text});
    return;
  }
  const untilMs = draft.now.monoMs + (peer.kind === 'systole' ? LOOK_MS : STEP_MS);
  draft.state.standby = {role: 'taker', scope, step: 'waiting', untilMs, keys: [], isSilent: false, isFailback: false};
  for (const group of wanted) if (group.state === 'failed') forgive(group);
  say(draft, 'info', 'STANDBY', `${peer.name} wants to go standby [${scope}]`);
  send(draft, {t: 'ask_resources', rsc_hold: scope, info: 'other'});
  answerPending(draft, 'takeover', {ok: true, text: `${peer.name} gives ${scope} resources`});
}

export function heardRefusal(draft: Draft, message: Message): void {
  const text = (fieldOf(message, 'text') ?? 'refused').slice(0, 200);
  const code = (fieldOf(message, 'code') ?? 'REFUSED').slice(0, 40);
  const reply = {ok: false, code, text: `the other node refuses: ${text}`, hint: ''} as const;
  answerPending(draft, 'takeover', reply);
  if (draft.state.standby?.step !== 'asked') return;
  abandon(draft);
  // Its disk is told of by its beacon; when that is not what it means, asking every second would not help.
  if (code === DISK_NOT_READY) draft.state.failbackAtMs = draft.now.monoMs + DISK_RETRY_MS;
  answerPending(draft, 'standby', reply);
}

export function answerPending(draft: Draft, kind: 'standby' | 'takeover', reply: ControlReply): void {
  const {state} = draft;
  for (const request of state.pending) {
    if (request.kind === kind) draft.effects.push({type: 'reply', id: request.id, reply});
  }
  state.pending = state.pending.filter((request) => request.kind !== kind);
}

function accepted(draft: Draft, standby: Standby): void {
  const names = givenGroups(draft, standby).map((group) => group.definition.key);
  const text = `${draft.state.self} gives ${names.join(', ') || 'nothing'} to ${draft.state.peer?.name ?? ''}`;
  answerPending(draft, 'standby', {ok: true, text});
  beginReleasing(draft, standby);
}

function beginReleasing(draft: Draft, standby: Standby): void {
  standby.step = 'releasing';
  standby.untilMs = draft.now.monoMs + STEP_MS;
  standby.keys = givenGroups(draft, standby).map((group) => group.definition.key);
}

/** Something of it is there already, as what init started and nothing can stop: it could not take it. */
export function hasPartThere(draft: Draft, group: GroupState): boolean {
  const {peer} = draft.state;
  return peer?.kind === 'systole' && OWNING.includes(theirsOf(peer, group.definition.key)?.state ?? 'n');
}

/** A Systole peer takes what is granted; a real one takes the class, so it is too late to keep a group of it back. */
function givenGroups(draft: Draft, standby: Standby): GroupState[] {
  const groups = givableGroups(draft, standby.scope);
  if (followsClassicRules(draft)) return groups;
  return groups.filter((group) => giveRefusal(draft, [group]) === undefined && !hasPartThere(draft, group));
}

function completed(draft: Draft, standby: Standby): void {
  draft.state.standby = undefined;
  say(draft, 'info', 'STANDBY_DONE', `Other node completed standby takeover of ${standby.scope} resources.`);
  sendHold(draft, {isStable: true});
}

function beginTaking(draft: Draft, peer: Peer, standby: Standby): void {
  const {classic} = draft.state;
  standby.step = 'taking';
  peer.releasing = 'none';
  if (!followsClassicRules(draft)) return;
  // The real giver sends `done` only after its stop scripts returned: it holds the scope no longer.
  if (standby.scope !== 'local') classic.hold.local = true;
  if (standby.scope !== 'foreign') classic.hold.foreign = true;
}

/** Goes on with the move as far as the groups allow. Called after every event, several times. */
export function settleStandby(draft: Draft): void {
  const {standby} = draft.state;
  if (standby === undefined) return;
  if (standby.role === 'giver' && standby.step === 'releasing') settleReleasing(draft, standby);
  if (standby.role === 'giver' && standby.step === 'acquiring') settleAcquiring(draft, standby);
  if (standby.role === 'taker' && standby.step === 'taking') settleTaking(draft, standby);
  if (draft.state.standby === standby && draft.now.monoMs >= standby.untilMs) expire(draft, standby);
}

function settleReleasing(draft: Draft, standby: Standby): void {
  const {state} = draft;
  const groups = state.groups.filter((group) => standby.keys.includes(group.definition.key));
  const isClassic = followsClassicRules(draft);
  for (const group of groups) {
    if (ownsGroup(group) || isGranted(group) || isClassic) continue;
    if (standby.keys.includes(group.definition.key)) grant(draft, group);
  }
  // A blocked group: a real giver has no way back, so it is tried on; otherwise the rest of the move goes on without it.
  const isWaiting = groups.some((group) => ownsGroup(group) && (isClassic || group.state !== 'blocked'));
  if (isWaiting) return;
  for (const group of groups) if (group.state === 'blocked') takeBack(draft, group);
  finishReleasing(draft, standby, isClassic);
}

function grant(draft: Draft, group: GroupState): void {
  const {peer} = draft.state;
  if (peer === undefined) return;
  const {incarnation} = peer;
  group.granted = {incarnation, untilMs: draft.now.monoMs + GRANT_MS, claim: group.claim, isWithdrawn: false};
}

function takeBack(draft: Draft, group: GroupState): void {
  say(draft, 'ERROR', 'MOVE_FAILED', `${group.definition.key} cannot be stopped: it stays here and is started again`);
  setGoal(draft, group, 'run');
}

function finishReleasing(draft: Draft, standby: Standby, isClassic: boolean): void {
  const {state} = draft;
  say(draft, 'info', 'STANDBY_RELEASED', `Local standby process completed [${standby.scope}].`);
  if (standby.isSilent) {
    state.standby = undefined;
    return;
  }
  if (isClassic) {
    if (standby.scope !== 'foreign') state.classic.hold.local = false;
    if (standby.scope !== 'local') state.classic.hold.foreign = false;
    // From `done` on the peer may run them, whatever its last report said.
    if (state.peer !== undefined) state.peer.releasing = 'all';
  }
  sendHold(draft, {isStable: false, info: 'standby'});
  send(draft, {t: 'ask_resources', rsc_hold: standby.scope, info: 'done'});
  standby.step = 'acquiring';
  // Nothing was given: nothing but the answer is awaited.
  standby.untilMs = draft.now.monoMs + (standby.keys.length === 0 && !isClassic ? ASK_MS : STEP_MS);
}

/** A Systole taker's beacon says more than its `done`. */
function settleAcquiring(draft: Draft, standby: Standby): void {
  const {peer} = draft.state;
  if (peer?.kind !== 'systole') return;
  const isSettled = (key: string): boolean => {
    const state = theirsOf(peer, key)?.state ?? 'n';
    if ('rfnb'.includes(state)) return true;
    // Not taken although it lives: the grant ran out.
    const group = draft.state.groups.find((each) => each.definition.key === key);
    return !OWNING.includes(state) && (group === undefined || !isGranted(group));
  };
  if (standby.keys.length > 0 && standby.keys.every(isSettled)) completed(draft, standby);
}

function settleTaking(draft: Draft, standby: Standby): void {
  const isBusy = draft.state.groups.some((group) => {
    if (!inScope(draft, group, standby)) return false;
    if (group.goal === 'run' || group.goal === 'stop') return true;
    return group.state === 'stopped' && isStillToStart(draft, group);
  });
  if (isBusy) return;
  draft.state.standby = undefined;
  say(draft, 'info', 'STANDBY_TAKEN', `Standby resource acquisition done [${standby.scope}].`);
  sendHold(draft, {isStable: true});
  send(draft, {t: 'ask_resources', rsc_hold: standby.scope, info: 'done'});
}

function isStillToStart(draft: Draft, group: GroupState): boolean {
  if (barOf(draft.state, group) !== undefined) return false;
  if (followsClassicRules(draft)) return draft.state.classic.hold[classOf(draft, group)];
  return theirsOf(draft.state.peer, group.definition.key)?.state === 'g';
}

function expire(draft: Draft, standby: Standby): void {
  const {peer} = draft.state;
  if (standby.role === 'taker' && peer?.kind === 'systole') {
    standby.untilMs = draft.now.monoMs + LOOK_MS;
    if (!peer.isGiving && standby.step === 'waiting') cancelStandby(draft, `${peer.name} does not give any more`);
    return;
  }
  const text = 'No reply to standby request.  Standby request cancelled.';
  say(draft, 'WARN', 'STANDBY_CANCELLED', text, {step: standby.step, hold: currentHold(draft)});
  abandon(draft);
  answerPending(draft, 'standby', {ok: false, code: 'NO_REPLY', text});
}

/** Ends a move without success. */
function abandon(draft: Draft): void {
  const {state} = draft;
  if (state.standby?.isFailback) {
    state.needsFailback = true;
    state.failbackAtMs = draft.now.monoMs + FAILBACK_RETRY_MS;
  }
  state.standby = undefined;
}

/** Groups already stopped are free again: whoever's turn it is starts them. */
export function cancelStandby(draft: Draft, why: string): void {
  const {standby} = draft.state;
  const reply = {ok: false, code: 'CANCELLED', text: `cancelled: ${why}`} as const;
  answerPending(draft, 'standby', reply);
  answerPending(draft, 'takeover', reply);
  if (standby === undefined) return;
  abandon(draft);
  say(draft, 'WARN', 'STANDBY_CANCELLED', `Cancelling pending standby operation: ${why}`);
}

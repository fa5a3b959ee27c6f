// After every event: bring the state to rest. Each part looks at the whole state, so the order of events and lost
// messages do not matter; rounds are bounded, and the deadlines of wakeAt bring it back.

import {updateBeacon} from './beacon.js';
import {classicDeadlines, settleClassic} from './classic.js';
import {type Draft, followsClassicRules, isAlive, isGranted, isNice, ownsGroup} from './draft.js';
import {isMeasuring, setGoal} from './goals.js';
import {leaseMs} from './lease.js';
import {settleLeaving} from './leave.js';
import {requestOwnGroups, settleIpResponses, settleLegacyConflict} from './legacy.js';
import {settleMoves} from './moves.js';
import {expireGrants, retryFencing} from './peer.js';
import {theirsOf} from './peer-groups.js';
import {placeGroups} from './placement.js';
import {rememberGroups} from './remember.js';
import {reportChanges} from './reports.js';
import {expireRequests} from './requests.js';
import {settleSharing} from './sharing.js';
import {settleStandby} from './standby.js';
import {becomeStable} from './start.js';
import type {ManagerState} from './state.js';
import {advanceAll, askDisksFirst} from './worker.js';

const ROUNDS_MAX = 12;
/** The watchdog is fed at a renewal: this is well within the dead time that it allows. */
const LEASE_EVERY_MAX_MS = 2_000;

export function settle(draft: Draft): void {
  retryFencing(draft);
  expireGrants(draft);
  expireRequests(draft);
  forgetOldFailures(draft);
  startMonitors(draft);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const before = signature(draft);
    settlePhase(draft);
    settleClassic(draft);
    settleMoves(draft);
    settleStandby(draft);
    requestOwnGroups(draft);
    settleLegacyConflict(draft);
    settleIpResponses(draft);
    settleLeaving(draft);
    placeGroups(draft);
    settleSharing(draft);
    askDisksFirst(draft);
    updateBeacon(draft);
    rememberGroups(draft);
    advanceAll(draft);
    if (signature(draft) === before) break;
  }
  draft.state.groups = draft.state.groups.filter((group) => !group.isRemoved || ownsGroup(group) || group.job);
  reportChanges(draft);
  renewLease(draft);
}

/** Changes exactly when another round could do something. */
function signature(draft: Draft): string {
  const {state} = draft;
  const groups = state.groups.map((group) =>
    [group.state, group.goal, group.cursor, group.job?.id, group.intends, isGranted(group)].join(),
  );
  return [draft.effects.length, state.phase, state.standby?.step, ...groups].join(';');
}

function settlePhase(draft: Draft): void {
  const {state} = draft;
  if (state.phase !== 'joining' || !state.isCommUp || isMeasuring(draft)) return;
  const {peer} = state;
  if (!isAlive(peer) || peer.hasLeft) {
    // A node never heard is dead, not merely silent, once communication is up.
    if (peer === undefined || peer.status === 'dead' || peer.hasLeft) becomeStable(draft);
    return;
  }
  if (peer.kind === 'systole') return becomeStable(draft);
  if (followsClassicRules(draft)) {
    if (!isNice(draft) || state.isAdopted || state.classic.rstate === 'stable') becomeStable(draft);
  }
}

/** A failure here is forgotten in time while the peer serves, so that this node can take over again. */
function forgetOldFailures(draft: Draft): void {
  const {peer} = draft.state;
  for (const group of draft.state.groups) {
    if (group.state !== 'failed' || (group.retryAtMs ?? 0) > draft.now.monoMs) continue;
    const theirs = theirsOf(peer, group.definition.key)?.state ?? '0';
    if (!isAlive(peer) || !'sr'.includes(theirs)) continue;
    group.isFailed = false;
    group.state = 'stopped';
  }
}

function startMonitors(draft: Draft): void {
  if (draft.state.phase !== 'stable') return;
  for (const group of draft.state.groups) {
    const isQuiet = group.state === 'running' && group.goal === 'idle' && group.job === undefined;
    if (isQuiet && group.monitorAtMs !== undefined && draft.now.monoMs >= group.monitorAtMs) {
      setGoal(draft, group, 'monitor');
    }
  }
}

function renewLease(draft: Draft): void {
  const {state, now} = draft;
  if (!state.isMessagingReady || now.monoMs < state.leaseAtMs) return;
  const forMs = leaseMs(state.config);
  state.leaseAtMs = now.monoMs + leaseEveryMs(state);
  draft.effects.push({type: 'tell-messaging', message: {type: 'renew-lease', forMs}});
  if (state.phase !== 'left') draft.effects.push({type: 'feed-watchdog'});
}

/** Each renewal wakes two processes, so no more often than the lease needs. */
function leaseEveryMs(state: ManagerState): number {
  return Math.min(LEASE_EVERY_MAX_MS, leaseMs(state.config) / 5);
}

/** The next deadline after the last step; one that passed has been looked at. */
export function nextDeadline(draft: Draft): number {
  const {state} = draft;
  const candidates = [
    state.leaseAtMs,
    state.exitAtMs,
    state.disksDueMs,
    state.standby?.untilMs,
    state.peer?.fence?.retryAtMs,
    state.needsFailback ? state.failbackAtMs : undefined,
    ...state.pending.map((request) => request.untilMs),
    ...classicDeadlines(draft),
    ...state.groups.flatMap((group) => [
      group.pauseUntilMs,
      group.monitorAtMs,
      group.isFailed ? group.retryAtMs : undefined,
      group.granted?.untilMs,
    ]),
  ];
  let next = state.steppedMs + leaseEveryMs(state);
  for (const each of candidates) if (each !== undefined && each > state.steppedMs && each < next) next = each;
  return next;
}

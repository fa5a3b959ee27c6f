// What failures and measurements of a group mean: give up and offer it, recover locally, or stay blocked. Every rule
// has a bound; the numbers are documented in docs/operating.md.

import {BARRED_FAILS} from './beacon.js';
import {type Draft, isAlive, say} from './draft.js';
import {scheduleMonitor, setGoal} from './goals.js';
import {theirsOf} from './peer-groups.js';
import type {GroupState, Peer} from './state.js';

/** Local recoveries of a group in this time before it is handed over. */
const RECOVERIES_MAX = 3;
const RECOVERY_WINDOW_MS = 600_000;
/** Rounds without a verdict (time-outs) before a resource counts as dead. */
const UNKNOWN_ROUNDS_MAX = 3;
/** A node alone waits no longer than this between tries. */
const LONE_RETRY_MS = 5_000;
/** A group found running in part is measured again this often: a status that hung may answer now. */
const MEASURE_AGAIN_MS = 2_000;
/** A blocked group is tried again this often. */
const BLOCKED_RETRY_MS = 30_000;

/** A start failed: release the whole group, remember the failure, let the peer have it. */
export function giveUp(draft: Draft, group: GroupState, index: number, why: string): void {
  const {failureExpiryMs, failureExpiryMaxMs} = draft.state.config.systole;
  group.isFailed = true;
  group.failedAt = index;
  group.failCount += 1;
  group.lastError = why;
  // The only node left tries on: an address that a hung peer still answers for is free the moment that peer is gone.
  const maxMs = isLone(draft.state.peer, group) ? Math.min(failureExpiryMaxMs, LONE_RETRY_MS) : failureExpiryMaxMs;
  const waitMs = Math.min(failureExpiryMs * 2 ** Math.min(group.failCount - 1, 20), maxMs);
  group.retryAtMs = draft.now.monoMs + waitMs;
  const {key} = group.definition;
  say(draft, 'CRIT', 'GROUP_GIVEN_UP', `Giving up resources due to failure of ${why}`, {
    group: key,
    failCount: group.failCount,
  });
  setGoal(draft, group, 'stop');
}

/** Also where the other node lives and its disk bars the group. */
function isLone(peer: Peer | undefined, group: GroupState): boolean {
  return !isAlive(peer) || theirsOf(peer, group.definition.key)?.fails === BARRED_FAILS;
}

/** All stop attempts failed and it may still run: nobody else may start it. */
export function stopFailed(draft: Draft, group: GroupState): void {
  const {systole} = draft.state.config;
  const isNew = group.state !== 'blocked';
  group.state = 'blocked';
  group.attempts = systole.stopRetries;
  group.pauseUntilMs = draft.now.monoMs + BLOCKED_RETRY_MS;
  if (!isNew) return;
  const text = `Resource group ${group.definition.key} cannot be stopped (${group.lastError ?? 'no reason given'}): it stays with this node`;
  say(draft, 'CRIT', 'GROUP_BLOCKED', text, {group: group.definition.key});
  if (systole.stopFailure === 'reboot') {
    draft.effects.push({type: 'reboot-node', reason: `resource group ${group.definition.key} cannot be stopped`});
  }
}

/** The first measurement after a start of the daemon, or of a new group. */
export function measured(draft: Draft, group: GroupState): void {
  const runs = group.resources.filter((each) => each !== 'stopped').length;
  if (runs === 0) {
    group.state = 'stopped';
    adoptDefinition(group);
    return;
  }
  group.state = 'running';
  // Nobody remembers where the network was last told to look for it.
  group.isShared = true;
  group.sinceMs = draft.now.monoMs;
  scheduleMonitor(draft, group);
  group.isPartial = !isWhole(group);
  if (group.isPartial) group.monitorAtMs = draft.now.monoMs + MEASURE_AGAIN_MS;
  const {key} = group.definition;
  const text =
    runs === group.resources.length
      ? `Resource group ${key} is running already: it is kept`
      : `Resource group ${key} is running in part (${runs} of ${group.resources.length})`;
  say(draft, 'WARN', 'GROUP_FOUND_RUNNING', text, {group: key, running: runs});
}

/** Nothing of it runs: a changed line of haresources takes effect. */
export function adoptDefinition(group: GroupState): void {
  if (group.nextDefinition === undefined) return;
  group.definition = group.nextDefinition;
  group.nextDefinition = undefined;
  group.resources = group.definition.resources.map(() => 'stopped');
}

/** All resources found running in the last measurement? */
export function isWhole(group: GroupState): boolean {
  return group.resources.every((each) => each === 'running');
}

export function monitored(draft: Draft, group: GroupState): void {
  scheduleMonitor(draft, group);
  if (group.isPartial) return measuredAgain(draft, group);
  const stopped = group.resources.indexOf('stopped');
  const unknown = group.resources.indexOf('unknown');
  group.unknownRounds = unknown >= 0 ? group.unknownRounds + 1 : 0;
  if (stopped >= 0) return recover(draft, group, {index: stopped, why: 'is not running although it should'});
  if (group.unknownRounds < UNKNOWN_ROUNDS_MAX) return;
  group.unknownRounds = 0;
  recover(draft, group, {index: unknown, why: 'gave no status several times'});
}

/** No recovery: what is missing here may run on the peer (placement decides). */
function measuredAgain(draft: Draft, group: GroupState): void {
  group.isPartial = !isWhole(group);
  if (!group.isPartial) return;
  group.monitorAtMs = draft.now.monoMs + MEASURE_AGAIN_MS;
  if (group.resources.some((each) => each !== 'stopped')) return;
  group.state = 'stopped';
  group.isPartial = false;
  group.monitorAtMs = undefined;
  adoptDefinition(group);
  say(draft, 'info', 'GROUP_NOT_RUNNING', `Resource group ${group.definition.key} does not run here after all`);
}

function recover(draft: Draft, group: GroupState, found: {readonly index: number; readonly why: string}): void {
  const word = group.definition.resources[found.index]?.word ?? group.definition.key;
  const {monoMs} = draft.now;
  group.recoveries = [...group.recoveries.filter((each) => monoMs - each < RECOVERY_WINDOW_MS), monoMs].slice(-8);
  const data = {group: group.definition.key, recoveries: group.recoveries.length};
  if (group.recoveries.length > RECOVERIES_MAX) {
    say(draft, 'CRIT', 'RESOURCE_FLAPS', `${word} ${found.why}, ${RECOVERIES_MAX} restarts did not last`, data);
    return giveUp(draft, group, found.index, word);
  }
  say(draft, 'ERROR', 'RESOURCE_DIED', `${word} ${found.why}: restarting it here`, data);
  setGoal(draft, group, 'run');
}

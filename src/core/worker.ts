// Works on one group at a time-step: left to right to start, right to left to stop, one script at a time, every call
// with a time-out. It knows nothing of the peer; placement decides goals, the worker reports how far it came.

import {timeoutOf} from '../model/config.js';
import {
  judge,
  judgeFound,
  provesStopped,
  type ResourceAction,
  type ResourceExit,
  type Verdict,
} from '../model/resource.js';
import {unreachable} from '../model/unreachable.js';
import {assert} from './assert.js';
import {looksTaken} from './disks.js';
import {type Draft, nextId, say} from './draft.js';
import {isPredecessorLeft, scheduleMonitor} from './goals.js';
import {adoptDefinition, giveUp, measured, monitored, stopFailed} from './outcomes.js';
import {isAnnouncer} from './sharing.js';
import type {GroupState} from './state.js';

/**
 * Like the agents of addresses these look first themselves, and starting what runs is a success. What was last seen stopped is
 * started by them at once: asking for their status would lengthen every move by a script.
 */
const LOOK_THEMSELVES = ['drbddisk', 'Filesystem', 'mysqld'];
const ANNOUNCE_TRIES = 5;
const ANNOUNCE_RETRY_MS = 1_000;

/**
 * The peer was declared dead, yet its disk looks Primary: perhaps only the heartbeats are lost. Whether the disk can be had is
 * asked before the addresses, so that none is held twice meanwhile. Chosen before the beacon, so that it never says more.
 */
export function askDisksFirst(draft: Draft): void {
  for (const group of draft.state.groups)
    if (group.goal === 'run' && group.job === undefined) askDiskFirst(draft, group);
}

function askDiskFirst(draft: Draft, group: GroupState): void {
  if (group.cursor !== 0 || group.ahead !== undefined) return;
  const {resources} = group.definition;
  const index = resources.findIndex((each) => !isAnnouncer(each.script));
  const disk = resources[index];
  if (disk === undefined || !looksTaken(draft.state, disk)) return;
  group.ahead = {index, isDone: false};
  group.cursor = index;
}

/** Runs the next script of every group that has something to do. */
export function advanceAll(draft: Draft): void {
  for (const group of draft.state.groups) advance(draft, group);
}

function advance(draft: Draft, group: GroupState): void {
  if (group.goal === 'idle' || group.job !== undefined) return;
  if (group.pauseUntilMs !== undefined) {
    if (draft.now.monoMs < group.pauseUntilMs) return;
    group.pauseUntilMs = undefined;
  }
  if (group.goal === 'measure' && isPredecessorLeft(draft, group)) return;
  if (group.goal === 'announce') skipSilent(group);
  if (isFinished(group)) return finish(draft, group);
  runScript(draft, group, nextAction(draft, group));
}

/** To the next one to be started. */
function startNext(group: GroupState): void {
  const {ahead} = group;
  group.isChecked = false;
  if (ahead?.index === group.cursor && !ahead.isDone) {
    ahead.isDone = true;
    group.cursor = 0;
  } else group.cursor += 1;
  if (ahead?.isDone && ahead.index === group.cursor) group.cursor += 1;
}

/** An announcement concerns the agents of addresses only. */
function skipSilent(group: GroupState): void {
  const {resources} = group.definition;
  while (group.cursor < resources.length && !isAnnouncer(resources[group.cursor]?.script)) group.cursor += 1;
}

function isFinished(group: GroupState): boolean {
  return group.goal === 'stop' ? group.cursor < 0 : group.cursor >= group.definition.resources.length;
}

function nextAction(draft: Draft, group: GroupState): ResourceAction {
  if (group.goal === 'run') {
    const script = group.definition.resources[group.cursor]?.script;
    const wasStopped = group.resources[group.cursor] === 'stopped';
    const looksItself = isAnnouncer(script) || (wasStopped && LOOK_THEMSELVES.includes(script ?? ''));
    return group.isChecked || looksItself ? 'start' : 'status';
  }
  if (group.goal === 'announce') return 'start';
  // After the last allowed stop attempt the status decides whether the group is blocked.
  if (group.goal === 'stop') return group.attempts > draft.state.config.systole.stopRetries ? 'status' : 'stop';
  return 'status';
}

function runScript(draft: Draft, group: GroupState, action: ResourceAction): void {
  const resource = group.definition.resources[group.cursor];
  assert(resource !== undefined, `no resource ${group.cursor} in group ${group.definition.key}`);
  const id = nextId(draft);
  const {goal, cursor: index} = group;
  const before = group.resources[index] ?? 'unknown';
  group.job = {id, goal, action, index, before, sinceMs: draft.now.monoMs, isCancelled: false};
  if (action === 'start' && group.goal !== 'announce') group.resources[group.cursor] = 'starting';
  if (action === 'stop') group.resources[group.cursor] = 'stopping';
  const {systole} = draft.state.config;
  draft.effects.push({
    type: 'run-script',
    id,
    call: {
      group: group.definition.key,
      index: group.cursor,
      resource,
      action,
      timeoutMs: timeoutOf(systole, resource.script, action),
      killDelayMs: systole.killDelayMs,
    },
  });
}

/** The outcome of a script. One that belongs to no job any more is ignored. */
export function scriptExited(draft: Draft, outcome: {readonly id: number; readonly exit: ResourceExit}): void {
  const group = draft.state.groups.find((each) => each.job?.id === outcome.id);
  const job = group?.job;
  if (group === undefined || job === undefined) return;
  group.job = undefined;
  const {exit} = outcome;
  const isForGoal = job.index === group.cursor && job.goal === group.goal;
  const verdict = judge(job.action, exit);
  if (job.goal === 'announce') return announced(draft, group, {isForGoal, verdict, exit});
  if (verdict === 'running' || verdict === 'stopped' || verdict === 'unknown')
    group.resources[job.index] = isFinding(group) ? judgeFound(exit, verdict, group.isInherited) : verdict;
  else if (job.action === 'start') group.resources[job.index] = verdict === 'done' ? 'running' : 'failed';
  else group.resources[job.index] = verdict === 'done' ? 'stopped' : 'failed';
  // An agent that is gone ran nothing: what was stopped still is, and need not be stopped by it.
  const isUntouched = exit.missing && job.before === 'stopped';
  if (isUntouched) group.resources[job.index] = 'stopped';
  // The goal changed while the script ran: what it found is recorded, the new goal goes on from its own beginning.
  if (!isForGoal || job.isCancelled) return;
  if (job.action === 'start') return startExited(draft, group, exit);
  if (job.action === 'stop') return isUntouched ? stopNext(group) : stopExited(draft, group, exit);
  statusExited(draft, group, exit);
}

/** Not yet taken for its own: what of it is here? */
function isFinding(group: GroupState): boolean {
  return group.goal === 'measure' || group.isPartial;
}

/** It runs as before, whatever came of the announcement; whether it still does is for the monitor to find out. */
function announced(
  draft: Draft,
  group: GroupState,
  outcome: {readonly isForGoal: boolean; readonly verdict: Verdict; readonly exit: ResourceExit},
): void {
  if (!outcome.isForGoal) return;
  if (outcome.verdict === 'failed') {
    const text = `${describe(group, outcome.exit)}: clients may not find the address`;
    say(draft, 'WARN', 'ANNOUNCE_FAILED', text, {group: group.definition.key});
    group.attempts += 1;
    group.pauseUntilMs = draft.now.monoMs + ANNOUNCE_RETRY_MS;
    if (group.attempts < ANNOUNCE_TRIES) return;
  }
  group.attempts = 0;
  group.cursor += 1;
}

function startExited(draft: Draft, group: GroupState, exit: ResourceExit): void {
  if (judge('start', exit) === 'failed') return giveUp(draft, group, group.cursor, describe(group, exit));
  startNext(group);
}

function stopExited(draft: Draft, group: GroupState, exit: ResourceExit): void {
  if (judge('stop', exit) === 'done') return stopNext(group);
  group.attempts += 1;
  group.lastError = describe(group, exit);
  say(draft, 'ERROR', 'STOP_FAILED', `${group.lastError}, attempt ${group.attempts}`, {group: group.definition.key});
  if (group.attempts <= draft.state.config.systole.stopRetries) {
    group.pauseUntilMs = draft.now.monoMs + draft.state.config.systole.stopRetryDelayMs;
  }
}

function stopNext(group: GroupState): void {
  group.cursor -= 1;
  group.attempts = 0;
}

function statusExited(draft: Draft, group: GroupState, exit: ResourceExit): void {
  const verdict = judge('status', exit);
  switch (group.goal) {
    case 'run':
      if (verdict === 'running') startNext(group);
      else group.isChecked = true;
      return;
    case 'stop':
      if (!provesStopped(exit)) {
        if (verdict === 'stopped') group.resources[group.cursor] = 'failed';
        return stopFailed(draft, group);
      }
      say(draft, 'WARN', 'STOP_NOT_LSB', `${describe(group, exit)}: stop failed, yet it is stopped: not LSB-compliant`);
      return stopNext(group);
    case 'measure':
    case 'monitor':
      group.cursor += 1;
      return;
    case 'announce':
    case 'idle':
      return;
    default:
      return unreachable(group.goal);
  }
}

function describe(group: GroupState, exit: ResourceExit): string {
  const index = Math.min(Math.max(group.cursor, 0), group.definition.resources.length - 1);
  const resource = group.definition.resources[index];
  const word = resource?.word ?? group.definition.key;
  if (exit.missing) return `Cannot locate resource script ${resource?.script ?? word}`;
  if (exit.timedOut) return `${word}: timed out after ${Math.round(exit.tookMs)} ms`;
  return `${word}: return code ${exit.code ?? 'none (killed)'}`;
}

function finish(draft: Draft, group: GroupState): void {
  const {goal} = group;
  group.goal = 'idle';
  if (goal === 'measure') return measured(draft, group);
  if (goal === 'monitor') return monitored(draft, group);
  if (goal === 'run') return started(draft, group);
  if (goal === 'announce') {
    group.isShared = false;
    return;
  }
  stopped(draft, group);
}

function started(draft: Draft, group: GroupState): void {
  const tookMs = Math.round(draft.now.monoMs - group.sinceMs);
  group.state = 'running';
  group.isFailed = false;
  group.failCount = 0;
  group.retryAtMs = undefined;
  group.lastError = undefined;
  group.granted = undefined;
  scheduleMonitor(draft, group);
  const text = `Resource group ${group.definition.key} is running, ${tookMs} ms`;
  say(draft, 'info', 'GROUP_RUNNING', text, {group: group.definition.key, tookMs});
}

function stopped(draft: Draft, group: GroupState): void {
  const tookMs = Math.round(draft.now.monoMs - group.sinceMs);
  group.state = group.isFailed ? 'failed' : 'stopped';
  group.monitorAtMs = undefined;
  adoptDefinition(group);
  const text = `Resource group ${group.definition.key} is stopped, ${tookMs} ms`;
  say(draft, 'info', 'GROUP_STOPPED', text, {group: group.definition.key, tookMs});
}

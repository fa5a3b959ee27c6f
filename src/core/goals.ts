// Changing what the worker is after. Kept apart from the worker, so that outcomes and placement can set goals.

import {type Draft, ownsGroup, say} from './draft.js';
import type {Goal, GroupState} from './state.js';

export function setGoal(draft: Draft, group: GroupState, goal: Goal): void {
  if (group.goal === goal) return;
  group.goal = goal;
  group.cursor = goal === 'stop' ? group.definition.resources.length - 1 : 0;
  group.ahead = undefined;
  group.isChecked = false;
  group.attempts = 0;
  group.pauseUntilMs = undefined;
  if (goal === 'run' || goal === 'stop') group.isPartial = false;
  if (goal === 'run') enter(draft, group, 'starting', 'Acquiring');
  if (goal === 'stop') enter(draft, group, 'stopping', 'Releasing');
  const {job} = group;
  // A start that nobody wants any more must not delay the release; its agent's stop cleans up after it.
  if (goal === 'stop' && job?.action === 'start' && !job.isCancelled) {
    job.isCancelled = true;
    draft.effects.push({type: 'cancel-script', id: job.id});
  }
}

function enter(draft: Draft, group: GroupState, state: 'starting' | 'stopping', verb: string): void {
  group.state = state;
  group.sinceMs = draft.now.monoMs;
  const words = group.definition.resources.map((each) => each.word).join(' ');
  const text = `${verb} resource group: ${group.definition.home} ${words}`;
  say(draft, 'info', state === 'starting' ? 'GROUP_ACQUIRING' : 'GROUP_RELEASING', text, {group: group.definition.key});
}

export function scheduleMonitor(draft: Draft, group: GroupState): void {
  const {monitorIntervalMs} = draft.state.config.systole;
  group.monitorAtMs = monitorIntervalMs > 0 ? draft.now.monoMs + monitorIntervalMs : undefined;
}

/** A group under a new name: what it shares with the one that goes is measured when that one is gone. */
export function isPredecessorLeft(draft: Draft, group: GroupState): boolean {
  const words = group.definition.resources.map((each) => each.word);
  const shares = (other: GroupState) => other.definition.resources.some((each) => words.includes(each.word));
  return draft.state.groups.some((other) => other.isRemoved && ownsGroup(other) && other !== group && shares(other));
}

/** Is it still being found out what runs here? One that waits for another's end may wait for ever, and holds nothing up. */
export function isMeasuring(draft: Draft): boolean {
  return draft.state.groups.some((group) => group.goal === 'measure' && !isPredecessorLeft(draft, group));
}

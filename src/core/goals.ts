// Changing what the worker is after. Kept apart from the worker, so that outcomes and placement can set goals.

import {type Draft, say} from './draft.js';
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

// Graceful stop: everything is stopped and measured stopped before `shutdone` lets the peer take over. A group that
// cannot be stopped holds the goodbye back for as long as it takes: silence would give it a second owner.

import type {ManagerEffect} from '../model/manager.js';
import {type Draft, followsClassicRules, isNice, ownsGroup, say, send} from './draft.js';
import {setGoal} from './goals.js';
import {isObserver} from './pair.js';
import {sendHold} from './reports.js';
import {answerPending, cancelStandby} from './standby.js';

/** A real peer needs some statuses after `shutdone`; between Systole nodes none. */
const TAIL_CLASSIC_MS = 1_000;
const TAIL_MS = 100;
/** Messaging has this long, beyond its tail, to confirm that it ended. */
const EXIT_GRACE_MS = 5_000;

export function beginLeaving(draft: Draft, why: string): void {
  const {state} = draft;
  if (state.phase === 'leaving' || state.phase === 'left') return;
  cancelStandby(draft, 'this node is shutting down');
  answerPending(draft, 'takeover', {ok: false, code: 'SHUTTING_DOWN', text: 'this node is shutting down'});
  state.phase = 'leaving';
  say(draft, 'info', 'LEAVING', `Heartbeat shutdown in progress. (${why})`);
  // What is held is still held: the peer must not think otherwise before the stops have ended.
  if (state.isCommUp) sendHold(draft, {isStable: false, info: 'shutdown'});
  for (const group of state.groups) {
    group.intends = false;
    if (ownsGroup(group)) setGoal(draft, group, 'stop');
  }
}

export function settleLeaving(draft: Draft): void {
  const {state} = draft;
  if (state.phase === 'left' && state.exitAtMs !== undefined && draft.now.monoMs >= state.exitAtMs) leave(draft);
  if (state.phase !== 'leaving' || state.groups.some((group) => ownsGroup(group) || group.job !== undefined)) return;
  const tailMs = followsClassicRules(draft) ? TAIL_CLASSIC_MS : TAIL_MS;
  state.phase = 'left';
  state.exitAtMs = draft.now.monoMs + tailMs + EXIT_GRACE_MS;
  say(draft, 'info', 'ALL_RELEASED', 'All resources are released.');
  // A real node takes the goodbye of any other one for that of its partner.
  if (state.isCommUp && !isObserver(draft.state)) {
    if (isNice(draft)) sendHold(draft, {isStable: false, info: 'shutdown', hold: 'none'});
    send(draft, {t: 'shutdone', st: 'dead'});
  }
  const last: ManagerEffect[] = [
    {type: 'stop-clients'},
    {type: 'disarm-watchdog'},
    {type: 'tell-messaging', message: {type: 'stop', tailMs}},
  ];
  draft.effects.push(...last);
  if (!state.isMessagingReady) leave(draft);
}

export function leave(draft: Draft): void {
  if (draft.state.exitAtMs === undefined) return;
  draft.state.exitAtMs = undefined;
  say(draft, 'info', 'SHUTDOWN_COMPLETE', `${draft.state.self} Heartbeat shutdown complete.`);
  draft.effects.push({type: 'exit', status: 0});
}

// The life of the manager as messaging sees it. The manager renews a lease; when the lease runs out it hangs, and it
// is killed and started again while our keepalives go on: its resources still run here, and silence would make the
// peer a second owner (docs/adr/0003). Too many losses: the runtime stops everything here instead.

import type {ClusterView} from '../model/channel.js';
import {fieldOf, type Message} from '../model/message.js';
import {type MessagingState, NEVER, type NodeRecord} from './state.js';
import {change, record, tell, type Work} from './work.js';

/** A manager that starts has longer than one that runs. */
export const START_LEASE_MS = 10_000;
const FIRST_LEASE_MS = 5000;
const LOSS_WINDOW_MS = 60_000;
const LOSSES_MAX = 3;
/** By losses in the window: what makes managers end at once may pass, and four losses must not fit into one second. */
const PAUSES_MS = [0, 1000, 5000] as const;
/** What waited longer for a manager is no longer worth acting on. */
const PENDING_AGE_MAX_MS = 10_000;

export function managerConnected(work: Work): void {
  const {pending} = work.state;
  change(work, {isManagerThere: true, isManagerUnseen: false, pending: []});
  if (!isStopping(work.state)) change(work, {leaseUntilMs: work.now.monoMs + FIRST_LEASE_MS});
  tellReady(work);
  for (const {from, message, atMs} of pending) {
    // The newest status of each node is in `ready` already; an older one, of a former life perhaps, is no news.
    if (fieldOf(message, 't') === 'status') continue;
    if (work.now.monoMs - atMs <= PENDING_AGE_MAX_MS) tell(work, {type: 'message-received', from, message});
  }
}

export function tellReady(work: Work): void {
  const {start} = work.state;
  const {generation, uuid, mark} = start;
  const marked = mark === undefined ? {} : {mark};
  tell(work, {type: 'ready', generation, uuid, view: viewOf(work.state), ...marked});
  if (work.state.isFlowPaused) tell(work, {type: 'flow-changed', isPaused: true});
}

function viewOf(state: MessagingState): ClusterView {
  const nodes = state.nodes.map(({name, type, status, links}) => ({
    name,
    type,
    status,
    links: links.map((each) => ({name: each.name, status: each.status})),
  }));
  const collect = (pick: (node: NodeRecord) => Message | null) =>
    Object.fromEntries(state.nodes.flatMap((each) => (pick(each) ? [[each.name, pick(each) as Message]] : [])));
  const lastStatus = collect((each) => each.lastStatus);
  return {nodes, isCommUp: state.isCommUp, lastStatus, lastReport: collect((each) => each.lastReport)};
}

export function managerSeen(work: Work): void {
  if (work.state.isManagerUnseen) change(work, {isManagerUnseen: false, pending: []});
}

export function renewLease(work: Work, forMs: number): void {
  const {isManagerThere} = work.state;
  if (isManagerThere && !isStopping(work.state)) change(work, {leaseUntilMs: work.now.monoMs + Math.max(0, forMs)});
}

/** Kills the manager whose lease ran out, once; its loss follows as an event. */
export function judgeLease(work: Work): void {
  if (work.now.monoMs < work.state.leaseUntilMs) return;
  change(work, {leaseUntilMs: NEVER});
  record(work, 'CRIT', 'MANAGER_HANGS', 'The manager process does not renew its lease: killing it.');
  work.effects.push({type: 'kill-manager'});
}

export function managerLost(work: Work): void {
  const nowMs = work.now.monoMs;
  change(work, {isManagerThere: false, isManagerUnseen: false, leaseUntilMs: NEVER});
  if (isStopping(work.state) || work.state.hasEmergency) return;
  const lossesMs = [...work.state.lossesMs.filter((each) => nowMs - each < LOSS_WINDOW_MS), nowMs];
  change(work, {lossesMs});
  if (lossesMs.length > LOSSES_MAX) {
    change(work, {hasEmergency: true});
    record(
      work,
      'EMERG',
      'MANAGER_LOST_OFTEN',
      `The manager was lost ${lossesMs.length} times in a minute: emergency stop.`,
    );
    work.effects.push({type: 'emergency-stop'});
    return;
  }
  const pauseMs = PAUSES_MS[lossesMs.length - 1] ?? 0;
  const when = pauseMs === 0 ? '' : ` in ${pauseMs / 1000} s`;
  const text = `The manager process was lost: starting another${when}.`;
  record(work, 'CRIT', 'MANAGER_LOST', text, {losses: lossesMs.length});
  change(work, {startManagerAtMs: nowMs + pauseMs});
}

export function startManagerWhenDue(work: Work): void {
  if (work.now.monoMs < work.state.startManagerAtMs) return;
  change(work, {startManagerAtMs: NEVER, leaseUntilMs: work.now.monoMs + START_LEASE_MS});
  work.effects.push({type: 'start-manager'});
}

/** The manager has released everything: statuses go on for a while, so that the last messages can be asked for. */
export function stopSoon(work: Work, tailMs: number): void {
  change(work, {stopAtMs: work.now.monoMs + Math.max(0, tailMs), leaseUntilMs: NEVER, startManagerAtMs: NEVER});
}

export function stopWhenDue(work: Work): void {
  if (work.state.isStopped || work.now.monoMs < work.state.stopAtMs) return;
  change(work, {isStopped: true});
  tell(work, {type: 'stopped'});
  work.effects.push({type: 'exit', status: 0});
}

function isStopping(state: MessagingState): boolean {
  return state.stopAtMs !== NEVER;
}

// The manager's core (style.md section 1): one event in, the next state and all effects out. After the transition the
// state is settled: placement sets goals, the beacon tells the peer, the worker runs scripts, until nothing changes.
// The beacon always precedes the scripts that it announces.

import type {MessagingToManager} from '../model/channel.js';
import type {Hold} from '../model/cluster.js';
import type {ClusterConfig} from '../model/config.js';
import type {ClusterStatus} from '../model/control.js';
import type {ManagerEffect, ManagerEvent} from '../model/manager.js';
import type {GroupsInForce} from '../model/resource.js';
import type {Now, Step} from '../model/time.js';
import {unreachable} from '../model/unreachable.js';
import {assert} from './assert.js';
import {disksChanged} from './disks.js';
import {type Draft, draftOf, ownsGroup, say} from './draft.js';
import {leave} from './leave.js';
import {messageReceived} from './messages.js';
import {fencingFinished, nodeChanged, nodeRestarted, nodeReturned} from './peer.js';
import {clientRequested} from './requests.js';
import {nextDeadline, settle} from './settle.js';
import {cancelStandby} from './standby.js';
import {commUp, configChanged, initialState, messagingReady} from './start.js';
import type {ManagerState} from './state.js';
import {rscstatusOf, statusOf} from './status.js';
import {scriptExited} from './worker.js';

export type {ManagerState} from './state.js';

/** The state before any event; its effects measure what runs here. `claims`: what a predecessor had made of them. */
export function startManager(
  config: ClusterConfig,
  now: Now,
  claims: GroupsInForce['claims'] = {},
): Step<ManagerState, ManagerEffect> {
  return finish({state: initialState(config, now, claims), now, effects: []});
}

/** What one event, at one instant, does to the state and to the world. */
export function stepManager(before: ManagerState, event: ManagerEvent, now: Now): Step<ManagerState, ManagerEffect> {
  const draft = draftOf(before, now);
  apply(draft, event);
  return finish(draft);
}

/** When the core wants to be woken at the latest, by the monotonic clock. */
export function wakeAt(state: ManagerState): number {
  return nextDeadline({state, now: {monoMs: state.steppedMs, wallMs: 0}, effects: []});
}

/** For clients: computed from the state, changes nothing. */
export function readStatus(state: ManagerState, now: Now): ClusterStatus {
  return statusOf({state, now, effects: []});
}

export function readRscstatus(state: ManagerState): Hold | 'transition' {
  return rscstatusOf({state, now: {monoMs: state.steppedMs, wallMs: 0}, effects: []});
}

function finish(draft: Draft): Step<ManagerState, ManagerEffect> {
  draft.state.steppedMs = draft.now.monoMs;
  settle(draft);
  checkInvariants(draft.state);
  return {state: draft.state, effects: draft.effects};
}

function apply(draft: Draft, event: ManagerEvent): void {
  switch (event.type) {
    case 'woke':
      return;
    case 'messaging-said':
      return messagingSaid(draft, event.message);
    case 'messaging-lost':
      draft.state.isMessagingReady = false;
      cancelStandby(draft, 'the messaging process died');
      return say(draft, 'CRIT', 'MESSAGING_LOST', 'The messaging process died: it is started again, resources stay');
    case 'script-exited':
      return scriptExited(draft, event);
    case 'fencing-finished':
      return fencingFinished(draft, event);
    case 'client-requested':
      return clientRequested(draft, event.id, event.request);
    case 'disks-changed':
      return disksChanged(draft, event.disks);
    case 'config-changed':
      return configChanged(draft, event.config);
    default:
      return unreachable(event);
  }
}

function messagingSaid(draft: Draft, message: MessagingToManager): void {
  const {state} = draft;
  switch (message.type) {
    case 'ready':
      return messagingReady(draft, message);
    case 'comm-up':
      return commUp(draft);
    case 'node-changed':
      return nodeChanged(draft, message);
    case 'node-restarted':
      return nodeRestarted(draft, message.node);
    case 'node-returned':
      return nodeReturned(draft, message.node);
    case 'link-changed':
      state.nodes = state.nodes.map((node) =>
        node.name === message.node ? {...node, links: withLink(node.links, message)} : node,
      );
      return;
    case 'message-received':
      return messageReceived(draft, message.from, message.message);
    case 'nodes-edited':
      state.nodes = message.nodes.map(
        (name) => state.nodes.find((each) => each.name === name) ?? {name, type: 'normal', status: 'init', links: []},
      );
      return;
    case 'log':
      draft.effects.push({type: 'log', record: message.record});
      return;
    // For the runtime: the clients of the API, and the file of the uuid.
    case 'client-sent':
    case 'flow-changed':
    case 'uuid-cloned':
      return;
    case 'stopped':
      return state.phase === 'left' ? leave(draft) : undefined;
    default:
      return unreachable(message);
  }
}

type Links = ManagerState['nodes'][number]['links'];

function withLink(links: Links, change: {readonly link: string; readonly status: 'up' | 'dead'}): Links {
  const others = links.filter((each) => each.name !== change.link);
  return [...others, {name: change.link, status: change.status}].sort((one, other) => (one.name < other.name ? -1 : 1));
}

function checkInvariants(state: ManagerState): void {
  for (const group of state.groups) {
    const {key} = group.definition;
    assert(!(state.phase === 'left' && ownsGroup(group)), `left the cluster while owning ${key}`);
    assert(group.state !== 'running' || group.goal !== 'stop', `${key} counts as running while it is being stopped`);
    assert(group.resources.length === group.definition.resources.length, `${key}: one state for each resource`);
    assert(!group.intends || !ownsGroup(group), `${key} is owned and yet claimed`);
  }
}

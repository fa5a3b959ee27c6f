// Beginnings: of the manager, of a channel to messaging, of communication, of a new configuration. In each case what
// runs is measured, never assumed.

import type {MessagingToManager} from '../model/channel.js';
import type {ClusterConfig} from '../model/config.js';
import {diskOf} from '../model/disk.js';
import type {GroupsInForce, ResourceGroup} from '../model/resource.js';
import type {Now} from '../model/time.js';
import {noteHold} from './classic.js';
import {firstFactsDueMs} from './disks.js';
import {currentHold, type Draft, holdsClass, isNice, ownsGroup, say, send} from './draft.js';
import {setGoal} from './goals.js';
import {groupsHere, isObserver, partnerOf} from './pair.js';
import {heardStatus, newPeer, peerDied} from './peer.js';
import {sendHold} from './reports.js';
import type {GroupState, ManagerState} from './state.js';

/** Of a group that was found running: 0 is what a peer has seen that has seen nothing. */
const FIRST_CLAIM = 1;

export function initialState(config: ClusterConfig, now: Now, claims: GroupsInForce['claims']): ManagerState {
  const partner = partnerOf(config);
  return {
    config,
    self: config.ha.node,
    // The second part never repeats while the machine runs, whatever becomes of the wall clock.
    incarnation: `${Math.floor(now.wallMs).toString(16)}-${Math.floor(now.monoMs).toString(16)}`,
    generation: 0,
    isMessagingReady: false,
    isCommUp: false,
    isAdopted: false,
    phase: 'waiting',
    nodes: [],
    peer: partner === undefined ? undefined : newPeer(partner),
    groups: groupsHere(config).map((group) => inherit(groupOf(group), claims[group.key])),
    disks: [],
    diskSaid: {},
    disksDueMs: firstFactsDueMs(groupsHere(config), now),
    classic: {
      rstate: 'starting',
      hold: {local: false, foreign: false},
      acquireAtMs: undefined,
      orphanSinceMs: undefined,
      offered: {local: false, foreign: false},
    },
    standby: undefined,
    pending: [],
    needsFailback: false,
    failbackAtMs: 0,
    isTakeoverOwed: false,
    failbackSaid: undefined,
    nextId: 0,
    steppedMs: now.monoMs,
    leaseAtMs: 0,
    beacon: {text: '', version: 0},
    newestClaim: Math.max(FIRST_CLAIM, ...Object.values(claims)),
    remembered: '',
    reported: '',
    reportedAtMs: 0,
    exitAtMs: undefined,
  };
}

function inherit(group: GroupState, claim: number | undefined): GroupState {
  return claim === undefined ? group : {...group, claim, isInherited: true};
}

export function groupOf(definition: ResourceGroup): GroupState {
  return {
    definition,
    nextDefinition: undefined,
    isRemoved: false,
    state: 'unknown',
    goal: 'measure',
    resources: definition.resources.map(() => 'unknown'),
    job: undefined,
    cursor: 0,
    ahead: undefined,
    isChecked: false,
    attempts: 0,
    pauseUntilMs: undefined,
    sinceMs: 0,
    claim: FIRST_CLAIM,
    intends: false,
    granted: undefined,
    isFailed: false,
    failedAt: undefined,
    isInherited: false,
    failCount: 0,
    retryAtMs: undefined,
    lastError: undefined,
    monitorAtMs: undefined,
    unknownRounds: 0,
    recoveries: [],
    requestedAtMs: undefined,
    isPermitted: false,
    owesIpResponse: false,
    isAskedFor: false,
    isConflicting: false,
    conflictSinceMs: 0,
    isPartial: false,
    isShared: false,
    barSaid: undefined,
  };
}

type Ready = Extract<MessagingToManager, {type: 'ready'}>;

export function messagingReady(draft: Draft, event: Ready): void {
  const {state} = draft;
  const {view} = event;
  state.isMessagingReady = true;
  state.generation = event.generation;
  state.nodes = [...view.nodes];
  // The new messaging process knows no beacon of ours.
  state.beacon = {...state.beacon, text: ''};
  if (view.isCommUp && !state.isCommUp) adopt(draft);
  if (!view.isCommUp) state.isCommUp = false;
  const {peer} = state;
  const node = view.nodes.find((each) => each.name === peer?.name);
  if (peer === undefined || node === undefined) return;
  peer.status = node.status;
  peer.wasHeard ||= node.status === 'up' || node.status === 'active';
  const report = view.lastReport[peer.name];
  const status = view.lastStatus[peer.name];
  if (status !== undefined) heardStatus(draft, peer, status);
  if (report !== undefined) noteHold(peer, report);
  if (node.status === 'dead' && view.isCommUp) peerDied(draft, peer);
}

/** This manager replaces one that died while the cluster went on. */
function adopt(draft: Draft): void {
  const {state} = draft;
  state.isCommUp = true;
  state.isAdopted = true;
  if (state.phase === 'waiting') state.phase = 'joining';
  // The API's socket and the respawn clients were the old manager's; communication does not come up a second time.
  draft.effects.push({type: 'start-clients'});
  say(draft, 'WARN', 'ADOPTED', 'The manager was restarted: resources are measured and kept');
}

export function commUp(draft: Draft): void {
  const {state} = draft;
  state.isCommUp = true;
  state.nodes = state.nodes.map((node) => (node.name === state.self ? {...node, status: 'active'} : node));
  if (state.phase === 'leaving' || state.phase === 'left') return;
  const isWatching = isObserver(draft.state);
  if (isWatching) say(draft, 'WARN', 'OBSERVER', 'The resources belong to two other nodes: this one only watches.');
  else if (isNice(draft)) send(draft, {t: 'starting', sysv: '1'});
  draft.effects.push({type: 'start-clients'});
  if (state.phase === 'waiting') state.phase = 'joining';
  if (state.phase === 'stable') sendHold(draft, {isStable: true});
}

/** Everything is measured and the peer's holdings are known: this node may act. */
export function becomeStable(draft: Draft): void {
  const {state} = draft;
  state.phase = 'stable';
  if (state.isAdopted) {
    state.classic.rstate = 'stable';
    state.classic.hold = {local: holdsClass(draft, 'local'), foreign: holdsClass(draft, 'foreign')};
    state.isAdopted = false;
  }
  say(draft, 'info', 'LOCAL_STABLE', 'local resource transition completed.');
  // The old cluster test suite takes this line for the end of a node's start.
  say(draft, 'info', 'START_COMPLETE', `Initial resource acquisition complete (holds ${currentHold(draft)})`);
  // Towards a real peer its own machine has reported already, at the time its rules want it.
  if (state.peer?.kind !== 'classic') sendHold(draft, {isStable: true});
}

export function configChanged(draft: Draft, config: ClusterConfig): void {
  const {state} = draft;
  if (state.phase === 'leaving' || state.phase === 'left') {
    return say(draft, 'info', 'CONFIG_IGNORED', 'Configuration not re-read: this node is leaving the cluster');
  }
  state.config = config;
  awaitNewDisks(draft, config);
  const kept = state.groups.map((group) => changed(draft, group, config));
  const known = new Set(kept.map((group) => group.definition.key));
  const added = groupsHere(config)
    .filter((group) => !known.has(group.key))
    .map((group) => ({...groupOf(group), claim: state.newestClaim}));
  state.groups = [...kept, ...added];
  const names = added.map((group) => group.definition.key).join(', ');
  say(draft, 'info', 'CONFIG_CHANGED', `Configuration re-read${names === '' ? '' : `; new groups: ${names}`}`);
}

function awaitNewDisks({state, now}: Draft, config: ClusterConfig): void {
  const known = new Set(state.groups.flatMap((group) => group.definition.resources.map(diskOf)));
  const groups = groupsHere(config).filter(({resources}) => resources.some((each) => !known.has(diskOf(each))));
  state.disksDueMs = Math.max(state.disksDueMs, firstFactsDueMs(groups, now));
}

function changed(draft: Draft, group: GroupState, config: ClusterConfig): GroupState {
  const next = groupsHere(config).find((each) => each.key === group.definition.key);
  if (next === undefined) {
    say(draft, 'WARN', 'GROUP_REMOVED', `Group ${group.definition.key} is no longer in haresources: it is stopped`);
    group.isRemoved = true;
    if (ownsGroup(group)) setGoal(draft, group, 'stop');
    return group;
  }
  group.isRemoved = false;
  const isSame = JSON.stringify(next.resources) === JSON.stringify(group.definition.resources);
  if (isSame || !ownsGroup(group)) {
    return {...group, definition: next, nextDefinition: undefined, resources: resourcesFor(group, isSame, next)};
  }
  const text = `Group ${next.key} changed in haresources: this takes effect when it is stopped here`;
  say(draft, 'WARN', 'GROUP_CHANGED', text, {group: next.key});
  group.nextDefinition = next;
  return group;
}

function resourcesFor(group: GroupState, isSame: boolean, next: ResourceGroup): GroupState['resources'] {
  return isSame ? group.resources : next.resources.map(() => 'stopped');
}

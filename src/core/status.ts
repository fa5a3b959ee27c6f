// What `systole status` and `cl_status rscstatus` show: facts, what runs now, and why nothing runs if so.

import type {Hold, NodeView} from '../model/cluster.js';
import type {ClusterStatus, GroupStateWord, GroupStatus, ResourceStatus} from '../model/control.js';
import type {DiskFacts} from '../model/disk.js';
import {BARRED_FAILS} from './beacon.js';
import {disksOf} from './disks.js';
import {currentHold, type Draft, isAlive, isGranted, isQuiet, ownsGroup} from './draft.js';
import {isPeerStable, stonithWordOf} from './peer.js';
import {theirsOf} from './peer-groups.js';
import {placementOf} from './placement.js';
import type {GroupState, ManagerState} from './state.js';

export const VERSION = '0.1.0';

export function statusOf(draft: Draft): ClusterStatus {
  const {state} = draft;
  return {
    node: state.self,
    version: VERSION,
    generation: state.generation,
    rscstatus: rscstatusOf(draft),
    phase: state.phase === 'left' ? 'leaving' : state.phase,
    nodes: state.nodes.map((node) => ({
      ...node,
      kind: kindOf(draft, node.name, node.type),
      ...(node.status === 'dead' && node.name === state.peer?.name && stonithOf(state)),
    })),
    groups: state.groups.map((group) => groupStatus(draft, group)),
    ...disksStatus(draft),
    standby: standbyText(draft),
    warnings: warningsOf(draft),
  };
}

function stonithOf(state: ManagerState): Pick<NodeView, 'stonith' | 'resetMs'> {
  const resetMs = state.peer?.resetMs;
  return {stonith: stonithWordOf(state), ...(resetMs !== undefined && {resetMs})};
}

/** The holding when nothing is in motion, else `transition` (resource-engine.md 2.1). */
export function rscstatusOf(draft: Draft): Hold | 'transition' {
  const {state} = draft;
  // What was given is in motion until the peer says what became of it.
  const isBusy = !state.groups.every((group) => isQuiet(group) && !isGranted(group));
  const isPeerSettled = !isAlive(state.peer) || state.peer.hasLeft || isPeerStable(draft) || isLegacyPeer(draft);
  if (state.phase !== 'stable' || isBusy || state.standby !== undefined || !isPeerSettled) return 'transition';
  return currentHold(draft);
}

function isLegacyPeer(draft: Draft): boolean {
  return draft.state.config.ha.autoFailback === 'legacy' && draft.state.peer?.kind === 'classic';
}

function kindOf(draft: Draft, name: string, type: string): ClusterStatus['nodes'][number]['kind'] {
  if (type === 'ping') return 'ping';
  if (name === draft.state.self) return 'self';
  return name === draft.state.peer?.name ? draft.state.peer.kind : 'unknown';
}

function groupStatus(draft: Draft, group: GroupState): GroupStatus {
  const owner = ownerOf(draft, group);
  return {
    key: group.definition.key,
    home: group.definition.home,
    owner,
    state: group.state,
    peerState: peerState(draft, group),
    failCount: group.failCount,
    resources: group.definition.resources.map(
      (resource, index): ResourceStatus => ({word: resource.word, state: group.resources[index] ?? 'unknown'}),
    ),
    activity: activityOf(draft, group),
    reason:
      owner === undefined || group.state === 'blocked' || group.state === 'failed' ? reasonOf(draft, group) : undefined,
  };
}

function ownerOf(draft: Draft, group: GroupState): string | undefined {
  const {state} = draft;
  if (ownsGroup(group) && group.state !== 'unknown') return state.self;
  const {peer} = state;
  if (!isAlive(peer) || peer.hasLeft) return undefined;
  if (peer.kind === 'systole')
    return 'srpb'.includes(theirsOf(peer, group.definition.key)?.state ?? '0') ? peer.name : undefined;
  // A real peer reports classes, not groups; what it says is belief.
  const isTheirs = group.definition.home === peer.name ? ['local', 'all'] : ['foreign', 'all'];
  return isTheirs.includes(peer.hold) ? peer.name : undefined;
}

/** Only where there is one, so that a cluster without DRBD reads as before. */
function disksStatus({state}: Draft): Pick<ClusterStatus, 'disks'> {
  if (state.disks.length === 0) return {};
  const carries = (group: GroupState, disk: DiskFacts) => disksOf(state, group).includes(disk);
  return {
    disks: state.disks.map((disk) => ({
      ...disk,
      groups: state.groups.filter((group) => carries(group, disk)).map((group) => group.definition.key),
    })),
  };
}

const WORDS: Readonly<Record<string, GroupStateWord>> = {
  u: 'unknown',
  '0': 'stopped',
  i: 'stopped',
  g: 'stopped',
  s: 'starting',
  r: 'running',
  p: 'stopping',
  f: 'failed',
  b: 'blocked',
};

function peerState(draft: Draft, group: GroupState): GroupStateWord | undefined {
  const {peer} = draft.state;
  if (!isAlive(peer) || peer.kind !== 'systole') return undefined;
  const theirs = theirsOf(peer, group.definition.key);
  return theirs?.fails === BARRED_FAILS ? 'stopped' : WORDS[theirs?.state ?? ''];
}

function activityOf(draft: Draft, group: GroupState): string | undefined {
  if (group.job === undefined || isQuiet(group)) return undefined;
  const word = group.definition.resources[group.job.index]?.word ?? group.definition.key;
  const seconds = ((draft.now.monoMs - group.job.sinceMs) / 1000).toFixed(1);
  return `${word} ${group.job.action}, ${seconds} s`;
}

function reasonOf(draft: Draft, group: GroupState): string | undefined {
  if (group.state === 'unknown') return 'its resources are being asked for their status';
  if (group.state === 'blocked') return `it cannot be stopped: ${group.lastError ?? 'no reason given'}`;
  const placement = placementOf(draft, group);
  if (placement.act === 'wait' || placement.act === 'withdraw') return placement.reason;
  return placement.act === 'claim' ? 'waiting for the other node to acknowledge' : undefined;
}

function standbyText(draft: Draft): string | undefined {
  const {standby, self, peer} = draft.state;
  if (standby === undefined) return undefined;
  const [giver, taker] = standby.role === 'giver' ? [self, peer?.name] : [peer?.name, self];
  return `${giver ?? '?'} gives ${standby.scope} to ${taker ?? '?'}: ${standby.step}`;
}

function warningsOf(draft: Draft): string[] {
  const {state} = draft;
  const warnings: string[] = [];
  if (state.config.ha.stonith === undefined && state.peer !== undefined) {
    warnings.push('no fencing is configured: when all links are cut, both nodes start the groups');
  }
  const ours = state.beacon.text.split(' ')[1];
  const theirs = state.peer?.configHash ?? '';
  if (theirs !== '' && ours !== undefined && theirs !== ours) warnings.push('haresources differs between the nodes');
  for (const group of state.groups) {
    if (group.isConflicting) warnings.push(`group ${group.definition.key} has two owners`);
  }
  return warnings;
}

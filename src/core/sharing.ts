// After a time with two owners the network may still send the clients to the one that let go: each of the two answered
// when they asked who has the address. So the node that keeps a group tells the network again, once the other runs it
// no more. By the contract of agents `start` of what runs is a success; only the agents of addresses are called, which
// answer it by an announcement, for other people's scripts are not all as idempotent as they should be.

import {includesHold} from '../model/cluster.js';
import {classOf, type Draft, isAlive, isNice, ownsGroup, say} from './draft.js';
import {setGoal} from './goals.js';
import {theirsOf} from './peer-groups.js';
import type {GroupState, Peer} from './state.js';

const ANNOUNCERS = ['IPaddr', 'IPaddr2', 'IPv6addr', 'SendArp'];

/** Has the agent something to tell the network? */
export function isAnnouncer(script: string | undefined): boolean {
  return script !== undefined && ANNOUNCERS.includes(script);
}

export function settleSharing(draft: Draft): void {
  for (const group of draft.state.groups) settleGroup(draft, group);
}

function settleGroup(draft: Draft, group: GroupState): void {
  if (!ownsGroup(group)) {
    group.isShared = false;
    return;
  }
  const {peer} = draft.state;
  const runsThere = peer === undefined ? 'no' : runsOnPeer(draft, group, peer);
  if (runsThere === 'yes') {
    group.isShared = true;
    if (group.goal === 'announce') setGoal(draft, group, 'idle');
  }
  if (runsThere !== 'no' || !group.isShared || group.state !== 'running' || group.isPartial) return;
  if (group.goal !== 'idle' && group.goal !== 'monitor') return;
  if (!group.definition.resources.some(({script}) => isAnnouncer(script))) {
    group.isShared = false;
    return;
  }
  const {key} = group.definition;
  say(draft, 'info', 'ANNOUNCING', `Resource group ${key} runs here alone again: announcing its addresses`, {
    group: key,
  });
  setGoal(draft, group, 'announce');
}

/** What the peer ran while it was not heard is not known: until its next words say otherwise, what runs here ran there too. */
export function mayBeShared(draft: Draft): void {
  for (const group of draft.state.groups) if (ownsGroup(group)) group.isShared = true;
}

function runsOnPeer(draft: Draft, group: GroupState, peer: Peer): 'yes' | 'no' | 'unknown' {
  if (!isAlive(peer) || peer.hasLeft) return peer.cleared === 'yes' ? 'no' : 'unknown';
  if (peer.kind === 'classic') return runsOnClassic(draft, group, peer);
  // Version 0: nothing was heard since it returned.
  if (peer.kind === 'unknown' || peer.version === 0) return 'unknown';
  const theirs = theirsOf(peer, group.definition.key)?.state ?? '0';
  if (theirs === 'u') return 'unknown';
  return 'srpb'.includes(theirs) ? 'yes' : 'no';
}

function runsOnClassic(draft: Draft, group: GroupState, peer: Peer): 'yes' | 'no' {
  if (!isNice(draft)) return peer.conflictSinceMs === undefined ? 'no' : 'yes';
  const theirs = classOf(draft, group) === 'local' ? 'foreign' : 'local';
  return includesHold(peer.hold, theirs) || includesHold(peer.releasing, theirs) ? 'yes' : 'no';
}

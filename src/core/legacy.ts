// auto_failback legacy beside a real peer (resource-engine.md 1.3): groups are asked for with ip-request, one by one,
// and given with ip-request-resp once they are stopped.

import {fieldOf, type Message} from '../model/message.js';
import {giveRefusal} from './disks.js';
import {type Draft, followsClassicRules, isHome, isNice, ownsGroup, say, send} from './draft.js';
import {setGoal} from './goals.js';
import type {GroupState, Peer} from './state.js';

/** A request or its answer may be lost, or the peer's resource layer may not be up yet: asked again after this. */
const ASK_AGAIN_MS = 3_000;

/** Beside a living real peer our own groups are asked for; alone, placement starts them anyway. */
export function requestOwnGroups(draft: Draft): void {
  const {state, now} = draft;
  if (isNice(draft) || !followsClassicRules(draft) || state.phase !== 'stable') return;
  if (state.peer?.status !== 'active') return;
  for (const group of state.groups) {
    if (!isHome(draft, group) || ownsGroup(group) || group.isPermitted || group.isRemoved) continue;
    if (now.monoMs < (group.requestedAtMs ?? -Infinity) + ASK_AGAIN_MS) continue;
    group.requestedAtMs = now.monoMs;
    send(draft, {t: 'ip-request', ipaddr: group.definition.key});
  }
}

/** A real peer that saw a healed partition restarts itself within about 3 s; after this it never will. */
export const CONFLICT_PATIENCE_MS = 6_000;

/** A living real peer says that it took this node for dead: it runs our groups too, and in this mode says so nowhere else. */
export function heardStonith(draft: Draft, peer: Peer, message: Message): void {
  if (isNice(draft) || peer.kind !== 'classic' || fieldOf(message, 'node') !== draft.state.self) return;
  suspectConflict(draft, peer);
}

/** Both may run everything: one of us took the other for dead, and no restart proves that it let go. */
export function suspectConflict(draft: Draft, peer: Peer): void {
  if (isNice(draft) || peer.kind !== 'classic' || peer.conflictSinceMs !== undefined) return;
  peer.conflictSinceMs = draft.now.monoMs;
  say(draft, 'CRIT', 'TWO_OWNERS', 'Both machines may own the same resources!', {node: peer.name});
}

/** Every group belongs home in this mode: the peer is asked to stop its copies of ours, and ours of its groups stop. */
export function settleLegacyConflict(draft: Draft): void {
  const {state, now} = draft;
  const {peer} = state;
  if (isNice(draft) || !followsClassicRules(draft) || peer?.conflictSinceMs === undefined) return;
  if (state.phase !== 'stable' || now.monoMs < peer.conflictSinceMs + CONFLICT_PATIENCE_MS) return;
  peer.conflictSinceMs = undefined;
  say(draft, 'CRIT', 'YIELDING', `${peer.name} was not restarted: every resource group goes to its home node`);
  for (const group of state.groups) {
    if (!ownsGroup(group)) continue;
    if (isHome(draft, group)) send(draft, {t: 'ip-request', ipaddr: group.definition.key});
    else setGoal(draft, group, 'stop');
  }
}

export function heardIpRequest(draft: Draft, peer: Peer, message: Message): void {
  if (isNice(draft) || draft.state.phase === 'leaving' || draft.state.phase === 'left') return;
  const key = fieldOf(message, 'ipaddr') ?? '';
  const group = draft.state.groups.find((each) => each.definition.key === key);
  if (group === undefined || !ownsGroup(group)) return respond(draft, {peer, key, weOwn: false});
  const refused = giveRefusal(draft, [group]);
  if (refused === undefined) return give(draft, peer, group);
  // A real peer asks once and waits; it is answered when its disk is ready.
  if (!group.isAskedFor) say(draft, 'WARN', 'IP_REQUEST', `${peer.name} asks for ${key}, not now: ${refused.text}`);
  group.isAskedFor = true;
}

function give(draft: Draft, peer: Peer, group: GroupState): void {
  say(draft, 'info', 'IP_REQUEST', `${peer.name} asks for ${group.definition.key}: giving it`);
  group.isAskedFor = false;
  group.owesIpResponse = true;
  group.isPermitted = false;
  setGoal(draft, group, 'stop');
}

export function settleIpResponses(draft: Draft): void {
  const {peer} = draft.state;
  for (const group of draft.state.groups) {
    if (group.isAskedFor && peer !== undefined && giveRefusal(draft, [group]) === undefined) {
      if (ownsGroup(group)) give(draft, peer, group);
      group.isAskedFor = false;
    }
    if (!group.owesIpResponse || ownsGroup(group)) continue;
    group.owesIpResponse = false;
    if (peer !== undefined) respond(draft, {peer, key: group.definition.key, weOwn: true});
  }
}

function respond(draft: Draft, answer: {readonly peer: Peer; readonly key: string; readonly weOwn: boolean}): void {
  const weown = answer.weOwn ? 'yes' : 'no';
  send(draft, {t: 'ip-request-resp', dest: answer.peer.name, ipaddr: answer.key, weown, ok: 'OK'});
}

export function heardIpResponse(draft: Draft, message: Message): void {
  const key = fieldOf(message, 'ipaddr');
  const group = draft.state.groups.find((each) => each.definition.key === key);
  if (isNice(draft) || group === undefined || fieldOf(message, 'ok') !== 'OK') return;
  group.isPermitted = true;
}

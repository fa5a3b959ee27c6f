// The working copy of one step: leaves change draft.state and push effects. The copy is private to the step, so the
// step stays a pure function of state, event and now.

import {type Hold, holdOf} from '../model/cluster.js';
import {type LogLevel, type LogRecord, log} from '../model/log.js';
import type {ManagerEffect} from '../model/manager.js';
import {messageOf} from '../model/message.js';
import type {Now} from '../model/time.js';
import {isObserver} from './pair.js';
import type {GroupState, ManagerState, Peer} from './state.js';

export interface Draft {
  readonly state: ManagerState;
  readonly now: Now;
  readonly effects: ManagerEffect[];
}

export function draftOf(state: ManagerState, now: Now): Draft {
  const {config, ...rest} = state;
  // Configuration is never changed in place, so it need not be copied.
  return {state: {config, ...structuredClone(rest)}, now, effects: []};
}

export function say(draft: Draft, level: LogLevel, code: string, text: string, data?: LogRecord['data']): void {
  draft.effects.push({type: 'log', record: log(level, code, text, data)});
}

/** Sends a cluster message on all links. */
export function send(draft: Draft, values: Readonly<Record<string, string | undefined>>): void {
  draft.effects.push({type: 'tell-messaging', message: {type: 'send', message: messageOf(values)}});
}

export function nextId(draft: Draft): number {
  draft.state.nextId += 1;
  return draft.state.nextId;
}

/** May something of the group run on this node? `unknown` counts as yes. */
export function ownsGroup(group: GroupState): boolean {
  return group.state !== 'stopped' && group.state !== 'failed';
}

/**
 * So far only the disk of a group is asked whether it can be had; nothing else was started. The disk itself allows one owner, so
 * this is no claim to what the peer runs. Yet the disk may be had at any moment: until then something of it may run here.
 */
export function onlyAsksDisk(group: GroupState): boolean {
  const {ahead} = group;
  if (group.goal !== 'run' || ahead === undefined || ahead.isDone) return false;
  return group.resources.every((each, index) => index === ahead.index || each === 'stopped');
}

/** Given to the peer, which may start it. */
export function isGranted(group: GroupState): boolean {
  return group.granted !== undefined && !group.granted.isWithdrawn;
}

/** Neither started nor stopped nor measured for the first time. */
export function isQuiet(group: GroupState): boolean {
  return group.goal === 'idle' || group.goal === 'monitor' || group.goal === 'announce';
}

export function isHome(draft: Draft, group: GroupState): boolean {
  return group.definition.home === draft.state.self;
}

export function classOf(draft: Draft, group: GroupState): 'local' | 'foreign' {
  return isHome(draft, group) ? 'local' : 'foreign';
}

export function isAlive(peer: Peer | undefined): peer is Peer {
  return peer !== undefined && (peer.status === 'up' || peer.status === 'active');
}

export function isNice(draft: Draft): boolean {
  return draft.state.config.ha.autoFailback !== 'legacy';
}

/** The living peer is a real Heartbeat: its own rules decide who holds what. */
export function followsClassicRules(draft: Draft): boolean {
  const {peer} = draft.state;
  return isAlive(peer) && peer.kind === 'classic' && !peer.hasLeft;
}

/** What this node holds, in the words of the wire. */
export function currentHold(draft: Draft): Hold {
  const {state} = draft;
  if (followsClassicRules(draft) && isNice(draft) && state.phase === 'stable') return holdOf(state.classic.hold);
  return holdOf({local: holdsClass(draft, 'local'), foreign: holdsClass(draft, 'foreign')});
}

/** Does this node own any group of the class, by measurement? */
export function holdsClass(draft: Draft, part: 'local' | 'foreign'): boolean {
  const {state} = draft;
  const groups = state.groups.filter((group) => classOf(draft, group) === part);
  if (isObserver(state)) return false;
  if (groups.length > 0) return groups.some((group) => ownsGroup(group) && group.state !== 'unknown');
  // A class without groups is held as the real daemon does: its own always, the peer's when the peer is gone.
  if (state.phase !== 'stable') return false;
  return part === 'local' || !isAlive(state.peer) || state.peer.hasLeft;
}

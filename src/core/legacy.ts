// auto_failback legacy beside a real peer (resource-engine.md 1.3): groups are asked for with ip-request, one by one,
// and given with ip-request-resp once they are stopped.

import {fieldOf, type Message} from '../model/message.js';
import {type Draft, followsClassicRules, isHome, isNice, ownsGroup, say, send} from './draft.js';
import {setGoal} from './goals.js';
import type {Peer} from './state.js';

/** At comm-up: ask for our own groups; alone, placement starts them anyway. */
export function requestOwnGroups(draft: Draft): void {
  if (isNice(draft) || !followsClassicRules(draft)) return;
  for (const group of draft.state.groups) {
    if (!isHome(draft, group) || ownsGroup(group) || group.isPermitted) continue;
    if (draft.state.peer?.status === 'active') send(draft, {t: 'ip-request', ipaddr: group.definition.key});
    else group.isPermitted = true;
  }
}

export function heardIpRequest(draft: Draft, peer: Peer, message: Message): void {
  if (isNice(draft) || draft.state.phase === 'leaving' || draft.state.phase === 'left') return;
  const key = fieldOf(message, 'ipaddr') ?? '';
  const group = draft.state.groups.find((each) => each.definition.key === key);
  if (group === undefined || !ownsGroup(group)) return respond(draft, {peer, key, weOwn: false});
  say(draft, 'info', 'IP_REQUEST', `${peer.name} asks for ${key}: giving it`);
  group.owesIpResponse = true;
  group.isPermitted = false;
  setGoal(draft, group, 'stop');
}

export function settleIpResponses(draft: Draft): void {
  const {peer} = draft.state;
  for (const group of draft.state.groups) {
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

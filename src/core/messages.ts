// Cluster messages from other nodes, by type. Unknown types are for API clients and rc.d hooks; the runtime hands
// them on.

import {mirror, type NodeName, type StandbyScope} from '../model/cluster.js';
import {fieldOf, type Message} from '../model/message.js';
import {heardHold, heardStarting, noteHold} from './classic.js';
import {giveRefusal} from './disks.js';
import {type Draft, say, send} from './draft.js';
import {beginLeaving} from './leave.js';
import {heardIpRequest, heardIpResponse, heardStonith} from './legacy.js';
import {heardStatus, peerLeft} from './peer.js';
import {beginGiving, givableGroups, heardAsk, heardRefusal, requestRefusal} from './standby.js';
import type {Peer} from './state.js';

export function messageReceived(draft: Draft, from: NodeName, message: Message): void {
  const type = fieldOf(message, 't');
  if (type === 'addnode' || type === 'delnode') return nodesEdited(draft, type, message);
  const {peer} = draft.state;
  if (peer === undefined || peer.name !== from) return;
  switch (type) {
    case 'status':
      return heardStatus(draft, peer, message);
    case 'starting':
      return draft.state.isCommUp ? heardStarting(draft, peer) : undefined;
    case 'resource':
      return heardReport(draft, peer, message);
    case 'ask_resources':
      return draft.state.isCommUp ? heardAsk(draft, peer, message) : undefined;
    case 'sysrefuse':
      return heardRefusal(draft, message);
    case 'hb_takeover':
      return heardTakeover(draft, peer, message);
    case 'shutdone':
      return peerLeft(draft, peer);
    case 'ip-request':
      return heardIpRequest(draft, peer, message);
    case 'ip-request-resp':
      return heardIpResponse(draft, message);
    case 'stonith':
      return heardStonith(draft, peer, message);
    default:
      return;
  }
}

function heardReport(draft: Draft, peer: Peer, message: Message): void {
  if (peer.kind === 'classic' && draft.state.isCommUp) return heardHold(draft, peer, message);
  if (noteHold(peer, message)) peer.isStable = fieldOf(message, 'isstable') === '1';
}

/** The other node wants groups; the word is from its point of view. */
function heardTakeover(draft: Draft, peer: Peer, message: Message): void {
  const word = fieldOf(message, 'rsc_hold');
  const scope = givenScope(word);
  const refused = requestRefusal(draft) ?? giveRefusal(draft, givableGroups(draft, scope));
  if (refused !== undefined) {
    say(draft, 'WARN', 'TAKEOVER_REFUSED', `Takeover request from ${peer.name} ignored. ${refused.text}`);
    if (peer.kind === 'systole') send(draft, {t: 'sysrefuse', dest: peer.name, code: refused.code, text: refused.text});
    return;
  }
  beginGiving(draft, scope, {isSilent: false, isFailback: false});
}

function givenScope(word: string | undefined): StandbyScope {
  // 3.0.6 turns `failback` into `all`; what its user means is: give me what is mine.
  if (word === 'failback') return 'foreign';
  const scope = mirror(word === 'local' || word === 'foreign' ? word : 'all');
  return scope === 'none' ? 'all' : scope;
}

function nodesEdited(draft: Draft, type: 'addnode' | 'delnode', message: Message): void {
  const nodes = (fieldOf(message, 'nodelist') ?? '').split(/\s+/).filter((each) => each !== '');
  if (nodes.length === 0) return;
  if (type === 'delnode' && nodes.includes(draft.state.self)) {
    return beginLeaving(draft, 'this node was deleted from the cluster');
  }
  const change = type === 'addnode' ? 'add-nodes' : 'delete-nodes';
  draft.effects.push({type: 'tell-messaging', message: {type: change, nodes}});
}

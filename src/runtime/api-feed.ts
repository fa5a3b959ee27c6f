// What clients of Heartbeat's API and rc.d hooks get to see, beside the cluster's messages themselves: deaths and link
// changes become messages of the forms that the real daemon synthesises (resource-engine.md 1.1).

import type {MessagingToManager} from '../model/channel.js';
import {fieldOf, type Message, messageOf} from '../model/message.js';

/** undefined: nothing that anybody waits for. */
export function feedOf(said: MessagingToManager, wallMs: number): Message | undefined {
  switch (said.type) {
    case 'message-received':
      return said.message;
    case 'node-changed':
      if (said.status === 'dead') return deathOf(said.node, said.previous === 'ping', wallMs);
      // Other nodes say themselves that they live; for a ping node it is said here.
      return said.status === 'ping' ? pingOf(said.node, wallMs) : undefined;
    case 'link-changed':
      return messageOf({t: 'ifstat', node: said.node, ifname: said.link, st: said.status});
    default:
      return undefined;
  }
}

/** A message of ours as it looks on the wire to others; messaging adds the rest of the header. */
export function ownMessage(message: Message, node: string): Message {
  if (fieldOf(message, 'src') !== undefined) return message;
  return {fields: [...message.fields, {name: 'src', type: 0, value: node}]};
}

function pingOf(node: string, wallMs: number): Message {
  return messageOf({t: 'NS_st', st: 'ping', info: 'ping', src: node, ts: Math.floor(wallMs / 1000).toString(16)});
}

function deathOf(node: string, isPing: boolean, wallMs: number): Message {
  const ts = Math.floor(wallMs / 1000).toString(16);
  return messageOf({t: 'status', seq: '1', ts, src: node, st: 'dead', info: isPing ? 'ping' : undefined});
}

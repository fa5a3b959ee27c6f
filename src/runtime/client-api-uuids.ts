// The uuids of the nodes as they came over the wire, for clients of the API that ask for them. Bounded by the number of nodes.

import type {NodeView} from '../model/cluster.js';
import {fieldOf, type Message} from '../model/message.js';

const NODES_MAX = 100;
const UUID_BYTES = 16;

/** The uuids of the nodes, learned from the messages that come in. */
export class Uuids {
  private readonly known = new Map<string, string>();

  learn(node: string, uuid: string | undefined): void {
    if (uuid?.length !== UUID_BYTES || (this.known.size >= NODES_MAX && !this.known.has(node))) return;
    this.known.set(node, uuid);
  }

  learnFrom(message: Message): void {
    const src = fieldOf(message, 'src');
    if (src !== undefined) this.learn(src.toLowerCase(), fieldOf(message, 'srcuuid'));
  }

  /** For these nodes; one never heard, or a ping node, has the uuid of zeros, as on the real daemon. */
  of(nodes: readonly NodeView[]): Readonly<Record<string, string>> {
    const zeros = '\0'.repeat(UUID_BYTES);
    return Object.fromEntries(nodes.map(({name}) => [name, this.known.get(name) ?? zeros]));
  }
}

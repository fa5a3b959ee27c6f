// The local channel between the manager and the messaging process: JSON lines over an inherited socket pair.
// Messaging owns links, keepalives, membership; the manager owns resources and everything that spawns.

import type {LinkStatus, NodeName, NodeStatus, NodeView} from './cluster.js';
import type {Keyring} from './config.js';
import type {LogRecord} from './log.js';
import type {Message} from './message.js';

export type ManagerToMessaging =
  /** Stamp header fields, number, sign and send on every link; kept for retransmission unless t starts with NS_. */
  | {
      readonly type: 'send';
      readonly message: Message;
      /** It came from an API client: `client-sent` answers, so that clients cannot run ahead of the cluster. */
      readonly isFromClient?: true;
    }
  /** Extra fields of every `status` from now on; a status goes out at once when they changed. */
  | {readonly type: 'set-beacon'; readonly values: Readonly<Record<string, string>>}
  /** The manager is well; keepalives go on for this long from now. */
  | {readonly type: 'renew-lease'; readonly forMs: number}
  /** Announce another dead time (`dt`) before a planned pause; undefined: deadtime again. */
  | {readonly type: 'announce-deadtime'; readonly deadtimeMs: number | undefined}
  | {readonly type: 'use-keys'; readonly keyring: Keyring}
  | {readonly type: 'add-nodes'; readonly nodes: readonly NodeName[]}
  | {readonly type: 'delete-nodes'; readonly nodes: readonly NodeName[]}
  | {readonly type: 'set-debug'; readonly level: number}
  /** Go on with keepalives for tailMs, then exit 0. The manager has released everything. */
  | {readonly type: 'stop'; readonly tailMs: number};

export interface ClusterView {
  readonly nodes: readonly NodeView[];
  readonly isCommUp: boolean;
  /** The newest `status` of each peer, so that a restarted manager knows what they own. */
  readonly lastStatus: Readonly<Record<NodeName, Message>>;
  /** The newest full `resource` report of each peer. */
  readonly lastReport: Readonly<Record<NodeName, Message>>;
}

export type MessagingToManager =
  /** First message on every new channel. */
  | {
      readonly type: 'ready';
      readonly generation: number;
      readonly uuid: string;
      readonly view: ClusterView;
      /** Of the configuration that messaging was started with. */
      readonly mark?: string;
    }
  /** Every configured node was heard or is dead, and the node list was agreed: our status is `active`. */
  | {readonly type: 'comm-up'}
  | {
      readonly type: 'node-changed';
      readonly node: NodeName;
      readonly status: NodeStatus;
      readonly previous: NodeStatus;
      /** False for a node that never spoke since messaging started. */
      readonly wasHeard: boolean;
    }
  /** A higher generation: that node's daemon was restarted, perhaps faster than deadtime. */
  | {readonly type: 'node-restarted'; readonly node: NodeName}
  /** Same generation heard again after we had declared it dead: a healed partition, or it was paused. */
  | {readonly type: 'node-returned'; readonly node: NodeName}
  | {readonly type: 'link-changed'; readonly node: NodeName; readonly link: string; readonly status: LinkStatus}
  /**
   * An accepted message for this node. Of `status` messages only those that differ from the node's previous one in
   * more than the header (st, dt or any added field), and the first one after a return.
   */
  | {readonly type: 'message-received'; readonly from: NodeName; readonly message: Message}
  /** The list of normal nodes changed: nodes were added or deleted. All of them, in order. */
  | {readonly type: 'nodes-edited'; readonly nodes: readonly NodeName[]}
  /** One for each message that was marked isFromClient, sent or refused. */
  | {readonly type: 'client-sent'}
  /** More is unacknowledged than a peer may fall behind: nothing is to be read from API clients until it caught up. */
  | {readonly type: 'flow-changed'; readonly isPaused: boolean}
  | {readonly type: 'log'; readonly record: LogRecord}
  /** A node of ours has our own uuid, so neither hears the other: we need another one. */
  | {readonly type: 'uuid-cloned'; readonly node: NodeName}
  | {readonly type: 'stopped'};

// The state of the messaging core: plain data that survives JSON.stringify, hence no Map, no Buffer, no Infinity and
// null (never undefined) for "not yet". Times are monoMs. Every list here has an upper bound, named beside it.

import type {LinkStatus, NodeName, NodeStatus, NodeType} from '../model/cluster.js';
import type {Message} from '../model/message.js';
import type {MessagingStart} from '../model/messaging.js';

/** A deadline that is not set. JSON has no Infinity. */
export const NEVER = Number.MAX_SAFE_INTEGER;

export const HISTORY_MAX = 500;
export const MISSING_MAX = 500;
/** A larger gap is not repaired: Heartbeat 3.0.6 gives up at the same size. */
export const GAP_MAX = 250;
export const NODES_MAX = 100;
export const HELD_MAX = 50;
export const PENDING_MAX = 100;
export const FAULTS_MAX = 64;

export interface LinkRecord {
  readonly name: string;
  readonly status: LinkStatus;
  readonly heardMs: number;
}

export interface Missing {
  readonly seq: number;
  readonly askAtMs: number;
}

/** What was received of one life of a peer (wire-protocol.md 3.3, step 8). */
export interface Tracking {
  /** Highest sequence number seen; 0: none. */
  readonly last: number;
  /** Ascending, at most MISSING_MAX. */
  readonly missing: readonly Missing[];
  /** The earliest askAtMs of `missing`. */
  readonly askAtMs: number;
  readonly ackSent: number;
  /** Client announcements waiting for earlier holes, at most HELD_MAX. */
  readonly held: readonly Message[];
}

export const UNTRACKED: Tracking = {last: 0, missing: [], askAtMs: NEVER, ackSent: 0, held: []};

export interface NodeRecord {
  readonly name: NodeName;
  readonly type: NodeType;
  readonly status: NodeStatus;
  /** Latin1 bytes; empty while unknown. */
  readonly uuid: string;
  readonly wasHeard: boolean;
  /** When this record was made: its silence counts from here until the first status. */
  readonly sinceMs: number;
  /** When the newest status counts as heard (doubt.ts may date it back); null before the first. */
  readonly heardMs: number | null;
  /** The node's own dead time, from its newest status. */
  readonly dtMs: number;
  /** No verdict before this time, and how often that was granted since the newest status (doubt.ts). */
  readonly graceUntilMs: number;
  readonly graces: number;
  readonly hadSecondLook: boolean;
  readonly generation: number;
  /** Sequence number of the newest status; survives a death so that old packets cannot revive the node. */
  readonly statusSeq: number;
  /** Highest number seen before the last death: what is not above it was delivered or given up. */
  readonly floor: number;
  readonly tracking: Tracking;
  /** Numbers that came before the status that vouches for their generation; at most HELD_MAX. */
  readonly early: {readonly generation: number; readonly seqs: readonly number[]};
  /** Its status carries `protocol`: it sends acks and answers reqnodes. */
  readonly hasFlowControl: boolean;
  /** We acknowledge its numbers that end (mod 10) in this digit. */
  readonly ackTrigger: number;
  /** It has everything of ours up to this number. */
  readonly acked: number;
  /** What we had sent when this life of it was first heard: flow control does not wait for acks of that. */
  readonly ackBase: number;
  readonly links: readonly LinkRecord[];
  readonly lastStatus: Message | null;
  readonly lastReport: Message | null;
}

export interface HistoryEntry {
  readonly seq: number;
  readonly message: Message;
  readonly sentMs: number;
  readonly resentMs: number | null;
}

export interface FaultEntry {
  readonly key: string;
  readonly loggedMs: number;
  readonly suppressed: number;
}

export interface MessagingState {
  readonly start: MessagingStart;
  readonly startedMs: number;
  /** Our own status on the wire. */
  readonly status: 'init' | 'up' | 'active';
  readonly isCommUp: boolean;
  /** All nodes in ha.cf order, ours included, then ping nodes; at most NODES_MAX. */
  readonly nodes: readonly NodeRecord[];
  readonly deleted: readonly NodeName[];
  readonly random: number;
  readonly load: string;
  readonly debug: number;

  readonly highest: number;
  readonly history: readonly HistoryEntry[];
  readonly recentNaks: readonly {readonly node: NodeName; readonly seq: number; readonly atMs: number}[];

  /** API clients are paused: a live peer is too far behind with its acknowledgements. */
  readonly isFlowPaused: boolean;

  readonly beacon: Readonly<Record<string, string>>;
  readonly announcedMs: number | null;
  /** Until then `dt` is two seconds longer, for a peer that is busy starting; NEVER once over. */
  readonly bonusUntilMs: number;
  readonly nextBeatMs: number;
  /** When to send the next reqnodes; null: not asked yet. */
  readonly askNodesAtMs: number | null;
  readonly areNodesAgreed: boolean;
  /** What is read until then may have waited in the socket while we slept (doubt.ts). */
  readonly drainUntilMs: number;

  readonly isManagerThere: boolean;
  /** No manager spoke yet: what it was told may have gone nowhere. */
  readonly isManagerUnseen: boolean;
  readonly leaseUntilMs: number;
  readonly lossesMs: readonly number[];
  /** When the next manager is started; NEVER: none is to be. */
  readonly startManagerAtMs: number;
  readonly hasEmergency: boolean;
  readonly pending: readonly {readonly from: NodeName; readonly message: Message; readonly atMs: number}[];
  readonly stopAtMs: number;
  readonly isStopped: boolean;

  readonly faults: readonly FaultEntry[];
  /** Packets refused since the start. */
  readonly refused: number;
}

export function isLive(node: NodeRecord): boolean {
  return node.status === 'up' || node.status === 'active';
}

export function nodeOf(state: MessagingState, name: string): NodeRecord | undefined {
  return state.nodes.find((each) => each.name === name);
}

/** Normal nodes other than this one. */
export function peersOf(state: MessagingState): readonly NodeRecord[] {
  return state.nodes.filter((each) => each.type === 'normal' && each.name !== state.start.node);
}

/** How many of our messages some live peer has not acknowledged; 0 when no live peer acknowledges at all. */
export function unacknowledged(state: MessagingState): number {
  let acked = state.highest;
  for (const peer of peersOf(state))
    if (isLive(peer) && peer.hasFlowControl) acked = Math.min(acked, Math.max(peer.acked, peer.ackBase));
  return state.highest - acked;
}

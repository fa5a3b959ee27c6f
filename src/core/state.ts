// The state of the manager's core: plain data that survives JSON.stringify. The step function works on a private copy,
// so inside src/core these types are mutable; outside, ManagerState is only looked at.

import type {Hold, NodeName, NodeStatus, NodeView, StandbyScope, StonithWord} from '../model/cluster.js';
import type {ClusterConfig} from '../model/config.js';
import type {GroupStateWord, ResourceStateWord} from '../model/control.js';
import type {DiskFacts} from '../model/disk.js';
import type {ResourceAction, ResourceGroup} from '../model/resource.js';

export type Goal =
  /** Nothing to do. */
  | 'idle'
  /** Ask every resource for its status: what is held is measured, never believed. */
  | 'measure'
  /** Like measure, of a running group. */
  | 'monitor'
  /** Tell the network again where the group's addresses are. */
  | 'announce'
  | 'run'
  | 'stop';

export interface Job {
  id: number;
  /** What it was run for: a status asked by the monitor says nothing about a stop that was decided since. */
  goal: Goal;
  action: ResourceAction;
  index: number;
  /** What the resource was before this call. */
  before: ResourceStateWord;
  sinceMs: number;
  isCancelled: boolean;
}

export interface GroupState {
  definition: ResourceGroup;
  /** Waits for the group to stop; undefined: the definition did not change. */
  nextDefinition: ResourceGroup | undefined;
  /** No longer in haresources: forgotten once stopped. */
  isRemoved: boolean;
  state: GroupStateWord;
  goal: Goal;
  resources: ResourceStateWord[];
  job: Job | undefined;
  /** Position the worker is at. */
  cursor: number;
  /** The disk that is started before its turn in this pass; undefined: none is. */
  ahead: {index: number; isDone: boolean} | undefined;
  /** The resource at the cursor was asked for its status in this pass. */
  isChecked: boolean;
  /** Failed stop attempts of the resource at the cursor. */
  attempts: number;
  /** When the worker may go on (stop retry); undefined: at once. */
  pauseUntilMs: number | undefined;
  sinceMs: number;
  /** Number of the newest claim to ownership made here; the higher claim wins a conflict (docs/adr/0002). */
  claim: number;
  /** Announced, waiting for the peer's acknowledgement. */
  intends: boolean;
  /** Stopped here in the peer's favour. */
  granted: Grant | undefined;
  /** A start failed here; not tried again before retryAtMs unless circumstances change. */
  isFailed: boolean;
  /** A predecessor of this manager had it when it was lost. */
  isInherited: boolean;
  /** Which resource of it failed then. */
  failedAt: number | undefined;
  failCount: number;
  retryAtMs: number | undefined;
  lastError: string | undefined;
  monitorAtMs: number | undefined;
  /** Consecutive monitor rounds without a verdict. */
  unknownRounds: number;
  /** Times (monoMs) of local recoveries, newest last, at most 8. */
  recoveries: number[];
  /** Legacy mode: when this group was last asked for. */
  requestedAtMs: number | undefined;
  /** Legacy mode: the peer answered our ip-request. */
  isPermitted: boolean;
  /** Legacy mode: answer this ip-request when the group is stopped. */
  owesIpResponse: boolean;
  /** Legacy mode: the peer asked for it while its disk was not ready. */
  isAskedFor: boolean;
  /** A conflict with the peer was reported; so that it is logged once. */
  isConflicting: boolean;
  /** Since when the peer has not acknowledged, while both run it, that this node does. */
  conflictSinceMs: number;
  /** Found running in part, or some status gave no answer: it may be the peer's. Completed only when that is excluded. */
  isPartial: boolean;
  /** It ran on the peer as well, or may have. */
  isShared: boolean;
  /** Which disk bars it from being started here, as last said in the log; undefined: none does. */
  barSaid: string | undefined;
}

export interface Grant {
  /** Life of the peer's manager that it was given to. */
  incarnation: string;
  untilMs: number;
  /** The newest claim here when it was given: a peer that has seen a higher one knows that the grant is over. */
  claim: number;
  /** Over, but the peer may not know it yet: if it dies, it may have started the group. */
  isWithdrawn: boolean;
}

/** What a Systole peer says of one group in its beacon. */
export interface PeerGroup {
  /**
   * u unknown, 0 stopped, i intends, s starting, r running, p stopping, f failed, b blocked, g granted to us, n not in
   * its haresources.
   */
  state: string;
  claim: number;
  /** The newest claim of ours that it has seen. */
  seen: number;
  fails: number;
  /** It takes itself for the home of the group; the files of two nodes may differ. */
  isHome: boolean;
}

export interface Peer {
  name: NodeName;
  status: NodeStatus;
  wasHeard: boolean;
  kind: 'unknown' | 'systole' | 'classic';
  /** Said goodbye (`shutdone`) and not come back yet. */
  hasLeft: boolean;
  /** Proven harmless, or the configuration cannot give proof and said so. */
  cleared: 'no' | 'fencing' | 'yes';
  fence: {id: number | undefined; retryAtMs: number; tries: number; sinceMs: number} | undefined;
  /** What came of the STONITH of the dead node, for those who ask; absent while it lives. */
  stonith: StonithWord | undefined;
  /** With `OK`: when that reset was begun. A node may be up again before its device says that it was reset. */
  resetMs: number | undefined;
  /** Systole peers: from the beacon. */
  incarnation: string;
  /** 0: nothing was heard since it appeared or returned; what is known of it is old. */
  version: number;
  phase: string;
  configHash: string;
  isGiving: boolean;
  /** The life of our manager whose beacon it has seen last. */
  seenIncarnation: string;
  /** By the word of the group's key (peer-groups.ts). */
  groups: Record<string, PeerGroup>;
  /** The last `resource` report. */
  hold: Hold;
  isStable: boolean;
  /** Sequence number of that report. */
  reportSequence: number;
  /** A real peer returned from a silence, or a report of it was lost, and it will not say what it holds by itself: it is asked. */
  owesReport: boolean;
  /** That report names all that it holds, and whether that is final. */
  isReportWhole: boolean;
  /** Said it holds nothing while its stops may still run: still an owner of what it held before. */
  releasing: Hold;
  /** When both first claimed the same class; undefined: no conflict. */
  conflictSinceMs: number | undefined;
}

/** The belief state machine that a real 3.0.6 peer expects of us (resource-engine.md 2). */
export interface Classic {
  rstate: 'starting' | 'both-starting' | 'received' | 'stable';
  hold: {local: boolean; foreign: boolean};
  /** Ten-second acquisition timer. */
  acquireAtMs: number | undefined;
  /** Nobody holds our own groups since. */
  orphanSinceMs: number | undefined;
  /** A failed class was offered already. */
  offered: {local: boolean; foreign: boolean};
}

export interface Standby {
  role: 'giver' | 'taker';
  /** From the giver's point of view. */
  scope: StandbyScope;
  step: 'asked' | 'releasing' | 'acquiring' | 'waiting' | 'taking';
  untilMs: number;
  /** Giver: keys of the groups that it held and gives. */
  keys: string[];
  /** Without ask_resources on the wire (legacy mode). */
  isSilent: boolean;
  /** An automatic failback: begun again when it ends without success. */
  isFailback: boolean;
}

export interface PendingRequest {
  id: number;
  kind: 'standby' | 'takeover';
  untilMs: number;
}

export type Phase = 'waiting' | 'joining' | 'stable' | 'leaving' | 'left';

export interface ManagerState {
  config: ClusterConfig;
  self: NodeName;
  /** Identifies this run of the manager for the peer. */
  incarnation: string;
  generation: number;
  isMessagingReady: boolean;
  isCommUp: boolean;
  /** This manager replaced a dead one; true until it is stable. */
  isAdopted: boolean;
  phase: Phase;
  nodes: NodeView[];
  /** The other node of the pair; undefined: a cluster of one. */
  peer: Peer | undefined;
  groups: GroupState[];
  /** The DRBD resources of the groups; empty: nothing is known. */
  disks: readonly DiskFacts[];
  /** What the log was told of each. */
  diskSaid: Readonly<Record<string, DiskSaid>>;
  /** Until then the first facts of them are waited for. */
  disksDueMs: number;
  classic: Classic;
  standby: Standby | undefined;
  pending: PendingRequest[];
  needsFailback: boolean;
  /** Earliest time of the next try of an automatic failback or offer. */
  failbackAtMs: number;
  /** A real peer would have given groups, and this node's disk was not ready. */
  isTakeoverOwed: boolean;
  /** Why the failback waits for the peer's disk, as last said in the log; undefined: it does not. */
  failbackSaid: string | undefined;
  nextId: number;
  /** Time of the last step: deadlines up to it have been looked at. */
  steppedMs: number;
  leaseAtMs: number;
  beacon: {text: string; version: number};
  /** The highest claim of this life of the manager, or known from the peer. */
  newestClaim: number;
  /** The groups in force as last told to the edge, as text. */
  remembered: string;
  /** Last hold and stability sent in a `resource` report. */
  reported: string;
  reportedAtMs: number;
  /** When the process ends even if messaging never confirms its own end. */
  exitAtMs: number | undefined;
}

export interface DiskSaid {
  readonly role: string;
  /** As last known while the two were connected. */
  readonly differsKib: number;
  /** The service goes on without the disk here. */
  readonly isDiskLost: boolean;
  /** What became of the other copy: out of reach, or there and bad; undefined: it is good, as far as is known. */
  readonly copyLost: 'gone' | 'bad' | undefined;
}

/** What may happen to a group that this node does not own. */
export type Placement =
  | {readonly act: 'start'}
  | {readonly act: 'claim'}
  | {readonly act: 'withdraw'; readonly reason: string}
  | {readonly act: 'wait'; readonly reason: string};

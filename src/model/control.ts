// The control socket (HA_RUNDIR/systole): one JSON object per line each way, at most 64 KiB a line. A request has an
// id chosen by the client; the answer carries the same id. Root and group haclient reach it through file modes.

import type {Hold, NodeName, NodeView, StandbyScope} from './cluster.js';
import type {DiskFacts} from './disk.js';

export type ControlRequest =
  | {readonly command: 'status'}
  /** Give groups to the other node. Answered once the peer accepted or the request was refused. */
  | {readonly command: 'standby'; readonly scope: StandbyScope}
  /** Ask the other node to give groups; the scope is from our point of view. */
  | {readonly command: 'takeover'; readonly scope: StandbyScope}
  | {readonly command: 'add-nodes'; readonly nodes: readonly NodeName[]}
  | {readonly command: 'delete-nodes'; readonly nodes: readonly NodeName[]}
  /** Forget start failures, so that groups are tried again at once; no keys: all groups. */
  | {readonly command: 'reset'; readonly keys: readonly string[]}
  /** A block from the control FIFO or a script: name=value fields, t first. */
  | {readonly command: 'inject'; readonly fields: Readonly<Record<string, string>>}
  /** Graceful stop: release everything, say goodbye, exit. */
  | {readonly command: 'shutdown'}
  /** Re-read ha.cf, authkeys, haresources; resources stay. */
  | {readonly command: 'reload'}
  /** The whole state of the core, for `systole dump`. */
  | {readonly command: 'dump'};

export type ControlReply =
  | {readonly ok: true; readonly text: string; readonly status?: ClusterStatus; readonly dump?: unknown}
  /** `code` is stable for programs, e.g. `PEER_DEAD`, `IN_FLUX`, `STANDBY_RUNNING`, `DISK_NOT_READY`, `PEER_HAS_PART`, `SHUTTING_DOWN`. */
  | {readonly ok: false; readonly code: string; readonly text: string; readonly hint?: string};

export interface ControlRequestLine {
  readonly id: number;
  readonly request: ControlRequest;
}
export interface ControlReplyLine {
  readonly id: number;
  readonly reply: ControlReply;
}

export type ResourceStateWord = 'unknown' | 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';
export type GroupStateWord =
  | 'unknown'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'stopping'
  /** A start failed here; stopped again. */
  | 'failed'
  /** A stop failed: something may still run here, so nobody else may start it. */
  | 'blocked';

export interface ResourceStatus {
  readonly word: string;
  readonly state: ResourceStateWord;
}

export interface GroupStatus {
  readonly key: string;
  readonly home: NodeName;
  /** The node that owns it by the best knowledge here; undefined: nobody. */
  readonly owner: NodeName | undefined;
  readonly state: GroupStateWord;
  readonly peerState: GroupStateWord | undefined;
  readonly failCount: number;
  readonly resources: readonly ResourceStatus[];
  /** What runs now, e.g. `IPaddr start, 0.2 s`; undefined: nothing. */
  readonly activity: string | undefined;
  /** Why it runs nowhere, or what limits its safety; undefined: nothing to say. */
  readonly reason: string | undefined;
}

/** A DRBD resource of a group. */
export interface DiskStatus extends DiskFacts {
  /** Keys of the groups that it carries. */
  readonly groups: readonly string[];
}

export interface ClusterStatus {
  readonly node: NodeName;
  readonly version: string;
  readonly generation: number;
  /** What `cl_status rscstatus` prints. */
  readonly rscstatus: Hold | 'transition';
  readonly phase: 'waiting' | 'joining' | 'stable' | 'leaving';
  readonly nodes: readonly (NodeView & {readonly kind: 'self' | 'systole' | 'classic' | 'unknown' | 'ping'})[];
  readonly groups: readonly GroupStatus[];
  /** Absent when no group has a DRBD resource. */
  readonly disks?: readonly DiskStatus[];
  readonly standby: string | undefined;
  /** Lasting warnings, e.g. that no fencing is configured. */
  readonly warnings: readonly string[];
}

// What to do, at this moment, for a peer that asks this node to outdate its disk, and what may be answered. The answers are
// those of DRBD's fence-peer convention. The rule: an answer that lets the peer write alone (3 or 4) is given only after
// the disk state was read back while the connection to that peer was gone. `drbdadm outdate` on a disk that still believes
// itself connected ends with 0 and changes nothing, so its exit code is never believed.

import type {DiskState, PeerState, ResourceState} from './state.js';

/** 3 inconsistent or worse, 4 outdated, 5 dead, 6 Primary here, 7 stonithed; 20 could not be done. */
export type FenceAnswer = 3 | 4 | 5 | 6 | 7 | 20;

export interface OutdateSight {
  /** undefined: the resource is not up; then its metadata tells. */
  readonly state: ResourceState | undefined;
  /** One for each volume; empty: no metadata that can be read. */
  readonly metadata: readonly DiskState[];
}

export interface OutdateProgress {
  readonly elapsedMs: number;
  readonly outdates: number;
  readonly isForced: boolean;
  /** In this run the connection was seen lost. */
  readonly wasLost: boolean;
  /** Does anybody still wait for the answer? */
  readonly isWanted: boolean;
  /** Only the kernel's call is known; its handler, which asks in earnest, has still to start. */
  readonly isEarly: boolean;
}

export type OutdateStep =
  | {readonly do: 'answer'; readonly value: FenceAnswer; readonly why: string}
  | {readonly do: 'outdate'}
  /** DRBD here has not noticed the loss; the connection is dropped, to be taken up again afterwards. */
  | {readonly do: 'disconnect'; readonly peer: string | undefined}
  | {readonly do: 'wait'};

/** DRBD is given so long to notice by itself: with equal timers both ends do within moments, and that is faster than any force. */
const NOTICE_GRACE_MS = 300;
/** A link that has come back shall not be broken; who asked sees it too, and says then that nothing is wanted any more. */
const RETURNED_GRACE_MS = 3000;
/** So long the handler may take to start. */
const EARLY_LIMIT_MS = 5000;
const OUTDATES_MAX = 8;
/** Below the 60 s of the outdater and far below what DRBD allows its handlers. */
export const OUTDATE_LIMIT_MS = 20_000;

const OUTDATED_OR_WORSE: readonly DiskState[] = ['Outdated', 'Inconsistent', 'Diskless', 'Failed', 'Detaching'];

/** undefined: the resource is not up, or has no such connection. */
export function isLost(state: ResourceState | undefined, requester: string): boolean {
  const peer = state && peerNamed(state, requester);
  return peer !== undefined && peer.connection !== 'Connected' && peer.connection !== 'Unknown';
}

export function nextOutdateStep(
  sight: OutdateSight,
  progress: OutdateProgress,
  requester: string,
  isNewerHere = false,
): OutdateStep {
  const isLate = progress.elapsedMs >= OUTDATE_LIMIT_MS;
  const {state} = sight;
  if (state?.role === 'Primary') return {do: 'answer', value: 6, why: `${state.name} is Primary here`};
  // Who would write alone then lacks what was acknowledged here.
  if (isNewerHere) return failed(`the copy here is newer than the one of ${requester}`);
  if (state === undefined) return offline(sight.metadata, progress, isLate);
  const peer = peerNamed(state, requester);
  if (peer?.connection === 'Connected') return stillConnected(state, peer, progress, isLate);
  if (peer !== undefined && !SETTLED.includes(peer.connection))
    return isLate ? failed('the connection does not settle') : {do: 'wait'};
  return act(
    state.volumes.map((volume) => volume.disk),
    progress,
    isLate,
  );
}

const SETTLED = ['StandAlone', 'Unconnected', 'Connecting'];

function offline(metadata: readonly DiskState[], progress: OutdateProgress, isLate: boolean): OutdateStep {
  if (metadata.length === 0) return failed('the resource is not up and has no metadata that can be read');
  return act(metadata, progress, isLate);
}

function stillConnected(
  state: ResourceState,
  peer: PeerState,
  progress: OutdateProgress,
  isLate: boolean,
): OutdateStep {
  if (!progress.isWanted) return failed(`${state.name} is connected again, and nobody asks any more`);
  if (isLate || (progress.isEarly && progress.elapsedMs >= EARLY_LIMIT_MS))
    return failed(`${state.name} stays connected`);
  const graceMs = progress.wasLost ? RETURNED_GRACE_MS : NOTICE_GRACE_MS;
  if (progress.isEarly || progress.isForced || progress.elapsedMs < graceMs) return {do: 'wait'};
  // With DRBD 9 and several peers only the one that asks is dropped.
  return {do: 'disconnect', peer: state.peers.length > 1 ? peer.name : undefined};
}

/** Nothing connects this disk to the peer: now its state is the truth, and what is written to it stays. */
function act(disks: readonly DiskState[], progress: OutdateProgress, isLate: boolean): OutdateStep {
  if (disks.length > 0 && disks.every((disk) => OUTDATED_OR_WORSE.includes(disk))) {
    const isWorse = disks.every((disk) => disk !== 'Outdated');
    return {do: 'answer', value: isWorse ? 3 : 4, why: `the disk is ${[...new Set(disks)].join(', ')}`};
  }
  if (isLate || progress.outdates >= OUTDATES_MAX) return failed(`the disk stays ${disks.join(', ')}`);
  return {do: 'outdate'};
}

function failed(why: string): OutdateStep {
  return {do: 'answer', value: 20, why};
}

function peerNamed(state: ResourceState, name: string): PeerState | undefined {
  const found = state.peers.find((peer) => peer.name.toLowerCase() === name.toLowerCase());
  if (found) return found;
  // 8.4 has one peer and does not know its name; with several unknown ones, the one still connected counts.
  return state.peers.find((peer) => peer.connection === 'Connected') ?? state.peers[0];
}

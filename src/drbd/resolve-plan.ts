// The recovery of a split brain on the node whose changes go, one step at a time: what DRBD shows and what the journal says was
// done decide the next step, so that a run which was interrupted anywhere goes on where it stopped. The order is the safety:
// the disk is made Outdated first (nobody can promote it any more), its changes are saved while the resource is down, it meets
// the other node with the synchronisation paused (the direction and the other disk are looked at before it
// begins), the blocks that the other node changed are saved, and only then does it begin. What the other node's Primary writes
// while it is paused is written here all the same; whether it was, `isUntouched` tells. Nothing is released before the backup that was asked for
// is made; of a disk that somebody let be a target before, it has what was left.

import type {Connection, DiskState, Replication, ResourceState, Role} from './state.js';

export type BackupKind = 'changed' | 'full' | 'none';
export type Step = 'outdated' | 'saved' | 'around' | 'released';
export const STEPS: readonly Step[] = ['outdated', 'saved', 'around', 'released'];

export interface ResolveSight {
  readonly isUp: boolean;
  readonly role: Role;
  readonly connection: Connection;
  readonly replications: readonly Replication[];
  readonly disks: readonly DiskState[];
  readonly peerDisks: readonly DiskState[];
}

export type Next =
  | {readonly do: 'outdate' | 'save' | 'meet' | 'save-around' | 'release' | 'bring-up' | 'follow' | 'finish'}
  | {readonly do: 'stop'; readonly why: string; readonly todo: string};

const TARGET: readonly Replication[] = ['SyncTarget', 'WFBitMapT', 'WFSyncUUID', 'StartingSyncT', 'Established', 'Off'];
const STILL: readonly Replication[] = ['PausedSyncT', 'Established', 'Off'];
const SOURCE: readonly Replication[] = ['SyncSource', 'PausedSyncS', 'WFBitMapS', 'StartingSyncS', 'Ahead'];

export function sightOf(state: ResourceState | undefined): ResolveSight {
  const peer = state?.peers[0];
  const there = peer?.volumes ?? [];
  return {
    isUp: state !== undefined,
    role: state?.role ?? 'Unknown',
    connection: peer?.connection ?? 'StandAlone',
    replications: there.map(({replication}) => replication),
    disks: (state?.volumes ?? []).map(({disk}) => disk),
    peerDisks: there.map(({disk}) => disk),
  };
}

/** Nothing was written here, by anybody, since the resource was brought up. False also where it is not known. */
export function isUntouched(state: ResourceState | undefined): boolean {
  if (state === undefined || state.volumes.length === 0) return false;
  const there = state.peers.flatMap((peer) => peer.volumes);
  return state.volumes.every(({writtenKib}) => writtenKib === 0) && there.every(({receivedKib}) => receivedKib === 0);
}

export function nextResolveStep(done: readonly Step[], backup: BackupKind, sight: ResolveSight): Next {
  const has = (step: Step): boolean => done.includes(step);
  const isSaved = backup === 'none' || has('saved');
  if (sight.isUp && sight.role === 'Primary')
    return stop('it is Primary here', 'stop what uses it; then run the command again');
  if (sight.isUp && sight.connection === 'Connected') return connected(has, backup, sight);
  const isTarget = sight.disks.includes('Inconsistent');
  if (!has('outdated') && !isTarget) return {do: 'outdate'};
  const isGood = sight.disks.includes('UpToDate') && !isTarget;
  const isReleased = has('released') || has('around');
  // Synchronised to the end, it is only looked at until the other node is back.
  if (isGood && !(isReleased && ['Connecting', 'Unconnected'].includes(sight.connection)))
    return stop('somebody made the disk here good again', 'systole drbd status; the same command begins anew');
  // Also of a target, whose disk has begun to change: what is left of the blocks here.
  if (!isSaved) return {do: 'save'};
  if (!sight.isUp) return {do: isReleased ? 'bring-up' : 'meet'};
  if (sight.disks.some((disk) => ['Diskless', 'Failed', 'Detaching'].includes(disk)))
    return stop('its disk here is gone', 'see the kernel log for disk errors');
  return {do: isReleased && sight.connection !== 'StandAlone' ? 'follow' : 'meet'};
}

function connected(has: (step: Step) => boolean, backup: BackupKind, sight: ResolveSight): Next {
  const {replications, disks, peerDisks} = sight;
  const source = replications.find((each) => SOURCE.includes(each));
  if (source !== undefined)
    return stop(
      `DRBD would overwrite the other node from here (${source}), not this one`,
      'drbdadm disconnect; see the kernel log (`self` and `peer` after drbd_sync_handshake) and drbdadm get-gi on both',
    );
  const isEven = replications.every((each) => each === 'Established');
  if (isEven && disks.every((disk) => disk === 'UpToDate') && peerDisks.every((disk) => disk === 'UpToDate'))
    return {do: 'finish'};
  if (!replications.includes('PausedSyncT') || replications.some((each) => ['WFBitMapT', 'WFSyncUUID'].includes(each)))
    return replications.every((each) => TARGET.includes(each) || each === 'PausedSyncT')
      ? {do: 'follow'}
      : stop(
          `the synchronisation is in a state that does not belong here (${replications.join(' ')})`,
          'drbdadm status',
        );
  const bad = peerDisks.find((disk) => disk !== 'UpToDate');
  if (bad !== undefined)
    return stop(
      `the other node's disk is ${bad}: what is here may be the only good copy`,
      'drbdadm disconnect; look at the other node first',
    );
  if (backup !== 'none' && !has('saved')) return unsaved(replications);
  return {do: backup === 'changed' && !has('around') ? 'save-around' : 'release'};
}

/** Somebody connected it by hand. Where all stands still it can be parted again, and what is left be saved. */
function unsaved(replications: readonly Replication[]): Next {
  if (replications.every((each) => STILL.includes(each))) return {do: 'save'};
  return stop(
    'the backup is not made, and the synchronisation of a part has begun',
    'drbdadm disconnect; then the same command saves what is left here. With --no-backup it goes on without',
  );
}

function stop(why: string, todo: string): Next {
  return {do: 'stop', why, todo};
}

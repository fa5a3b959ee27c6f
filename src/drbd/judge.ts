// May this node make a resource Primary? Judged from what DRBD says, before DRBD is asked: the kernel would promote some
// disks that must not carry a service (a SyncTarget, a Diskless node that reads from its peer), and it explains nothing.
// Promises: only a disk that is UpToDate is let through (a Consistent one may lack what the other node wrote last); every
// refusal says which volume, what promoting would lose and what to do. Nobody here ever proposes to force by itself.

import type {DiskState, PeerState, PeerVolumeState, ResourceState, VolumeState} from './state.js';
import {newDiskText} from './words.js';

export type Promotion =
  | {readonly verdict: 'promote' | 'already'}
  /** Passing states: DRBD may be about to notice a dead peer, the peer may be about to let go. */
  | {
      readonly verdict: 'wait';
      readonly code: 'peer-primary' | 'settling';
      readonly why: string;
      readonly loses?: string;
      readonly todo: string;
    }
  | {
      readonly verdict: 'refuse';
      readonly code: 'outdated' | 'unproven' | 'inconsistent' | 'sync-target' | 'no-disk' | 'unknown';
      readonly why: string;
      readonly loses: string;
      readonly todo: string;
    };

const BECOMING_TARGET = ['WFBitMapT', 'WFSyncUUID', 'StartingSyncT'];
const TARGET = ['SyncTarget', 'PausedSyncT', 'Behind'];

export function judgePromotion(state: ResourceState): Promotion {
  if (state.role === 'Primary') return {verdict: 'already'};
  if (state.volumes.length === 0)
    return refuse('no-disk', `${state.name} has no volume`, 'nothing', `drbdadm adjust ${state.name}`);
  const order = {refuse: 0, wait: 1, promote: 2, already: 2};
  const judged = state.volumes.map((volume) => judgeVolume(state, volume));
  const worst = judged.reduce((left, right) => (order[right.verdict] < order[left.verdict] ? right : left));
  if (worst.verdict === 'refuse') return worst;
  const primary = state.peers.find((peer) => peer.connection === 'Connected' && peer.role === 'Primary');
  if (primary) {
    const why = `${state.name} is Primary on ${peerName(primary)}, and the replication link to it works`;
    return {
      verdict: 'wait',
      code: 'peer-primary',
      why,
      loses: 'what one of two Primaries writes',
      todo: `stop the group there, or run: drbdadm secondary ${state.name}`,
    };
  }
  return worst;
}

function judgeVolume(state: ResourceState, volume: VolumeState): Promotion {
  const which = nameOf(state, volume);
  const replicas = state.peers.flatMap((peer) =>
    peer.volumes.filter((each) => each.volume === volume.volume).map((each) => ({peer, each})),
  );
  const source = replicas.find(({each}) => TARGET.includes(each.replication));
  if (source) return syncTarget(state, which, source.peer, source.each);
  if (replicas.some(({each}) => BECOMING_TARGET.includes(each.replication)))
    return settling(`${which} is about to be synchronised from the other node`);
  if (volume.disk === 'Consistent' && state.peers.some(({connection}) => connection === 'Connected'))
    return settling(`${which} and the other node are finding out who has the newer data`);
  return judgeDisk(state, volume.disk, which, newerPeer(state));
}

function judgeDisk(state: ResourceState, disk: DiskState, which: string, peer: string): Promotion {
  switch (disk) {
    case 'UpToDate':
      if (state.isUnproven !== true) return {verdict: 'promote'};
      return refuse(
        'unproven',
        `${which} had lost ${peer} when heartbeat started here, and whether that node went on writing is not known`,
        `every write made there since, if any was`,
        `start ${peer}, and the service starts by itself when the two have met; if that node is lost for ever: drbdadm primary ${state.name}`,
      );
    case 'Consistent':
      // DRBD would ask its fence-peer handler, and promote beside a dead peer; but that may have been the last to write.
      return refuse(
        'unproven',
        `the disk of ${which} is Consistent: this node was cut off or lost its power, and whether ${peer} went on writing is not known`,
        `every write made there since, if any was`,
        `start ${peer}, and the service starts by itself when the two have met; if that node is lost for ever, docs/drbd.md says how to decide by hand`,
      );
    case 'Attaching':
    case 'Negotiating':
      return settling(`the disk of ${which} is ${disk}`);
    case 'Outdated':
      return refuse(
        'outdated',
        `the disk of ${which} is Outdated: ${peer} went on writing without this node`,
        `every write made there since the replication link was lost`,
        `start ${peer} and let DRBD synchronise (the service then comes back by itself); if that node is lost for ever, docs/drbd.md says how to decide for old data by hand`,
      );
    case 'Inconsistent':
      return refuse(
        'inconsistent',
        `the disk of ${which} is Inconsistent: a synchronisation was never begun or never finished`,
        `any consistency: old and new blocks are mixed, a file system on it is damaged`,
        `start ${peer} and let the synchronisation finish; only where neither node ever had data: docs/drbd.md, "First start"`,
      );
    case 'Diskless':
    case 'Detaching':
    case 'Failed':
      return refuse(
        'no-disk',
        `${which} has no disk here (${disk})`,
        `nothing, but there is no data here to serve`,
        `look for disk errors in the kernel log; the old disk again: drbdadm adjust ${state.name}; ${newDiskText(state.name)}`,
      );
    case 'DUnknown':
    case 'Unknown':
      return refuse(
        'unknown',
        `the state of the disk of ${which} is not known`,
        'perhaps everything',
        `drbdadm status ${state.name}`,
      );
  }
}

function syncTarget(state: ResourceState, which: string, peer: PeerState, volume: PeerVolumeState): Promotion {
  const done = volume.donePercent === undefined ? '' : ` (${volume.donePercent} % done)`;
  const left = volume.outOfSyncKib === undefined ? '' : `, ${volume.outOfSyncKib} KiB to go`;
  return refuse(
    'sync-target',
    `${which} is being synchronised from ${peerName(peer)}${done}${left}`,
    'the service, as soon as the link to that node fails: the copy here is not complete',
    `wait for the end: drbdadm wait-sync ${state.name}`,
  );
}

function refuse(
  code: Extract<Promotion, {verdict: 'refuse'}>['code'],
  why: string,
  loses: string,
  todo: string,
): Promotion {
  return {verdict: 'refuse', code, why, loses, todo};
}

function settling(why: string): Promotion {
  return {verdict: 'wait', code: 'settling', why, todo: 'wait; if it stays so, see the kernel log for drbd'};
}

/** One line for a log: reason, loss, remedy. */
export function explainPromotion(resource: string, promotion: Promotion): string {
  switch (promotion.verdict) {
    case 'promote':
    case 'already':
      return `${resource} may be Primary here`;
    case 'wait':
    case 'refuse': {
      const loss = promotion.loses === undefined ? '' : ` Promoting would lose ${promotion.loses}.`;
      return `not promoting ${resource}: ${promotion.why}.${loss} What to do: ${promotion.todo}`;
    }
  }
}

function nameOf(state: ResourceState, volume: VolumeState): string {
  const minor = volume.minor === undefined ? '' : ` (/dev/drbd${volume.minor})`;
  return `${state.name}${state.volumes.length > 1 ? `/${volume.volume}` : ''}${minor}`;
}

function newerPeer(state: ResourceState): string {
  const [only, ...others] = state.peers;
  return only && others.length === 0 ? peerName(only) : 'the other node';
}

/** 8.4 calls its one peer `peer`, which tells nobody anything. */
function peerName(peer: PeerState): string {
  return peer.name === '' || peer.name === 'peer' ? 'the other node' : peer.name;
}

// DRBD's picture of a resource, boiled down to the facts that the manager's core works with (model/disk.ts): may this copy carry
// a service, may the other node be given what runs on it, how far a synchronisation is. Bars are only for what DRBD itself
// says plainly; anything doubtful is left to the agent, which looks again when it is called.

import {type DiskBar, type DiskFacts, type DiskProgress, SETTLED, sizeText} from '../model/disk.js';
import {judgePromotion} from './judge.js';
import {DISK_STATES, linkOf, type PeerState, type PeerVolumeState, type ResourceState} from './state.js';

/** How much was left to synchronise at some moment. */
export interface SyncSample {
  readonly monoMs: number;
  readonly leftKib: number;
}

const SAMPLES_MAX = 16;
/** Speed is that of the last half minute. */
const WINDOW_MS = 30_000;
const SOURCE = ['StartingSyncS', 'WFBitMapS', 'SyncSource', 'PausedSyncS', 'Ahead'];
const IDLE = ['Off', 'Established', 'VerifyS', 'VerifyT', 'Unknown'];

export function factsOf(
  state: ResourceState,
  peerName: string | undefined,
  samples: readonly SyncSample[] = [],
): DiskFacts {
  const peer = peerIn(state, peerName);
  const volumes = peer?.volumes ?? [];
  const differing = differsKib(state, peerName);
  return {
    resource: state.name,
    found: 'up',
    role: state.role,
    peerRole: peer?.role ?? 'Unknown',
    disk: worst(state.volumes.map((each) => each.disk)),
    peerDisk:
      peer === undefined
        ? state.peers.length === 0
          ? 'DUnknown'
          : 'Unknown'
        : worst(volumes.map((each) => each.disk)),
    connection: peer === undefined ? (state.peers.length === 0 ? 'StandAlone' : 'Unknown') : linkOf(peer),
    replication: volumes.find((each) => isBusy(each))?.replication ?? volumes[0]?.replication ?? 'Off',
    bar: barOf(state),
    peerBar: peerBarOf(state, peer),
    ...(differing === undefined ? {} : {differsKib: differing}),
    progress: isSyncing(state) ? progressOf(state, samples) : undefined,
  };
}

export function factsWithout(resource: string, found: 'down' | 'unknown'): DiskFacts {
  const bar = found === 'down' ? {code: 'down', text: `${resource} is not up here`} : undefined;
  return {
    resource,
    found,
    role: 'Unknown',
    peerRole: 'Unknown',
    disk: 'Unknown',
    peerDisk: 'Unknown',
    connection: 'Unknown',
    replication: 'Unknown',
    // The agent brings it up.
    bar: undefined,
    peerBar: bar,
    progress: undefined,
  };
}

/**
 * What two connected copies are known to differ in although DRBD calls both good: `drbdadm verify` marks what it finds and changes no
 * state. Where one disk is gone, or is being synchronised, the number is what that one lacks. undefined: nothing is known to differ.
 */
export function differsKib(state: ResourceState, peerName?: string): number | undefined {
  const peer = peerIn(state, peerName);
  if (peer?.connection !== 'Connected') return undefined;
  const isGood = ({volume, disk, replication}: PeerVolumeState): boolean =>
    disk === 'UpToDate' &&
    SETTLED.includes(replication) &&
    state.volumes.some((each) => each.volume === volume && each.disk === 'UpToDate');
  const kib = peer.volumes.filter(isGood).reduce((sum, {outOfSyncKib}) => sum + (outOfSyncKib ?? 0), 0);
  return kib === 0 ? undefined : kib;
}

/** The same state as if nothing was known to differ. */
export function withoutDifference(state: ResourceState): ResourceState {
  const known = (each: PeerVolumeState): PeerVolumeState =>
    SETTLED.includes(each.replication) ? {...each, outOfSyncKib: undefined} : each;
  return {...state, peers: state.peers.map((peer) => ({...peer, volumes: peer.volumes.map(known)}))};
}

/** What to do about it, for people; who serves keeps its blocks. */
export function differsText(resource: string, kib: number): string {
  return `${sizeText(kib)} of ${resource} are known to differ on the two nodes; on the node that does not serve: drbdadm disconnect ${resource}; drbdadm connect ${resource}`;
}

/** Any volume, towards any peer, in either direction. */
export function isSyncing(state: ResourceState): boolean {
  return state.peers.some((peer) => peer.volumes.some(isBusy));
}

/** What is left to synchronise now; undefined: nothing is synchronised, or it is not known. */
export function sampleOf(state: ResourceState, monoMs: number): SyncSample | undefined {
  const lefts = state.peers.flatMap((peer) => peer.volumes.filter(isBusy).map((each) => each.outOfSyncKib));
  const known = lefts.filter((each) => each !== undefined);
  const leftKib = known.reduce((sum, each) => sum + each, 0);
  // Before the bitmaps are exchanged nothing is out of sync yet.
  return leftKib === 0 ? undefined : {monoMs, leftKib};
}

/** The samples of one synchronisation; more left than before means that another one began. */
export function withSample(samples: readonly SyncSample[], next: SyncSample | undefined): readonly SyncSample[] {
  if (next === undefined) return [];
  const last = samples.at(-1);
  if (last !== undefined && next.leftKib > last.leftKib) return [next];
  const recent = samples.filter((each) => next.monoMs - each.monoMs <= WINDOW_MS && each.monoMs < next.monoMs);
  return [...recent, next].slice(-SAMPLES_MAX);
}

function isBusy(volume: PeerVolumeState): boolean {
  return !IDLE.includes(volume.replication);
}

/** 8.4 has one peer, without a name; with DRBD 9 the connection is named after the node. */
function peerIn({peers}: ResourceState, name: string | undefined): PeerState | undefined {
  return peers.find((each) => each.name.toLowerCase() === name) ?? (peers.length === 1 ? peers[0] : undefined);
}

/** DISK_STATES goes from bad to good, but for the last, which nobody knows. */
function worst(disks: readonly (typeof DISK_STATES)[number][]): string {
  if (disks.length === 0) return 'Diskless';
  if (disks.includes('Unknown')) return 'Unknown';
  return DISK_STATES.find((each) => disks.includes(each)) ?? 'Unknown';
}

function barOf(state: ResourceState): DiskBar | undefined {
  const judged = judgePromotion(state);
  if (judged.verdict === 'wait' && judged.code === 'peer-primary') {
    return {code: judged.code, text: `${state.name} is Primary on the other node, and connected`};
  }
  if (judged.verdict !== 'refuse') return undefined;
  const {code} = judged;
  switch (code) {
    case 'outdated':
      return {code, text: `the disk of ${state.name} is Outdated here: the other node went on writing`};
    case 'unproven':
      return {
        code,
        text: `the disk of ${state.name} is ${worst(state.volumes.map((each) => each.disk))} here: the other node may have gone on writing, and was not met since`,
      };
    case 'inconsistent':
      return {code, text: `the disk of ${state.name} is Inconsistent here: its synchronisation did not end`};
    case 'sync-target':
      return {code, text: `${state.name} is being synchronised from the other node`};
    case 'no-disk':
      return {code, text: `${state.name} has no disk here (${worst(state.volumes.map((each) => each.disk))})`};
    case 'unknown':
      // Not knowing bars nothing: the agent looks itself.
      return undefined;
  }
}

function peerBarOf(state: ResourceState, peer: PeerState | undefined): DiskBar | undefined {
  // Several copies elsewhere, and none is named after the other node: which is its own is not known.
  if (peer === undefined && state.peers.length > 1) return undefined;
  const connection = peer === undefined ? 'StandAlone' : linkOf(peer);
  if (peer === undefined || connection !== 'Connected') {
    const disk = peer === undefined ? '' : worst(peer.volumes.map((each) => each.disk));
    const copy = disk === '' || disk === 'DUnknown' || disk === 'Unknown' ? 'may be old' : `is ${disk}`;
    return {
      code: 'not-connected',
      text: `${state.name} is not connected (${connection}), so the copy there ${copy}`,
    };
  }
  if (peer.volumes.some((each) => SOURCE.includes(each.replication))) {
    return {code: 'sync-source', text: `${state.name} is still being synchronised to it`};
  }
  const disk = worst(peer.volumes.map((each) => each.disk));
  if (disk !== 'UpToDate') return {code: 'peer-disk', text: `the copy of ${state.name} there is ${disk}`};
  const differing = differsKib(state, peer?.name.toLowerCase());
  return differing === undefined ? undefined : {code: 'differs', text: differsText(state.name, differing)};
}

function progressOf(state: ResourceState, samples: readonly SyncSample[]): DiskProgress | undefined {
  const busy = state.peers.flatMap((peer) => peer.volumes.filter(isBusy));
  const percents = busy.map((each) => each.donePercent).filter((each) => each !== undefined);
  const last = samples.at(-1);
  if (last === undefined) return undefined;
  const speedKibS = speedOf(samples);
  return {
    percent: percents.length === 0 ? undefined : Math.min(...percents),
    leftKib: last.leftKib,
    speedKibS,
    etaS: speedKibS === undefined || speedKibS === 0 ? undefined : Math.ceil(last.leftKib / speedKibS),
  };
}

function speedOf(samples: readonly SyncSample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.monoMs - first.monoMs < 500) return undefined;
  return Math.round(((first.leftKib - last.leftKib) / (last.monoMs - first.monoMs)) * 1000);
}

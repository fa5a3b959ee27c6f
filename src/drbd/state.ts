// What DRBD says of one resource, in the words of DRBD 9; the parsers beside this file turn every older form into it. A
// word that nobody here knows becomes `Unknown`, and no judgement ever takes `Unknown` for something good.

import {SETTLED} from '../model/disk.js';

export const DISK_STATES = [
  'Diskless',
  'Attaching',
  'Detaching',
  'Failed',
  'Negotiating',
  'Inconsistent',
  'Outdated',
  'DUnknown',
  'Consistent',
  'UpToDate',
  'Unknown',
] as const;
export type DiskState = (typeof DISK_STATES)[number];

export const ROLES = ['Primary', 'Secondary', 'Unknown'] as const;
export type Role = (typeof ROLES)[number];

export const CONNECTIONS = [
  'StandAlone',
  'Disconnecting',
  'Unconnected',
  'Timeout',
  'BrokenPipe',
  'NetworkFailure',
  'ProtocolError',
  'TearDown',
  'Connecting',
  'Connected',
  'Unknown',
] as const;
export type Connection = (typeof CONNECTIONS)[number];

export const REPLICATIONS = [
  'Off',
  'Established',
  'StartingSyncS',
  'StartingSyncT',
  'WFBitMapS',
  'WFBitMapT',
  'WFSyncUUID',
  'SyncSource',
  'SyncTarget',
  'VerifyS',
  'VerifyT',
  'PausedSyncS',
  'PausedSyncT',
  'Ahead',
  'Behind',
  'Unknown',
] as const;
export type Replication = (typeof REPLICATIONS)[number];

export interface VolumeState {
  readonly volume: number;
  readonly minor: number | undefined;
  readonly disk: DiskState;
  /** Since the minor was made, also for the other node; missing where no statistics were printed. */
  readonly writtenKib?: number;
}

export interface PeerVolumeState {
  readonly volume: number;
  readonly replication: Replication;
  readonly disk: DiskState;
  readonly outOfSyncKib: number | undefined;
  /** Of this resynchronisation or of the device, as the source prints it; undefined when none runs. */
  readonly donePercent: number | undefined;
  /** Data that came from the peer, since the minor was made; missing where no statistics were printed. */
  readonly receivedKib?: number;
}

export interface PeerState {
  /** DRBD 8.4 has one peer and calls it `peer`. */
  readonly name: string;
  readonly connection: Connection;
  readonly role: Role;
  readonly volumes: readonly PeerVolumeState[];
}

export interface ResourceState {
  readonly name: string;
  readonly role: Role;
  /** Input and output are frozen, by fencing, a lost quorum or an administrator. */
  readonly isSuspended: boolean;
  /** DRBD calls the disk good, but nobody here could have been told otherwise (runtime/drbd/unproven.ts). */
  readonly isUnproven?: boolean;
  readonly volumes: readonly VolumeState[];
  /** Empty where the connection was taken down (StandAlone forgets its peer in some outputs). */
  readonly peers: readonly PeerState[];
}

export const diskState = (word: string | undefined): DiskState => known(DISK_STATES, word);
export const roleOf = (word: string | undefined): Role => known(ROLES, word);
export const replicationOf = (word: string | undefined): Replication => known(REPLICATIONS, word);
/** 8.4 says WFConnection where 9 says Connecting; WFReportParams is the handshake, before which nothing is agreed. */
export const connectionOf = (word: string | undefined): Connection =>
  word === 'WFConnection' || word === 'WFReportParams' ? 'Connecting' : known(CONNECTIONS, word);

function known<T extends string>(words: readonly T[], word: string | undefined): T | 'Unknown' {
  return words.find((each) => each === word) ?? 'Unknown';
}

/**
 * The two have agreed on who has the newer data, of every volume. DRBD says Connected from the first byte of the handshake on, in
 * which a split brain is found and which may end with nothing agreed.
 */
export function isMet({connection, volumes}: PeerState): boolean {
  const isAgreed = volumes.every(({replication}) => replication !== 'Off' && replication !== 'Unknown');
  return connection === 'Connected' && volumes.length > 0 && isAgreed;
}

/** Blocks are on their way from one copy to the other, or wait to be. */
export function isUnderWay(replication: Replication): boolean {
  return !['Off', 'Unknown', ...SETTLED].includes(replication);
}

export function hasMet(state: ResourceState): boolean {
  return state.peers.some(isMet);
}

/** `Connected` only after the handshake. */
export function linkOf(peer: PeerState): Connection {
  return peer.connection === 'Connected' && !isMet(peer) ? 'Connecting' : peer.connection;
}

/** The two values of 8.4's one connection state: everything past the handshake is `Connected` plus a replication. */
export function splitConnectionState(word: string): {
  readonly connection: Connection;
  readonly replication: Replication;
} {
  if (word === 'Connected') return {connection: 'Connected', replication: 'Established'};
  const replication = replicationOf(word);
  if (replication !== 'Unknown' && replication !== 'Off') return {connection: 'Connected', replication};
  return {connection: connectionOf(word), replication: 'Off'};
}

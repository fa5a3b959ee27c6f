// What a manager tells the messaging process before anything else: all it needs, so that nothing there is hard-wired and it
// reads no configuration file. A restarted manager, adopted over a fresh socket, says hello instead.

import {readFileSync} from 'node:fs';
import {isIPv4} from 'node:net';
import type {ManagerToMessaging} from '../model/channel.js';
import type {ClusterConfig, Keyring, Medium} from '../model/config.js';
import type {MessagingStart} from '../model/messaging.js';
import {messagingMark} from './config-diff.js';
import type {DeviceSocket} from './links/device-sockets.js';
import {linkNames} from './links/plan.js';

/** Who to kill, should it hang; the start time guards against a pid that was given to somebody else. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTime: string;
}

export interface MessagingCommands {
  /** Starts another manager that adopts the socket on descriptor 3, e.g. node .../manager-process.js --adopt. */
  readonly manager: readonly string[];
  /** Releases all resources without any manager; empty: there is none. */
  readonly emergency: readonly string[];
}

export interface MessagingBoot extends MessagingCommands {
  readonly type: 'boot';
  readonly self: ProcessIdentity;
  readonly start: MessagingStart;
  readonly keyring: Keyring;
  readonly media: readonly Medium[];
  readonly udpPort: number;
  readonly msgfmt: 'classic' | 'netstring';
  /** Absent: only where Heartbeat always compresses. */
  readonly compressAboveBytes?: number;
  /** Service addresses, which no link may bind. */
  readonly floating: readonly string[];
  readonly loopback?: string;
  readonly deviceSockets: readonly DeviceSocket[];
  /** We run with real-time priority: what is started from here must not. */
  readonly isRealtime: boolean;
  readonly crashDirectory: string;
}

export interface ManagerHello extends MessagingCommands {
  readonly type: 'hello';
  readonly self: ProcessIdentity;
}

/** Everything that comes down the channel. */
export type ManagerLine = MessagingBoot | ManagerHello | ManagerToMessaging;

export interface StartFacts {
  readonly generation: number;
  readonly uuid: string;
  readonly seed: number;
}

/** The part of the configuration that the messaging core needs. */
export function messagingStartOf(config: ClusterConfig, {generation, uuid, seed}: StartFacts): MessagingStart {
  const {ha} = config;
  return {
    node: ha.node,
    nodes: ha.nodes,
    pingNodes: [...new Set(ha.media.flatMap((each) => (each.kind === 'ping' ? [each.name] : [])))],
    links: linkNames(ha.media),
    generation,
    uuid,
    keepaliveMs: ha.keepaliveMs,
    warntimeMs: ha.warntimeMs,
    deadtimeMs: ha.deadtimeMs,
    initdeadMs: ha.initdeadMs,
    deadpingMs: ha.deadpingMs,
    maxRexmitDelayMs: ha.maxRexmitDelayMs,
    hopfudge: ha.hopfudge,
    seed,
    mark: messagingMark(config),
  };
}

/** Addresses that the groups move between the nodes: those of their IPaddr and IPaddr2 resources. */
export function floatingAddresses({groups}: ClusterConfig): readonly string[] {
  const resources = groups.flatMap((group) => group.resources).filter((each) => /^ipaddr/i.test(each.script));
  const words = resources.flatMap((each) => each.args.slice(0, 1));
  return [...new Set(words.map((each) => each.split('/')[0] ?? '').filter((each) => isIPv4(each)))];
}

/** undefined: no such process. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold blanks and parentheses itself; 20 fields follow it up to the start time.
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return startTime === undefined ? undefined : {pid, startTime};
  } catch {
    return undefined;
  }
}

/** Kills it with SIGKILL if it is still that process. False: it is not there any more. */
export function killProcess(process_: ProcessIdentity): boolean {
  if (identityOf(process_.pid)?.startTime !== process_.startTime) return false;
  try {
    process.kill(process_.pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

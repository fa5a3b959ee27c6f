// What the readers must know of the machine, handed in by the edge so that judging stays pure and testable.

import type {Resource} from '../model/resource.js';

export type AgentState = 'ok' | 'not-executable' | 'missing';

/** Looks for resource agents the way the runtime will find them. */
export interface AgentFinder {
  find(script: string): AgentState;
  /** All known names, for the nearest match; asked for only when one is missing. */
  names(): Iterable<string>;
}

export interface Facts {
  /** As `uname -n` or the nodeinfo file gives it; any case. */
  readonly nodeName: string;
  readonly interfaces: readonly {readonly name: string; readonly addresses: readonly string[]}[];
  /** Permission bits of authkeys; undefined when unknown. */
  readonly authkeysMode: number | undefined;
  readonly agents: AgentFinder;
  /** The link by which init starts what a resource stands for, when that is an init script or a systemd unit. */
  bootLink(resource: Resource): string | undefined;
  userExists(name: string): boolean;
  groupExists(name: string): boolean;
  isExecutable(path: string): boolean;
  /** Where a companion program of ours or of Heartbeat (ipfail, dopd) really is. */
  companion(name: string): string | undefined;
  /** A plugin that the fencer can call, e.g. `external/ipmi`. */
  isStonithType(type: string): boolean;
  isCharDevice(path: string): boolean;
  /** A stonith configuration file. */
  readText(path: string): string | undefined;
  /** The address of a name in /etc/hosts. */
  hostAddress(name: string): string | undefined;
  /** UDP port of the service ha-cluster in /etc/services. */
  servicePort(): number | undefined;
}

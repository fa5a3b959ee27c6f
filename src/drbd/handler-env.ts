// DRBD's handlers: which one is configured, and when the kernel calls it. What the handler itself does is in
// bin/drbd-peer-outdater.

import {handlerOf, hostsOf, resourceBlocks} from './conf.js';
import type {ShowBlock} from './show.js';

/** A line of `drbdsetup events2` that says the kernel calls a handler. */
export function helperCall(line: string): {readonly resource: string; readonly helper: string} | undefined {
  if (!/(^|Z |\d )call helper /.test(line)) return undefined;
  const [resource, helper] = ['name', 'helper'].map((key) => new RegExp(`\\b${key}:(\\S+)`).exec(line)?.[1]);
  return resource === undefined || helper === undefined ? undefined : {resource, helper};
}

export interface FenceHandler {
  /** The command line of `fence-peer`. */
  readonly command: string;
  /** The other hosts of the resource. */
  readonly peers: readonly string[];
}

/** From `drbdadm dump`: the fence-peer handler of each resource that has one. */
export function fenceHandlers(dump: ShowBlock, node: string): Readonly<Record<string, FenceHandler>> {
  const found = resourceBlocks(dump).flatMap(([name, block]): [string, FenceHandler][] => {
    const command = handlerOf(block, dump);
    const peers = hostsOf(block).filter((host) => host.toLowerCase() !== node.toLowerCase());
    return command === undefined ? [] : [[name, {command, peers}]];
  });
  return Object.fromEntries(found);
}

/** May dopd begin before the handler has asked? Only for our own handler, and where there is no choice of peers. */
export function calledPeer(handler: FenceHandler | undefined): string | undefined {
  const program = handler?.command.trim().split(/\s+/)[0] ?? '';
  const [peer, ...others] = handler?.peers ?? [];
  return program.split('/').pop() === 'drbd-peer-outdater' && others.length === 0 ? peer : undefined;
}

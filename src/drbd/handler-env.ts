// DRBD's handlers: which one is configured, and when the kernel calls it. What the handler itself does is in
// bin/drbd-peer-outdater.

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
  const common = handlerIn(dump.blocks.find((block) => block.name === 'common'));
  const found = dump.blocks.flatMap((block): [string, FenceHandler][] => {
    const name = /^resource "?([^"\s]+)"?$/.exec(block.name)?.[1];
    const command = handlerIn(block) ?? common;
    if (name === undefined || command === undefined) return [];
    const hosts = block.blocks.flatMap((each) => /^on (.+)$/.exec(each.name)?.[1]?.split(/\s+/) ?? []);
    return [[name, {command, peers: hosts.filter((host) => host.toLowerCase() !== node.toLowerCase())}]];
  });
  return Object.fromEntries(found);
}

function handlerIn(block: ShowBlock | undefined): string | undefined {
  return block?.blocks.find((each) => each.name === 'handlers')?.values['fence-peer'];
}

/** May dopd begin before the handler has asked? Only for our own handler, and where there is no choice of peers. */
export function calledPeer(handler: FenceHandler | undefined): string | undefined {
  const program = handler?.command.trim().split(/\s+/)[0] ?? '';
  const [peer, ...others] = handler?.peers ?? [];
  return program.split('/').pop() === 'drbd-peer-outdater' && others.length === 0 ? peer : undefined;
}

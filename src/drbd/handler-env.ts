// DRBD's handlers: which one is configured, when the kernel calls it, and the environment that it runs in. 8.4 gives DRBD_PEER and
// DRBD_PEERS, 9 only DRBD_PEERS or, called for one connection, DRBD_PEER_NODE_ID with a name for each id in DRBD_NODE_ID_n.

import type {ShowBlock} from './show.js';

/** The host name of the peer that the handler is about; undefined: none, or more than one. */
export function peerFromEnvironment(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const byId = env[`DRBD_NODE_ID_${env['DRBD_PEER_NODE_ID'] ?? ''}`];
  if (byId) return byId;
  if (env['DRBD_PEER']) return env['DRBD_PEER'];
  const names = (env['DRBD_PEERS'] ?? '').split(/\s+/).filter((name) => name !== '');
  if (names.length > 0) return names.length === 1 ? names[0] : undefined;
  // All that some versions of 9 say: who is who. Of two nodes the other one is meant.
  const mine = `DRBD_NODE_ID_${env['DRBD_MY_NODE_ID']}`;
  const others = Object.keys(env).filter((key) => /^DRBD_NODE_ID_\d+$/.test(key) && key !== mine && env[key]);
  return env[mine] && others.length === 1 ? env[others[0] ?? ''] : undefined;
}

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

// From the media lines of ha.cf and the addresses of this moment to sockets: which address each link binds, whom it sends to,
// with which time to live. Pure, so every rule of wire-protocol.md 6 is tested without a network. All media on one device
// are one link, as on the real daemon: a link is a device, and its state is whether the peer is heard there.

import type {Medium} from '../../model/config.js';
import {type LogRecord, log} from '../../model/log.js';
import {broadcastOf, type InterfaceAddress, isInSubnet, isLocalAddress} from './addresses.js';

export type IpMedium = Extract<Medium, {kind: 'ucast' | 'bcast' | 'mcast'}>;

/** One socket of a link. `address` undefined: opened elsewhere, bound to the device, address any. */
export interface SocketPlan {
  readonly kind: 'ucast' | 'bcast' | 'mcast';
  readonly device: string;
  readonly port: number;
  readonly address: string;
  /** Where a packet of this link is sent through this socket. */
  readonly targets: readonly string[];
  /** 1 for peers in the device's own subnet: a router then drops what strays. undefined: the system's default. */
  readonly ttl: number | undefined;
  /** The device has no address now; only a device-bound socket can do without. */
  readonly isUnaddressed?: boolean;
  /** mcast only. */
  readonly interfaceAddress?: string;
  readonly loop?: boolean;
}

export interface PlanInput {
  readonly media: readonly Medium[];
  readonly udpPort: number;
  readonly interfaces: readonly InterfaceAddress[];
  /** SYSTOLE_LOOPBACK: the address this node has on device lo. */
  readonly loopback?: string | undefined;
  /** Service addresses: they move to the other node, so no link may bind one. */
  readonly floating?: readonly string[];
  /** The link has a socket bound to its device, which needs no address. */
  readonly hasDeviceSocket?: boolean;
}

export function isIpMedium(medium: Medium): medium is IpMedium {
  return medium.kind === 'ucast' || medium.kind === 'bcast' || medium.kind === 'mcast';
}

/** Link names in ha.cf order, each once; this is MessagingStart.links. */
export function linkNames(media: readonly Medium[]): readonly string[] {
  return [...new Set(media.filter(isIpMedium).map((each) => each.device))];
}

/** The sockets of one link; empty while its device has no usable address. */
export function planLink(device: string, input: PlanInput): readonly SocketPlan[] {
  const own = ownAddresses(device, input);
  const media = input.media.filter(isIpMedium).filter((each) => each.device === device);
  const peers = media.filter((each) => each.kind === 'ucast').map((each) => each.host);
  const targets = [...new Set(peers)].filter((each) => !isLocalAddress(each, input.interfaces, input.loopback));
  const plans: SocketPlan[] = [];
  if (media.some((each) => each.kind === 'ucast')) plans.push(...planUnicast(device, targets, own, input));
  if (media.some((each) => each.kind === 'bcast')) plans.push(...planBroadcast(device, own, input));
  for (const medium of media) {
    const address = own[0]?.address;
    if (medium.kind !== 'mcast' || address === undefined) continue;
    const {group, port, ttl, loop} = medium;
    const plan = {
      kind: 'mcast',
      device,
      port,
      address: group,
      targets: [group],
      ttl,
      interfaceAddress: address,
      loop,
    } as const;
    if (!plans.some((each) => each.address === plan.address && each.port === plan.port)) plans.push(plan);
  }
  return plans;
}

function ownAddresses(device: string, input: PlanInput): readonly InterfaceAddress[] {
  const {loopback} = input;
  if (device === 'lo' && loopback !== undefined) return [{device, address: loopback, netmask: '255.0.0.0'}];
  return input.interfaces.filter((each) => each.device === device && !input.floating?.includes(each.address));
}

const anyAddress = '0.0.0.0';

/** Peers may be in different subnets of one device: one socket for each address of ours that is needed to reach them. */
function planUnicast(
  device: string,
  targets: readonly string[],
  own: readonly InterfaceAddress[],
  input: PlanInput,
): readonly SocketPlan[] {
  const first =
    own[0] ?? (input.hasDeviceSocket === true ? {device, address: anyAddress, netmask: '255.255.255.255'} : undefined);
  if (first === undefined) return [];
  const sockets = new Map<string, {readonly at: InterfaceAddress; readonly targets: string[]}>();
  if (targets.length === 0) sockets.set(first.address, {at: first, targets: []});
  for (const target of targets) {
    const at = own.find((each) => isInSubnet(target, each)) ?? first;
    const socket = sockets.get(at.address) ?? {at, targets: []};
    socket.targets.push(target);
    sockets.set(at.address, socket);
  }
  return [...sockets.values()].map(({at, targets: reached}) => ({
    kind: 'ucast',
    device,
    port: input.udpPort,
    address: at.address,
    targets: reached,
    ...(at.address === anyAddress ? {isUnaddressed: true} : {}),
    ttl: reached.length > 0 && reached.every((each) => isInSubnet(each, at)) ? 1 : undefined,
  }));
}

function planBroadcast(device: string, own: readonly InterfaceAddress[], input: PlanInput): readonly SocketPlan[] {
  for (const each of own) {
    const address = device === 'lo' ? undefined : broadcastOf(each);
    if (address !== undefined)
      return [{kind: 'bcast', device, port: input.udpPort, address, targets: [address], ttl: 1}];
  }
  return [];
}

/** What an administrator should know before trusting these links. */
export function planWarnings(input: PlanInput): readonly LogRecord[] {
  const warnings: LogRecord[] = [];
  const names = linkNames(input.media);
  for (const [index, device] of names.entries()) {
    for (const other of names.slice(0, index)) {
      const shared = sharedSubnet(device, other, input);
      if (shared === undefined) continue;
      const text = `links ${other} and ${device} are in one subnet (${shared}): without a device bind both may use the same wire`;
      warnings.push(log('WARN', 'LINKS_SHARE_SUBNET', text, {link: device, other}));
    }
  }
  for (const medium of input.media) {
    if (isIpMedium(medium)) continue;
    if (medium.kind === 'ping') continue;
    const text = `${medium.kind} ${medium.device}: this kind of link is not supported by this version and is not used`;
    warnings.push(log('WARN', 'LINK_KIND_UNSUPPORTED', text, {link: medium.device}));
  }
  return warnings;
}

function sharedSubnet(one: string, two: string, input: PlanInput): string | undefined {
  const [left, right] = [ownAddresses(one, input), ownAddresses(two, input)];
  return left.find((each) => right.some((other) => isInSubnet(other.address, each) || isInSubnet(each.address, other)))
    ?.address;
}

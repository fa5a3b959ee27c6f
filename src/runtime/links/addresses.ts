// What the kernel says about interfaces, and IPv4 arithmetic. `readInterfaces` asks for a netlink dump, which may wait for
// a driver that holds the kernel's configuration lock; so it is called when a link opens or fails, never in steady state.
// `readDevice` reads two sysfs attributes that take no such lock.

import {readFileSync} from 'node:fs';
import {isIPv4} from 'node:net';
import {networkInterfaces} from 'node:os';

export interface InterfaceAddress {
  readonly device: string;
  readonly address: string;
  readonly netmask: string;
}

/** All IPv4 addresses in the kernel's order; only of interfaces that are up. */
export function readInterfaces(): readonly InterfaceAddress[] {
  const found: InterfaceAddress[] = [];
  // A labelled alias (eth0:1) belongs to its device.
  for (const [name, entries] of Object.entries(networkInterfaces()))
    for (const entry of entries ?? [])
      if (entry.family === 'IPv4')
        found.push({device: name.replace(/:.*$/, ''), address: entry.address, netmask: entry.netmask});
  return found;
}

export interface DeviceState {
  /** undefined: no such device. */
  readonly index: number | undefined;
  /** False only when the kernel is sure: cable out, switched off, gone. Some drivers never say anything but `unknown`. */
  readonly hasCarrier: boolean;
}

export function readDevice(device: string): DeviceState {
  try {
    const index = Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'latin1'));
    const state = readFileSync(`/sys/class/net/${device}/operstate`, 'latin1').trim();
    return {index, hasCarrier: state !== 'down' && state !== 'lowerlayerdown' && state !== 'notpresent'};
  } catch {
    return {index: undefined, hasCarrier: false};
  }
}

export function parseIPv4(address: string): number | undefined {
  if (!isIPv4(address)) return undefined;
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function formatIPv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

export function isInSubnet(address: string, subnet: InterfaceAddress): boolean {
  const [one, two, mask] = [parseIPv4(address), parseIPv4(subnet.address), parseIPv4(subnet.netmask)];
  if (one === undefined || two === undefined || mask === undefined) return false;
  return (one & mask) === (two & mask);
}

/** The highest address of the subnet; undefined for /31 and /32, which have none. */
export function broadcastOf(subnet: InterfaceAddress): string | undefined {
  const [address, mask] = [parseIPv4(subnet.address), parseIPv4(subnet.netmask)];
  if (address === undefined || mask === undefined || ~mask >>> 0 < 3) return undefined;
  return formatIPv4((address | ~mask) >>> 0);
}

/** Embedded clusters and tests: every 127/8 address is local to the kernel, so the node says which one it is. */
export function isLocalAddress(
  address: string,
  interfaces: readonly InterfaceAddress[],
  loopback: string | undefined,
): boolean {
  if (loopback !== undefined && address.startsWith('127.')) return address === loopback;
  return interfaces.some((each) => each.address === address) || (loopback === undefined && address.startsWith('127.'));
}

// Sockets bound to a device. A socket bound to an address only is not bound to the device: with its interface down and a
// default route elsewhere, "its" traffic goes on over another wire, unnoticed (dependencies.md section 3). Node cannot set
// SO_BINDTODEVICE, so a few lines of perl, run before the messaging process in the same pid, open the sockets, leave
// them as inherited descriptors, and exec the real command. Descriptor numbers are fixed beforehand: firstDescriptor, +1, ...
// A socket that cannot be made is left closed; messaging then falls back to an address-bound one and says so.

import {accessSync, constants} from 'node:fs';
import type {Medium} from '../../model/config.js';
import {isIpMedium} from './plan.js';

/** 0..2 standard, 3 the channel. */
export const firstDescriptor = 4;
const perl = '/usr/bin/perl';

/** One inherited socket: `any` takes unicast and broadcast of the device, otherwise a multicast group. */
export interface DeviceSocket {
  readonly descriptor: number;
  readonly device: string;
  /** Bound address: 0.0.0.0 or the group. */
  readonly address: string;
  readonly port: number;
}

/** Which sockets the launcher shall open; none on lo, which has no other wire to stray to. */
export function deviceSocketsOf(media: readonly Medium[], udpPort: number): readonly DeviceSocket[] {
  const wanted = new Map<string, Omit<DeviceSocket, 'descriptor'>>();
  for (const medium of media) {
    if (!isIpMedium(medium) || medium.device === 'lo') continue;
    const {device} = medium;
    const [address, port] = medium.kind === 'mcast' ? [medium.group, medium.port] : ['0.0.0.0', udpPort];
    wanted.set(`${device} ${address} ${port}`, {device, address, port});
  }
  return [...wanted.values()].map((each, index) => ({descriptor: firstDescriptor + index, ...each}));
}

/** Perl is essential on Debian; binding to a device needs CAP_NET_RAW, which root has. */
export function canBindToDevice(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    accessSync(perl, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The command that opens these sockets and becomes `command`. */
export function withDeviceSockets(sockets: readonly DeviceSocket[], command: readonly string[]): readonly string[] {
  if (sockets.length === 0) return command;
  const words = sockets.map((each) => `${each.descriptor},${each.device},${each.address},${each.port}`);
  return [perl, '-e', launcher, ...words, '--', ...command];
}

// Numbers: SOL_SOCKET 1, SO_REUSEADDR 2, SO_BROADCAST 6, SO_BINDTODEVICE 25, SO_RCVBUFFORCE 33; AF_INET 2, SOCK_DGRAM 2.
// $^F above the descriptors keeps them open over exec. Only multicast may share its port: on a unicast port a second
// daemon has to fail. sockaddr_in is packed by hand, because Socket.pm is not in every perl-base.
const launcher = `
use strict; $^F = 250; my @held;
while (@ARGV and (my $word = shift @ARGV) ne '--') {
  my ($want, $device, $address, $port) = split /,/, $word;
  my $shared = $address eq '0.0.0.0' ? 0 : 1;
  my $name = pack('S n C4 x8', 2, $port, split(/\\./, $address));
  my $socket;
  my $made = socket($socket, 2, 2, 0)
    && setsockopt($socket, 1, 25, pack('Z16', $device))
    && (!$shared || setsockopt($socket, 1, 2, pack('i', 1)))
    && setsockopt($socket, 1, 6, pack('i', 1))
    && bind($socket, $name);
  if (!$made) { warn "cannot bind a socket to device $device, $address:$port: $!\\n"; next }
  setsockopt($socket, 1, 33, pack('i', 1048576));
  push @held, $socket;
  next if fileno($socket) == $want;
  require POSIX; POSIX::dup2(fileno($socket), $want); close(pop @held);
}
exec { $ARGV[0] } @ARGV or die "cannot run $ARGV[0]: $!\\n";
`;

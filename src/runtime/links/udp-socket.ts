// One UDP socket of a link: open, send, receive, close. It uses dgram-as-promised for bind, send and close only; receiving
// through it loses packets, and its own error listener keeps a late error and throws it at the next, unrelated send
// (dependencies.md section 3), so that listener is removed. It promises that errors never leave as exceptions, that no
// name is looked up on the send path, and that a stalled device costs a bounded queue, not memory.

import {DgramAsPromised} from 'dgram-as-promised';
import type {SocketPlan} from './plan.js';

export interface UdpSocketHandlers {
  readonly onPacket: (bytes: Buffer, from: string) => void;
  readonly onError: (error: Error) => void;
  readonly onSent: () => void;
}

export interface UdpSocket {
  send(bytes: Buffer): void;
  /** Other targets, another interface address: for a socket that outlives a change of addresses. */
  aim(plan: SocketPlan): void;
  close(): Promise<void>;
}

/** Packets waiting in Node for a device that does not take them; a keepalive that waited longer is worth nothing. */
const sendQueueMax = 64;
const receiveBufferBytes = 1024 * 1024;

export interface BindOptions {
  /** A socket that was bound to its device elsewhere. */
  readonly descriptor: number | undefined;
  /** Sockets of other devices hold the port on any address; libuv has marked those as willing to share. */
  readonly sharesPort: boolean;
}

/** Rejects when the address or port cannot be bound. */
export async function openUdpSocket(
  first: SocketPlan,
  {descriptor, sharesPort}: BindOptions,
  handlers: UdpSocketHandlers,
): Promise<UdpSocket> {
  let plan = first;
  const socket = DgramAsPromised.createSocket({
    type: 'udp4',
    // Otherwise never on a unicast port: the kernel would hand every packet to the newer socket, in silence.
    reuseAddr: plan.kind === 'mcast' || sharesPort,
    lookup: (host, _options, done) => done(null, host, 4),
  });
  const raw = socket.socket;
  raw.on('error', handlers.onError);
  raw.on('message', (bytes, from) => handlers.onPacket(bytes, from.address));
  try {
    if (descriptor === undefined) await socket.bind({port: plan.port, address: plan.address, exclusive: true});
    else await socket.bind({fd: descriptor, exclusive: true});
    socket.destroy(); // Only takes its own listeners off; the socket stays open.
    configure(socket, plan, descriptor);
  } catch (error) {
    await socket.close().catch(() => undefined);
    throw error;
  }
  return {
    send(bytes) {
      if (raw.getSendQueueCount() > sendQueueMax) {
        handlers.onError(new Error('ENOBUFS: the device takes no packets'));
        return;
      }
      for (const target of plan.targets)
        void socket.send(bytes, plan.port, target).then(handlers.onSent, handlers.onError);
    },
    aim(next) {
      if (plan.kind === 'mcast' && plan.interfaceAddress !== next.interfaceAddress) rejoin(socket, plan, next);
      plan = next;
    },
    close: () => socket.close().catch(() => undefined),
  };
}

type Socket = ReturnType<typeof DgramAsPromised.createSocket>;

function rejoin(socket: Socket, old: SocketPlan, next: SocketPlan): void {
  try {
    socket.dropMembership(old.address, old.interfaceAddress);
  } catch {
    // The kernel dropped it with the address.
  }
  socket.setMulticastInterface(next.interfaceAddress ?? '0.0.0.0');
  socket.addMembership(next.address, next.interfaceAddress);
}

function configure(socket: Socket, plan: SocketPlan, descriptor: number | undefined): void {
  if (plan.kind === 'bcast' || descriptor !== undefined) socket.setBroadcast(true);
  if (plan.kind === 'mcast') {
    socket.setMulticastInterface(plan.interfaceAddress ?? '0.0.0.0');
    socket.setMulticastTTL(plan.ttl ?? 1);
    socket.setMulticastLoopback(plan.loop === true);
    socket.addMembership(plan.address, plan.interfaceAddress);
  } else if (plan.ttl !== undefined && descriptor === undefined) socket.setTTL(plan.ttl);
  // The kernel cuts it down to its own limit without an error; a launcher that runs as root has set it already.
  if (descriptor === undefined) socket.setRecvBufferSize(receiveBufferBytes);
}

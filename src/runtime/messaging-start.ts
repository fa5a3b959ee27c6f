// The manager's side of the messaging process: starts it, or takes over one that started us. Both give a channel. The process
// gets descriptor 3, one end of a socket pair, and its boot message as the first line; with root and perl its link
// sockets are bound to their devices before it runs. It is never waited for: its end is a call of onExit.

import assert from 'node:assert/strict';
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {Socket} from 'node:net';
import type {Duplex} from 'node:stream';
import {fileURLToPath} from 'node:url';
import type {ManagerToMessaging, MessagingToManager} from '../model/channel.js';
import {type Channel, type ChannelHandlers, openChannel} from './channel.js';
import {daemonEnv} from './daemon-env.js';
import {canBindToDevice, type DeviceSocket, deviceSocketsOf, withDeviceSockets} from './links/device-sockets.js';
import {
  identityOf,
  type ManagerHello,
  type ManagerLine,
  type MessagingBoot,
  type MessagingCommands,
} from './messaging-boot.js';

/** What the caller decides; the rest of the boot message is filled in here. */
export type BootOptions = Omit<MessagingBoot, 'type' | 'self' | 'deviceSockets' | 'isRealtime'>;

export interface StartMessagingOptions {
  readonly boot: BootOptions;
  /** ha.cf realtime and rtprio; undefined: normal priority. Ignored, with isRealtime false, where it is not permitted. */
  readonly realtimePriority: number | undefined;
  /** Put before the whole command, e.g. to enter a network namespace. */
  readonly launcher?: readonly string[];
  /** False: bind link sockets to addresses even where a device bind is possible. */
  readonly bindToDevice?: boolean;
  /** Where its last-resort lines and V8's own go. Never a pipe: a full one would stop the keepalives. */
  readonly stderr?: number | 'inherit' | 'ignore';
  readonly handlers: ChannelHandlers<MessagingToManager>;
  readonly onExit: (status: number | null, signal: NodeJS.Signals | null) => void;
}

export interface StartedMessaging {
  readonly channel: Channel<ManagerToMessaging>;
  readonly child: ChildProcess;
  readonly isRealtime: boolean;
  readonly deviceSockets: readonly DeviceSocket[];
}

const script = fileURLToPath(new URL('../../bundle/messaging-process.cjs', import.meta.url));

export function startMessagingProcess(options: StartMessagingOptions): StartedMessaging {
  const {boot, realtimePriority} = options;
  const isRealtime = realtimePriority !== undefined && maySchedule(realtimePriority);
  const isBound = options.bindToDevice !== false && canBindToDevice();
  const deviceSockets = isBound ? deviceSocketsOf(boot.media, boot.udpPort) : [];
  // The memory reducer collects the whole heap whenever we are idle, which is always: a sixth of our processor time, and
  // pauses, for no memory worth having.
  const flags = ['--single-threaded-gc', '--no-memory-reducer', '--enable-source-maps'];
  const plain = [process.execPath, ...flags, script];
  const [file, ...args] = [...(options.launcher ?? []), ...withDeviceSockets(deviceSockets, plain)];
  assert(file !== undefined);
  const child = spawn(file, args, {
    stdio: ['ignore', 'ignore', options.stderr ?? 'inherit', 'pipe'],
    env: daemonEnv(process.env),
    cwd: '/',
  });
  child.on('error', () => options.onExit(null, null));
  child.on('exit', options.onExit);
  const onMessage = (message: MessagingToManager): void => {
    if (message.type === 'ready' && isRealtime) raise(child, realtimePriority);
    options.handlers.onMessage(message);
  };
  const handlers = {...options.handlers, onMessage};
  const channel = openChannel<ManagerLine, MessagingToManager>(child.stdio[3] as Duplex, handlers);
  const self = identityOf(process.pid);
  assert(self !== undefined, 'a process finds itself in /proc');
  channel.send({type: 'boot', self, deviceSockets, isRealtime, ...boot});
  return {channel, child, isRealtime, deviceSockets};
}

/** For a manager started with --adopt: the socket on descriptor 3 leads to the messaging process that started it. */
export function adoptMessagingProcess(
  commands: MessagingCommands,
  handlers: ChannelHandlers<MessagingToManager>,
): Channel<ManagerToMessaging> {
  const channel = openChannel<ManagerLine, MessagingToManager>(
    new Socket({fd: 3, readable: true, writable: true}),
    handlers,
  );
  const self = identityOf(process.pid);
  assert(self !== undefined, 'a process finds itself in /proc');
  const hello: ManagerHello = {type: 'hello', self, manager: commands.manager, emergency: commands.emergency};
  channel.send(hello);
  return channel;
}

/**
 * Only now: loading a program takes seconds on a slow processor, and with the only one at real-time priority nobody else, the
 * manager least, would get on meanwhile. All its threads; what it starts gives the priority up again.
 */
function raise(child: ChildProcess, priority: number): void {
  const words = ['--all-tasks', '--rr', '--pid', String(priority), String(child.pid)];
  const running = spawn('chrt', words, {stdio: 'ignore', timeout: 10_000, killSignal: 'SIGKILL'});
  // That it may was tried before; it runs at normal priority until then, and without an end of this.
  running.on('error', () => undefined);
}

/** A container or an unprivileged user may not have it; then a node without it is better than no node. */
function maySchedule(priority: number): boolean {
  return spawnSync('chrt', ['-r', String(priority), 'true'], {stdio: 'ignore', timeout: 2000}).status === 0;
}

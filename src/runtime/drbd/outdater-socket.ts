// The socket at which DRBD's fence-peer helpers ask dopd, `HA_RUNDIR/dopd/outdater`: frames as on the client API, one message
// `t=outdater` in, one `t=outdater_rc` out (resource-engine.md 5.1), for our helper and for the original's binary. A helper
// that says nothing, too much or nonsense is disconnected and disturbs nobody.

import {chmodSync, mkdirSync, renameSync, unlinkSync} from 'node:fs';
import {createServer, type Server, type Socket} from 'node:net';
import {dirname} from 'node:path';
import {fieldOf, type Message, messageOf} from '../../model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../wire/api-frame.js';

const HELPERS_MAX = 128;
const SILENT_MS = 10_000;

export interface OutdaterServer {
  answer(client: number, value: number): void;
  /** Is it still there, without an answer? */
  waits(client: number): boolean;
  close(): void;
}

export interface OutdaterOptions {
  readonly path: string;
  readonly node: string;
  readonly onAsk: (client: number, ask: {readonly peer: string; readonly resource: string}) => void;
  readonly onLeave: (client: number) => void;
}

export async function serveOutdaters(options: OutdaterOptions): Promise<OutdaterServer> {
  const helpers = new Map<number, Socket>();
  let serial = 0;
  const server = createServer((socket) => {
    serial += 1;
    if (helpers.size >= HELPERS_MAX) socket.destroy();
    else attend(serial, socket, helpers, options);
  });
  await listen(server, options.path);
  return {
    answer: (client, value) => {
      const socket = helpers.get(client);
      if (!socket) return;
      helpers.delete(client);
      socket.end(encodeApiFrame(messageOf({t: 'outdater_rc', src: options.node, dop_value: String(value)})));
    },
    waits: (client) => helpers.has(client),
    close: () => {
      server.close();
      remove(options.path);
      for (const socket of helpers.values()) socket.destroy();
    },
  };
}

function attend(client: number, socket: Socket, helpers: Map<number, Socket>, options: OutdaterOptions): void {
  let state = EMPTY_API;
  let hasAsked = false;
  helpers.set(client, socket);
  const timer = setTimeout(() => !hasAsked && socket.destroy(), SILENT_MS);
  socket.on('data', (chunk: Buffer) => {
    const read = readApiFrames(state, chunk);
    state = read.state;
    const [message] = read.messages;
    if (message && !hasAsked) {
      hasAsked = true;
      take(message);
    } else if (read.fault) socket.destroy();
  });
  const take = (message: Message): void => {
    const [peer, resource] = [fieldOf(message, 'outdater_peer'), fieldOf(message, 'outdater_res')];
    if (fieldOf(message, 't') !== 'outdater' || peer === undefined || resource === undefined) socket.destroy();
    else options.onAsk(client, {peer, resource});
  };
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    clearTimeout(timer);
    if (helpers.delete(client)) options.onLeave(client);
  });
}

/**
 * The name appears when the socket is listened to, never before, and takes the place of what a killed dopd left: an original
 * helper that is refused here says "dead", and DRBD believes it. Whoever signed on as dopd is the one.
 */
async function listen(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), {recursive: true});
  const fresh = `${path}.new`;
  remove(fresh);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(fresh, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => {});
  // The kernel starts the helper as root; nobody else has business here.
  chmodSync(fresh, 0o600);
  renameSync(fresh, path);
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // None there.
  }
}

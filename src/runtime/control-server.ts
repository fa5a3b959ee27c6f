// The control socket: JSON lines of model/control.ts, one connection per command. Who may connect is decided by file
// modes (0660 root:haclient). Clients are bounded in number, in bytes, in open requests and in time; a client that sends garbage,
// never reads, or never ends its line costs one connection and nothing else. Every request gets exactly one reply, from the
// core or, when that takes too long, from here.

import {chownSync, lstatSync, mkdirSync, rmSync} from 'node:fs';
import {createServer, type Server, type Socket} from 'node:net';
import {dirname} from 'node:path';
import {parseRequestLine, REQUEST_BYTES_MAX} from '../control/request.js';
import type {ControlReply, ControlRequest} from '../model/control.js';
import {groupId} from './accounts.js';
import {createLineReader} from './line-reader.js';

export interface ControlServerOptions {
  readonly socketPath: string;
  readonly onRequest: (id: number, request: ControlRequest) => void;
  /** Ids are shared with other sources of requests (the FIFO), so that a reply finds its way. */
  readonly nextId: () => number;
  readonly clientsMax?: number;
  readonly requestsPerClientMax?: number;
  /** A client without an open request is dropped after this. */
  readonly idleMs?: number;
  /** Stopping a group may take minutes; a `standby` waits only for its acceptance. */
  readonly answerMs?: number;
}

export interface ControlServer {
  /** An id that is not, or no longer, waited for is ignored. */
  reply(id: number, reply: ControlReply): void;
  /** Lets replies on their way out finish, then closes everything and removes the socket file. */
  close(): Promise<void>;
}

const UNSENT_BYTES_MAX = 32 * 1024 * 1024;

export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const desk = new Desk(options);
  const server = createServer((socket) => desk.welcome(socket));
  server.maxConnections = options.clientsMax ?? 64;
  server.on('error', () => {});
  await listenPrivately(server, options.socketPath);
  return {
    reply: (id, reply) => desk.reply(id, reply),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await desk.close();
      await closed;
      rmSync(options.socketPath, {force: true});
    },
  };
}

/** The clients at the socket and the requests they wait for. */
class Desk {
  private readonly sockets = new Set<Socket>();
  private readonly waiting = new Map<number, {socket: Socket; clientId: number; timer: NodeJS.Timeout}>();

  constructor(private readonly options: ControlServerOptions) {}

  welcome(socket: Socket): void {
    this.sockets.add(socket);
    const reader = createLineReader(REQUEST_BYTES_MAX, (line) => this.onLine(socket, line));
    socket.setTimeout(this.options.idleMs ?? 30_000, () => {
      if (this.openRequests(socket) === 0) socket.destroy();
    });
    socket.on('data', (chunk: Buffer) => {
      if (reader.push(chunk)) return;
      this.send(socket, 0, refusal('BAD_REQUEST', `a request line is at most ${REQUEST_BYTES_MAX} bytes`));
      socket.destroySoon();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.forget(socket));
  }

  reply(id: number, reply: ControlReply): void {
    const entry = this.waiting.get(id);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    this.waiting.delete(id);
    this.send(entry.socket, entry.clientId, reply);
  }

  async close(): Promise<void> {
    for (const id of [...this.waiting.keys()]) this.reply(id, refusal('SHUTTING_DOWN', 'the daemon is stopping'));
    const closed = [...this.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of this.sockets) socket.destroySoon();
    const timer = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy();
    }, 200);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  private onLine(socket: Socket, line: string): void {
    // Lines behind the one that ended the connection may still be in the same chunk.
    if (socket.destroyed || socket.writableEnded || line.trim() === '') return;
    const parsed = parseRequestLine(line);
    if (!parsed.ok) {
      this.send(socket, parsed.id, refusal('BAD_REQUEST', parsed.text));
    } else if (this.openRequests(socket) >= (this.options.requestsPerClientMax ?? 16)) {
      this.send(socket, parsed.id, refusal('TOO_MANY_REQUESTS', 'too many unanswered requests on one connection'));
    } else {
      this.accept(socket, parsed.id, parsed.request);
    }
  }

  private accept(socket: Socket, clientId: number, request: ControlRequest): void {
    const id = this.options.nextId();
    const answerMs = this.options.answerMs ?? 120_000;
    const timer = setTimeout(() => {
      this.reply(id, refusal('NO_ANSWER', `no answer within ${answerMs} ms; the request may still take effect`));
    }, answerMs);
    this.waiting.set(id, {socket, clientId, timer});
    this.options.onRequest(id, request);
  }

  private send(socket: Socket, id: number, reply: ControlReply): void {
    if (!socket.writable) return;
    socket.write(`${JSON.stringify({id, reply})}\n`);
    if (socket.writableLength > UNSENT_BYTES_MAX) socket.destroy();
  }

  private openRequests(socket: Socket): number {
    let count = 0;
    for (const entry of this.waiting.values()) if (entry.socket === socket) count += 1;
    return count;
  }

  private forget(socket: Socket): void {
    this.sockets.delete(socket);
    for (const [id, entry] of this.waiting) {
      if (entry.socket !== socket) continue;
      clearTimeout(entry.timer);
      this.waiting.delete(id);
    }
  }
}

function refusal(code: string, text: string): ControlReply {
  return {ok: false, code, text};
}

/** Listens with mode 0660 from the first instant on; a stale socket is removed, any other file is not. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), {recursive: true, mode: 0o755});
  if (lstatSync(path, {throwIfNoEntry: false})?.isSocket()) rmSync(path);
  const umask = process.umask(0o117);
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  // listen() on a path binds before it returns, so the umask covers exactly this file.
  server.listen(path);
  process.umask(umask);
  await listening;
  const gid = groupId('haclient');
  if (gid !== undefined && process.getuid?.() === 0) chownSync(path, 0, gid);
}

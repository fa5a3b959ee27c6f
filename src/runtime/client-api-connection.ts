// One connection of the client API: frames in, frames out, within bounds. A client that does not read is disconnected, and so is
// one whose frames are damaged or that does not sign on in time: the daemon never waits for a client.

import type {Socket} from 'node:net';
import {fieldOf, type Message} from '../model/message.js';
import {type ApiState, EMPTY_API, encodeApiFrame, readApiFrames} from '../wire/api-frame.js';
import {signalClient} from './client-api-auth.js';

const queueBytesMax = 1024 * 1024;
const signonTimeoutMs = 10_000;

export interface SignedOn {
  /** The client's name, or its pid for a casual one. */
  readonly id: string;
  readonly isCasual: boolean;
  readonly pid: number;
  readonly uid: number;
  readonly generation: number;
}

export class Connection {
  client: SignedOn | undefined;
  /** Treatment bits; 1: messages that were accepted. */
  filter = 1;
  signal = 0;
  private state: ApiState = EMPTY_API;
  private isClosed = false;
  private isPaused = false;
  /** What was read before the pause; one chunk of the socket at most. */
  private waiting: Message[] = [];
  private fault: string | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly socket: Socket,
    private readonly onMessage: (connection: Connection, message: Message) => void,
    private readonly onEnd: (connection: Connection, reason: string) => void,
  ) {
    this.timer = setTimeout(() => this.close('it did not sign on'), signonTimeoutMs);
    socket.on('data', (chunk: Buffer) => {
      if (this.isClosed) return;
      const read = readApiFrames(this.state, chunk);
      this.state = read.state;
      this.waiting.push(...read.messages);
      this.fault = read.fault;
      this.work();
    });
    socket.on('error', () => this.close('disconnect'));
    socket.on('end', () => this.close('disconnect'));
    socket.on('close', () => this.close('disconnect'));
  }

  signOn(client: SignedOn): void {
    clearTimeout(this.timer);
    this.client = client;
  }

  send(message: Message): void {
    if (this.isClosed) return;
    if (this.socket.writableLength > queueBytesMax) {
      this.close('it does not read its messages');
      return;
    }
    this.socket.write(encodeApiFrame(message));
  }

  /** A message of the cluster, by its treatment bits. */
  deliver(message: Message, treatment: number): void {
    if (this.client === undefined) return;
    const addressee = fieldOf(message, 'to_id');
    if (addressee !== undefined && addressee !== this.client.id) return;
    if ((treatment & (1 | this.filter)) === 0) return;
    this.send(message);
    if (this.signal !== 0 && !this.isClosed) signalClient(this.client.pid, this.signal);
  }

  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
    if (isPaused) this.socket.pause();
    else this.work();
  }

  /** Any message may pause or close. */
  private work(): void {
    let at = 0;
    const messages = this.waiting;
    this.waiting = [];
    while (at < messages.length && !this.isPaused && !this.isClosed) {
      const message = messages[at];
      at += 1;
      if (message !== undefined) this.onMessage(this, message);
    }
    // A message may have resumed us, and more be waiting for that reason: what was first stays first.
    this.waiting = [...messages.slice(at), ...this.waiting];
    if (this.isPaused || this.isClosed) return;
    if (this.fault !== undefined) this.close(`a damaged frame (${this.fault})`);
    else this.socket.resume();
  }

  close(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.timer);
    this.socket.destroySoon();
    this.onEnd(this, reason);
  }
}

// The embedded demo's client: one numbered row at a time, every wait bounded, reconnecting at once; remembers what was
// acknowledged, by whom, and the longest time without.

import {createConnection, type Socket} from 'node:net';

const answerMs = 500;

export class RowClient {
  readonly acknowledged: number[] = [];
  /** The node that acknowledged last. */
  by = '';
  readonly #address: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #next = 1;
  #lastMs = 0;
  #longestMs = 0;
  #writing = true;
  readonly #loop: Promise<void>;

  constructor(address: string, port: number) {
    this.#address = address;
    this.#port = port;
    this.#loop = this.#write();
  }

  get outageMs(): number {
    const lasting = this.#lastMs > 0 && this.#writing ? performance.now() - this.#lastMs : 0;
    return Math.max(this.#longestMs, lasting);
  }

  mark(): void {
    this.#longestMs = 0;
  }

  async stop(): Promise<void> {
    this.#writing = false;
    await this.#loop;
    this.#socket?.destroy();
  }

  async #write(): Promise<void> {
    while (this.#writing) {
      const row = this.#next;
      this.#next += 1;
      try {
        this.#socket ??= await this.#connect();
        this.by = await this.#send(this.#socket, row);
        const nowMs = performance.now();
        if (this.#lastMs > 0) this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
        this.#lastMs = nowMs;
        this.acknowledged.push(row);
      } catch {
        this.#socket?.destroy();
        this.#socket = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({host: this.#address, port: this.#port, noDelay: true});
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
    });
  }

  /** The name of the node that acknowledged. */
  #send(socket: Socket, row: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new Error('no answer'))), answerMs);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error');
        socket.on('error', () => {});
        act();
      };
      socket.once('data', (data) => settle(() => resolve(data.toString().trim().split(' ')[1] ?? '')));
      socket.once('close', () => settle(() => reject(new Error('closed'))));
      socket.once('error', (error) => settle(() => reject(error)));
      socket.write(`${row}\n`);
    });
  }
}

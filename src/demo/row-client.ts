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
  /** Settles the row under way: the node's name, or undefined when no answer will come. */
  #answered: (node: string | undefined) => void = () => {};
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
      socket.on('error', (error) => {
        reject(error);
        this.#answered(undefined);
      });
      socket.on('close', () => this.#answered(undefined));
      socket.on('data', (data) => this.#answered(data.toString().trim().split(' ')[1]));
    });
  }

  /** The name of the node that acknowledged. */
  async #send(socket: Socket, row: number): Promise<string> {
    const answer = new Promise<string | undefined>((resolve) => {
      this.#answered = resolve;
    });
    const timer = setTimeout(() => this.#answered(undefined), answerMs);
    socket.write(`${row}\n`);
    const node = await answer.finally(() => clearTimeout(timer));
    if (node === undefined) throw new Error('not acknowledged');
    return node;
  }
}

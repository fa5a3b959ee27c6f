// The host's end of the STONITH plug-in external/lab: a guest names the other one over its serial port `fence`, and that one's power
// is cut. A node without power can ask for nothing any more, so what it asked before counts for nothing: of two nodes that
// shoot at once, one is left. Promises: `off NODE` is answered only when that guest is off.

import {connect, type Socket} from 'node:net';
import {createInterface} from 'node:readline';
import type {Guest} from './guest.js';

export class PowerSwitch {
  readonly cuts: string[] = [];
  readonly #sockets = new Map<Guest, Socket>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly guests: readonly Guest[]) {
    // A guest that boots has a new port.
    this.#timer = setInterval(() => this.#connectAll(), 500);
    this.#connectAll();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #connectAll(): void {
    for (const guest of this.guests) {
      if (this.#sockets.has(guest) || !guest.isOn) continue;
      const socket = connect(`${guest.directory}/fence.sock`);
      this.#sockets.set(guest, socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(guest));
      createInterface({input: socket})
        .on('line', (line) => void this.#asked(guest, socket, line.trim()))
        .on('error', () => {});
    }
  }

  async #asked(asker: Guest, socket: Socket, name: string): Promise<void> {
    const target = this.guests.find((guest) => guest.name === name);
    if (!target || target === asker || !asker.isOn) return;
    const wasOn = target.isOn;
    // The kill itself is the first thing that powerCut does, before anything else can be asked.
    await target.powerCut();
    if (wasOn) this.cuts.push(name);
    socket.write(`off ${name}\n`);
  }
}

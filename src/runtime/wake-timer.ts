// One timer against an absolute monotonic deadline. setTimeout may fire a millisecond early and then is armed again; it
// drifts, so nothing is ever scheduled relative to a firing. After a stall, timers run before the sockets are read, and a
// core that looked only at the clock would call its peers dead: so the sockets get their turns first, until one turn
// brings nothing, within a bound.

import {monotonicMs} from './clock.js';

const timeoutMaxMs = 2 ** 31 - 1;
const lateMs = 20;
const turnsMax = 20;

export class WakeTimer {
  private timer: NodeJS.Timeout | undefined;
  private turn: NodeJS.Immediate | undefined;
  private deadlineMs = Number.POSITIVE_INFINITY;
  private reads = 0;
  private isClosed = false;

  constructor(private readonly onWake: () => void) {}

  arm(deadlineMs: number): void {
    // While the sockets are read first the wake-up is on its way already.
    if (this.isClosed || this.turn !== undefined || (this.timer !== undefined && deadlineMs === this.deadlineMs))
      return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.deadlineMs = deadlineMs;
    const delayMs = Math.max(0, Math.ceil(deadlineMs - monotonicMs()));
    this.timer = setTimeout(() => this.fired(), Math.min(delayMs, timeoutMaxMs));
  }

  /** Something was read from a socket: after a stall there may be more. */
  noteRead(): void {
    this.reads += 1;
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearImmediate(this.turn);
  }

  private fired(): void {
    this.timer = undefined;
    const late = monotonicMs() - this.deadlineMs;
    if (late < 0) this.arm(this.deadlineMs);
    else if (late < lateMs) this.onWake();
    else this.readFirst(turnsMax);
  }

  private readFirst(turns: number): void {
    const before = this.reads;
    // Immediates run after the poll phase, in which the sockets are read.
    this.turn = setImmediate(() => {
      this.turn = undefined;
      if (this.isClosed) return;
      if (this.reads > before && turns > 1) this.readFirst(turns - 1);
      else this.onWake();
    });
  }
}

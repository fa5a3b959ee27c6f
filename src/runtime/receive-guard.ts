// What a flood may cost. Every datagram has to be authenticated before it means anything, and refused ones are reported to
// the core; a sender of garbage must be able to buy neither the processor nor the log with it. Senders whose packets
// verified lately are served first: when opening packets took more than its share of the last period, those of unknown
// senders are dropped unread. A forged source address of a peer still costs, but no more than the network delivers: the
// kernel's receive buffer bounds it, and Node reads at most 32 packets of a socket before it looks at the timers.

import type {WireFault} from '../model/messaging.js';

const periodMs = 100;
/** Of each period, for packets of senders that proved nothing yet. */
const strangersShareMs = 30;
const knownMax = 64;
const knownForMs = 60_000;
/** Refused packets that the core hears of, a second and link; it logs one a minute for each peer anyway. */
const noisePerSecond = 5;

export class ReceiveGuard {
  /** Dropped unread, for the status and for tests. */
  unread = 0;
  private readonly known = new Map<string, number>();
  private periodStartMs = 0;
  private spentMs = 0;
  private noiseSecond = 0;
  private noise = new Map<string, number>();

  /** Whether a packet of this sender is to be opened now. */
  admits(from: string, nowMs: number): boolean {
    if (nowMs - this.periodStartMs >= periodMs) {
      this.periodStartMs = nowMs;
      this.spentMs = 0;
    }
    if (this.spentMs < strangersShareMs) return true;
    const provedMs = this.known.get(from);
    if (provedMs !== undefined && nowMs - provedMs < knownForMs) return true;
    this.unread += 1;
    return false;
  }

  /** What opening it took, and whether it verified. */
  opened(from: string, ok: boolean, tookMs: number, nowMs: number): void {
    this.spentMs += tookMs;
    if (!ok) return;
    if (!this.known.has(from) && this.known.size >= knownMax) this.known.delete(this.known.keys().next().value ?? '');
    this.known.set(from, nowMs);
  }

  /** Whether the core is to hear of this refused packet. */
  reports(link: string, fault: WireFault, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.noiseSecond) {
      this.noiseSecond = second;
      this.noise = new Map();
    }
    const key = `${link} ${fault}`;
    const count = (this.noise.get(key) ?? 0) + 1;
    this.noise.set(key, count);
    return count <= noisePerSecond;
  }
}

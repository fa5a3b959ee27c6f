// One link: the sockets of one device, kept open against everything that can happen to a device. It may assume that
// `check` is called about once a second. It promises that send never throws or waits, that a fault here touches no other
// link, and that what arrives while the device has no carrier is not taken for this link's traffic: a socket bound to an
// address only receives strays that came over another wire.
//
// What heals by itself (measured, dependencies.md section 3): interface down and up, the same address removed and added.
// What needs new sockets: another address, a device made anew (its index changes; multicast membership is lost).

import {type LogRecord, log} from '../../model/log.js';
import {monotonicMs} from '../clock.js';
import {type DeviceState, readDevice} from './addresses.js';
import {type Assigned, assignDescriptors} from './assign.js';
import type {DeviceSocket} from './device-sockets.js';
import {FaultLog} from './fault-log.js';
import type {SocketPlan} from './plan.js';
import {openUdpSocket, type UdpSocket} from './udp-socket.js';

export interface LinkOptions {
  readonly name: string;
  /** Reads the addresses afresh and plans this link's sockets; with a device-bound socket it needs no address. */
  readonly plan: (hasDeviceSocket: boolean) => readonly SocketPlan[];
  /** Sockets of this device that the launcher opened. */
  readonly inherited: readonly DeviceSocket[];
  /** Sockets bound to other devices hold the port on every address. */
  readonly hasBoundNeighbours: boolean;
  /** False: this multicast sender is in another link's subnet. Asked only for sockets not bound to the device. */
  readonly isOurs: (plan: SocketPlan, from: string) => boolean;
  readonly onPacket: (bytes: Buffer, from: string) => void;
  readonly onLog: (record: LogRecord) => void;
}

interface OpenSocket extends Assigned {
  readonly socket: UdpSocket;
}

const carrierAgeMaxMs = 250;
const retryMinMs = 250;
const retryMaxMs = 5000;
/** After these a fresh look at the addresses is worth its price. */
const addressFaults = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EINVAL', 'EPERM', 'ENETDOWN', 'EHOSTUNREACH']);

export class Link {
  readonly name: string;
  strays = 0;
  private sockets: OpenSocket[] = [];
  private inherited: readonly DeviceSocket[];
  private readonly faults: FaultLog;
  private device: DeviceState;
  private deviceReadMs: number;
  private openIndex: number | undefined;
  /** The launcher could not make our socket because the device was not there, or it was made anew since. */
  private sharesPort: boolean;
  private suspect: 'no' | 'address' | 'device' = 'no';
  private retryMs = retryMinMs;
  private nextTryMs = 0;
  private isBusy = false;
  private isClosed = false;

  constructor(private readonly options: LinkOptions) {
    this.name = options.name;
    this.inherited = options.inherited;
    this.faults = new FaultLog(options.name, options.onLog);
    this.device = readDevice(options.name);
    this.deviceReadMs = monotonicMs();
    this.sharesPort = options.hasBoundNeighbours && this.device.index === undefined;
  }

  get isOpen(): boolean {
    return this.sockets.length > 0;
  }

  /** What is bound now; `descriptor` is set where the socket is bound to the device. */
  get bound(): readonly Assigned[] {
    return this.sockets.map(({plan, descriptor}) => ({plan, descriptor}));
  }

  send(bytes: Buffer): void {
    for (const {socket, descriptor} of this.sockets) {
      // Without carrier the routing table might pick another device; a device-bound socket cannot stray.
      if (descriptor !== undefined || this.hasCarrier()) socket.send(bytes);
      else this.faults.failed('the device has no carrier', monotonicMs());
    }
  }

  /** Opens what is not open, and looks at what became suspect. Never rejects. */
  async check(): Promise<void> {
    if (this.isBusy || this.isClosed) return;
    this.isBusy = true;
    try {
      await this.attend(monotonicMs());
    } catch (error) {
      this.failed(error instanceof Error ? error : new Error(String(error)));
    }
    this.isBusy = false;
    // close() may have come while a bind was under way.
    if (this.isClosed) await this.drop();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    if (!this.isBusy) await this.drop();
  }

  private async attend(nowMs: number): Promise<void> {
    this.readDevice(nowMs);
    if (this.isOpen) {
      if (this.device.index !== undefined && this.device.index !== this.openIndex) this.suspect = 'device';
      if (this.suspect === 'no') return;
    }
    if (nowMs < this.nextTryMs) return;
    this.nextTryMs = nowMs + this.retryMs;
    this.retryMs = Math.min(this.retryMs * 2, retryMaxMs);
    if (this.device.index === undefined) this.faults.failed(`there is no device ${this.name}`, nowMs);
    else await this.reopen(nowMs);
  }

  private async reopen(nowMs: number): Promise<void> {
    const plans = this.options.plan(this.inherited.some((each) => each.address === '0.0.0.0'));
    if (plans.length === 0) {
      // If the addresses come back the same, the old sockets work again; until then there is nothing to bind.
      this.faults.failed(`${this.name} has no usable IPv4 address`, nowMs);
      return;
    }
    if (!this.isOpen) return this.open(plans);
    const wanted = assignDescriptors(plans, this.inherited);
    if (this.suspect === 'device') await this.replace(plans);
    else if (JSON.stringify(wanted) === JSON.stringify(this.bound)) this.settle();
    else if (wanted.every(({descriptor}) => this.holds(descriptor))) this.aim(wanted);
    else await this.replace(plans);
  }

  private async open(plans: readonly SocketPlan[]): Promise<void> {
    try {
      for (const {plan, descriptor} of assignDescriptors(plans, this.inherited)) {
        const socket = await openUdpSocket(
          plan,
          {descriptor, sharesPort: this.sharesPort},
          {
            onPacket: (bytes, from) => this.received({plan, descriptor}, bytes, from),
            onError: (error) => this.failed(error),
            onSent: () => this.faults.worked(),
          },
        );
        this.sockets.push({plan, descriptor, socket});
      }
    } catch (error) {
      await this.drop();
      throw error;
    }
    this.settle();
  }

  private async replace(plans: readonly SocketPlan[]): Promise<void> {
    if (this.inherited.length > 0) {
      // They are bound to the index the device had; a new one can only be made by a new start of this process.
      const text = `link ${this.name}: the device was replaced; bound to its address only until the next start`;
      this.options.onLog(log('WARN', 'LINK_DEVICE_REPLACED', text, {link: this.name}));
      this.inherited = [];
      this.sharesPort = this.options.hasBoundNeighbours;
    }
    await this.drop();
    await this.open(plans);
    const addresses = plans.map((each) => each.address).join(', ');
    this.options.onLog(
      log('info', 'LINK_REOPENED', `link ${this.name}: bound again to ${addresses}`, {link: this.name}),
    );
  }

  /** All sockets are bound to the device and stay; what changed is whom they send to and where groups are joined. */
  private aim(wanted: readonly Assigned[]): void {
    this.sockets = this.sockets.map((open) => {
      const next = wanted.find((each) => each.descriptor === open.descriptor);
      if (next === undefined) return open;
      open.socket.aim(next.plan);
      return {...open, plan: next.plan};
    });
    this.settle();
    this.options.onLog(log('info', 'LINK_REOPENED', `link ${this.name}: its addresses changed`, {link: this.name}));
  }

  private holds(descriptor: number | undefined): boolean {
    return descriptor !== undefined && this.sockets.some((each) => each.descriptor === descriptor);
  }

  private settle(): void {
    this.openIndex = this.device.index;
    // Without an address of its own it cannot tell its own target from the peer's: to be looked at again.
    this.suspect = this.sockets.some(({plan}) => plan.targets.length > 0 && plan.isUnaddressed) ? 'address' : 'no';
    this.retryMs = retryMinMs;
    // A fault that persists with the same addresses must not cost a look at them every second.
    this.nextTryMs = monotonicMs() + retryMaxMs;
  }

  private async drop(): Promise<void> {
    const open = this.sockets;
    this.sockets = [];
    await Promise.all(open.map((each) => each.socket.close()));
  }

  private received({plan, descriptor}: Assigned, bytes: Buffer, from: string): void {
    if (this.isClosed) return;
    if (descriptor === undefined && (!this.hasCarrier() || !this.options.isOurs(plan, from))) {
      this.strays += 1;
      return;
    }
    this.options.onPacket(bytes, from);
  }

  private failed(error: Error): void {
    const code = 'code' in error ? String(error.code) : '';
    if (code === 'ENODEV' || code === 'ENXIO') this.suspect = 'device';
    else if (addressFaults.has(code) && this.suspect === 'no') this.suspect = 'address';
    this.faults.failed(error.message, monotonicMs());
  }

  private hasCarrier(): boolean {
    const nowMs = monotonicMs();
    if (nowMs - this.deviceReadMs > carrierAgeMaxMs) this.readDevice(nowMs);
    return this.device.hasCarrier;
  }

  private readDevice(nowMs: number): void {
    const before = this.device;
    this.device = readDevice(this.name);
    this.deviceReadMs = nowMs;
    if (this.isOpen && !before.hasCarrier && this.device.hasCarrier && this.suspect === 'no') this.suspect = 'address';
  }
}

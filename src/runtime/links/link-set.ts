// All links of this node. Everything is sent on every link; a packet comes in with the name of its link. It promises that
// one link's trouble never reaches another, and that what is not open yet is tried again until it is.

import type {Medium} from '../../model/config.js';
import {type LogRecord, log} from '../../model/log.js';
import {monotonicMs} from '../clock.js';
import {type InterfaceAddress, isInSubnet, readInterfaces} from './addresses.js';
import {isOpenSocket} from './assign.js';
import type {DeviceSocket} from './device-sockets.js';
import {Link} from './link.js';
import {isIpMedium, linkNames, type PlanInput, planLink, planWarnings, type SocketPlan} from './plan.js';

export interface LinkSetOptions {
  readonly media: readonly Medium[];
  readonly udpPort: number;
  /** The environment's SYSTOLE_LOOPBACK. */
  readonly loopback: string | undefined;
  readonly floating: readonly string[];
  readonly deviceSockets: readonly DeviceSocket[];
  readonly onPacket: (link: string, bytes: Buffer, from: string) => void;
  readonly onLog: (record: LogRecord) => void;
}

/** Links are looked at after a packet was sent, for the process is awake then: a little less than a keepalive of 1 s. */
const checkIntervalMs = 950;
/** Without packets of ours (a long keepalive) they are looked at by a timer. */
const quietCheckMs = 2000;

export class LinkSet {
  readonly links: readonly Link[];
  private interfaces: readonly InterfaceAddress[] = [];
  private readonly inherited: readonly DeviceSocket[];
  private timer: NodeJS.Timeout | undefined;
  private checkedMs = 0;

  constructor(private readonly options: LinkSetOptions) {
    this.inherited = options.deviceSockets.filter((each) => isOpenSocket(each.descriptor));
    this.links = linkNames(options.media).map((name) => this.makeLink(name));
  }

  /** Opens all links. A link that cannot be opened is tried again for ever; the names of those are returned. */
  async open(): Promise<readonly string[]> {
    this.interfaces = readInterfaces();
    for (const warning of planWarnings(this.planInput())) {
      // With device-bound sockets each link keeps to its own wire.
      if (warning.code === 'LINKS_SHARE_SUBNET' && this.inherited.length > 0) continue;
      this.options.onLog(warning);
    }
    await Promise.all(this.links.map((each) => each.check()));
    for (const link of this.links) this.report(link);
    this.checkedMs = monotonicMs();
    this.timer = setInterval(() => this.check(), quietCheckMs);
    return this.links.filter((each) => !each.isOpen).map((each) => each.name);
  }

  send(bytes: Buffer): void {
    for (const link of this.links) link.send(bytes);
    if (this.timer !== undefined && monotonicMs() - this.checkedMs >= checkIntervalMs) this.check();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await Promise.all(this.links.map((each) => each.close()));
  }

  private check(): void {
    this.checkedMs = monotonicMs();
    this.timer?.refresh();
    for (const link of this.links) void link.check();
  }

  private makeLink(name: string): Link {
    return new Link({
      name,
      plan: (hasDeviceSocket) => {
        this.interfaces = readInterfaces();
        return planLink(name, {...this.planInput(), hasDeviceSocket});
      },
      hasBoundNeighbours: this.inherited.some((each) => each.device !== name),
      inherited: this.inherited.filter((each) => each.device === name),
      isOurs: (plan, from) => this.isOurs(plan, from),
      onPacket: (bytes, from) => this.options.onPacket(name, bytes, from),
      onLog: this.options.onLog,
    });
  }

  private planInput(): PlanInput {
    const {media, udpPort, loopback, floating} = this.options;
    return {media, udpPort, interfaces: this.interfaces, loopback, floating};
  }

  /** Two links with one group and port both receive both wires' packets; the sender's subnet tells which it was. */
  private isOurs(plan: SocketPlan, from: string): boolean {
    if (plan.kind !== 'mcast') return true;
    const twins = this.options.media
      .filter(isIpMedium)
      .filter((each) => each.kind === 'mcast' && each.group === plan.address && each.port === plan.port)
      .map((each) => each.device);
    if (twins.length < 2) return true;
    const senders = this.interfaces.filter((each) => twins.includes(each.device) && isInSubnet(from, each));
    return senders.length === 0 || senders.some((each) => each.device === plan.device);
  }

  private report(link: Link): void {
    for (const {plan, descriptor} of link.bound) {
      const bind = descriptor === undefined ? 'address' : 'device';
      const targets = plan.targets.join(' ') || 'nobody';
      const text = `link ${link.name}: ${plan.kind} bound to ${bind} ${plan.address}:${plan.port}, sends to ${targets}`;
      this.options.onLog(log('info', 'LINK_OPEN', text, {link: link.name}));
      if (plan.targets.length > 0) continue;
      const warning = `link ${link.name}: no ucast line names a peer, nothing is sent here`;
      this.options.onLog(log('WARN', 'LINK_WITHOUT_TARGET', warning, {link: link.name}));
    }
  }
}

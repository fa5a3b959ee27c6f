// The namespace lab: two nodes with two links each, a client machine, optionally a shared disk, on this machine and
// without touching it. Assumes root (ask labObstacle first). Promises that any number of labs run side by side, that
// close() may be called at any moment and more than once, and that nothing but a directory in /tmp remains when this
// process is killed (the next lab removes that).

import assert from 'node:assert/strict';
import {rmSync, writeFileSync} from 'node:fs';
import {responderPort} from './client.js';
import {type ClusterFiles, type Daemon, type DaemonKind, daemons, type Timing} from './daemon.js';
import {dropUnsynchronised, makeDisk, type SharedDisk, waitUnmounted} from './disk.js';
import {makeLabDirectory, packageRoot} from './host.js';
import {Machine, type Outcome} from './machine.js';
import * as network from './network.js';
import {deadline} from './wait.js';

export interface LabOptions {
  /** One kind for all nodes, or one for each: a mixed cluster. */
  readonly daemon?: DaemonKind | Readonly<Record<string, DaemonKind>>;
  readonly nodes?: readonly string[];
  /** Text of haresources; the shared disk's device is known only once it exists. Default: one service address. */
  readonly haresources?: (device: string) => string;
  readonly timing?: Partial<Timing>;
  readonly autoFailback?: ClusterFiles['autoFailback'];
  readonly haCf?: readonly string[];
  readonly systoleConf?: string;
  /** Makes a shared disk of this size. */
  readonly diskMb?: number;
}

const quickTiming: Timing = {keepaliveMs: 100, warntimeMs: 300, deadtimeMs: 500, initdeadMs: 3000};

export class Lab {
  readonly client: Machine;
  readonly nodes: readonly LabNode[];
  readonly directory: string;
  readonly disk: SharedDisk | undefined;
  #closing: Promise<void> | undefined;

  private constructor(directory: string, nodes: readonly LabNode[], disk: SharedDisk | undefined) {
    this.directory = directory;
    this.client = new Machine('client', directory);
    this.nodes = nodes;
    this.disk = disk;
  }

  /** Makes everything; the nodes are still off. */
  static async create(options: LabOptions = {}): Promise<Lab> {
    const directory = makeLabDirectory();
    const names = options.nodes ?? ['n1', 'n2'];
    const disk = options.diskMb ? await makeDisk(`${directory}/disk.img`, options.diskMb) : undefined;
    const files: ClusterFiles = {
      nodes: names,
      haresources: options.haresources?.(disk?.device ?? '') ?? `${names[0]} IPaddr::${network.serviceAddress}/24/eth0`,
      timing: {...quickTiming, ...options.timing},
      autoFailback: options.autoFailback ?? 'off',
      haCf: options.haCf ?? [],
      systoleConf: options.systoleConf,
    };
    writeHosts(directory, names);
    const nodes = names.map((name, index) => {
      const kind = typeof options.daemon === 'object' ? options.daemon[name] : options.daemon;
      const daemon = daemons[kind ?? 'systole'];
      const node = new LabNode(() => lab, new Machine(name, directory), index + 1, daemon);
      daemon.writeFiles(`${node.machine.directory}/ha.d`, name, files);
      return node;
    });
    const lab: Lab = new Lab(directory, nodes, disk);
    try {
      await lab.client.boot(network.makeSwitches);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  node(name: string): LabNode {
    const found = this.nodes.find((each) => each.name === name);
    assert(found, `no node ${name}`);
    return found;
  }

  other(node: LabNode): LabNode {
    const found = this.nodes.find((each) => each !== node);
    assert(found, 'a lab has two nodes');
    return found;
  }

  /** Switches all nodes on. Daemons are not started. */
  async powerOn(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.powerOn()));
  }

  /** Which nodes carry the address, seen from their own kernels: the truth about who owns it. */
  async owners(address: string = network.serviceAddress): Promise<string[]> {
    const carrying = await Promise.all(this.nodes.map((node) => node.carries(address)));
    return this.nodes.filter((_, index) => carrying[index]).map((node) => node.name);
  }

  /** Pulls or plugs every node's cable of this link: nobody hears anybody over it. */
  async cutLink(link: network.LinkName, carrier: 'kept' | 'lost' = 'kept'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.cut(link, carrier)));
  }

  async healLink(link: network.LinkName): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.heal(link)));
  }

  /** Cuts the nodes off from each other on both links; the client still reaches both. */
  async partition(): Promise<void> {
    await this.#isolate(true);
  }

  async healPartition(): Promise<void> {
    await this.#isolate(false);
  }

  async #isolate(on: boolean): Promise<void> {
    const names = this.nodes.filter((node) => node.machine.isOn).map((node) => node.name);
    for (const link of ['eth0', 'eth1'] as const) await network.isolate(this.client.pid, names, link, on);
  }

  /** Records packets of one link (both nodes' and the client's) until the returned function is called; gives the file. */
  async capture(link: network.LinkName, filter = ''): Promise<() => Promise<string>> {
    const file = `${this.directory}/${link}.pcap`;
    const bridge = link === 'eth0' ? 'service' : 'direct';
    const dump = this.client.spawn('tcpdump', ['-i', bridge, '-U', '-w', file, '-Z', 'root', filter]);
    const ended = new Promise<void>((resolve) => dump.once('close', () => resolve()));
    const listening = new Promise<void>((resolve) => {
      dump.stderr.on('data', (text: Buffer) => text.includes('listening') && resolve());
    });
    await deadline(listening, 5000, () => 'tcpdump does not listen');
    return async () => {
      await this.client.exec('pkill -INT -x tcpdump');
      await deadline(ended, 5000, () => 'tcpdump does not end');
      return file;
    };
  }

  /** Ends every process of the lab and removes what it made. Safe to call at any time and again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const ends = await Promise.allSettled([...this.nodes.map((node) => node.machine.kill()), this.client.kill()]);
    try {
      if (this.disk) await waitUnmounted(this.disk.device);
    } finally {
      this.disk?.close();
      rmSync(this.directory, {recursive: true, force: true});
    }
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }
}

/** One node of the cluster: a machine, its two cables and its daemon. */
export class LabNode {
  readonly machine: Machine;
  readonly number: number;
  readonly daemon: Daemon;
  readonly #lab: () => Lab;

  constructor(lab: () => Lab, machine: Machine, number: number, daemon: Daemon) {
    this.#lab = lab;
    this.machine = machine;
    this.number = number;
    this.daemon = daemon;
  }

  get name(): string {
    return this.machine.name;
  }

  /** Boots: interfaces up, answering the client's probe; the daemon is started by start(). */
  async powerOn(): Promise<void> {
    const clientPid = this.#lab().client.pid;
    await this.machine.boot((pid) => network.plugIn(clientPid, {name: this.name, number: this.number, pid}));
    const responder = this.machine.spawn(process.execPath, [
      `${packageRoot}/dist/src/lab/responder.js`,
      `${responderPort}`,
      this.name,
    ]);
    const ready = new Promise<void>((resolve) => responder.stdout.once('data', () => resolve()));
    await deadline(ready, 10_000, () => `${this.name}: no responder`);
  }

  /** As if the plug were pulled: unsynchronised writes are lost, every process dies, the cables go dead. */
  async powerCut(): Promise<void> {
    const {disk, client} = this.#lab();
    if (disk) await dropUnsynchronised(this.machine, disk.device);
    await Promise.all([this.machine.kill(), network.unplug(client.pid, this.name)]);
    if (disk) await waitUnmounted(disk.device);
  }

  /** As a paused virtual machine: nothing runs, and its kernel answers nothing, not even ARP. State is kept. */
  async pause(): Promise<void> {
    await this.machine.pause();
    for (const link of ['eth0', 'eth1'] as const) await this.cut(link);
  }

  async resume(): Promise<void> {
    for (const link of ['eth0', 'eth1'] as const) await this.heal(link);
    await this.machine.resume();
  }

  async start(): Promise<void> {
    await this.machine.run(this.daemon.start);
  }

  /** Graceful stop; returns when the daemon has released everything and is gone. */
  async stop(timeoutMs = 30_000): Promise<void> {
    await this.machine.run(this.daemon.stop, {timeoutMs});
  }

  /** A command of the daemon's own set, e.g. command('hb_standby', 'all'). */
  command(name: string, ...args: readonly string[]): Promise<Outcome> {
    return this.machine.exec([this.daemon.path(name), ...args].join(' '));
  }

  /** False as well when the node is off. */
  async carries(address: string): Promise<boolean> {
    if (!this.machine.isOn) return false;
    const listing = await this.machine.exec('ip -o addr show').catch((error: Error) => {
      if (!this.machine.isOn) return undefined; // Lost power while being asked.
      throw error;
    });
    return listing?.stdout.includes(` ${address}/`) ?? false;
  }

  async cut(link: network.LinkName, carrier: 'kept' | 'lost' = 'kept'): Promise<void> {
    await network.cut(this.#lab().client.pid, this.name, link, carrier);
  }

  async heal(link: network.LinkName): Promise<void> {
    await network.heal(this.#lab().client.pid, this.name, link);
  }

  /** The daemon's log so far. */
  async log(): Promise<string> {
    return (await this.machine.exec('cat /var/log/ha-log')).stdout;
  }
}

function writeHosts(directory: string, names: readonly string[]): void {
  const lines = names.map((name, index) => `${network.addressOf(index + 1, 'eth0')} ${name}`);
  writeFileSync(`${directory}/hosts`, ['127.0.0.1 localhost', ...lines, ''].join('\n'));
}

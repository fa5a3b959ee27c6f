// One guest: a QEMU process without KVM, its disks, a command server inside, its console log. The process is detached and
// everything about it lies in its directory, so that one program may start it and another use it. Promises: exec() settles in
// the time given; a power cut is a SIGKILL; nothing is left when powerCut() has settled.

import {spawn} from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {connect, type Socket} from 'node:net';
import {createInterface} from 'node:readline';
import {host} from '../../src/lab/host.js';
import {type Cable, NAMESPACE} from './network.js';
import {DISKS_MB, qemuArguments} from './qemu.js';
import {SLOW, until} from './slow.js';

export const labDirectory = process.env['SYSTOLE_LAB_DIR'] ?? '/tmp/drbd-vm-lab';
const BOOT_MS = 240_000;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

interface Waiting {
  readonly resolve: (ran: Ran) => void;
  readonly reject: (error: Error) => void;
  readonly startedMs: number;
}

export class Guest {
  readonly number: number;
  readonly name: string;
  readonly directory: string;
  readonly #port: 'cmd' | 'cli';
  readonly #waiting = new Map<string, Waiting>();
  #socket: Socket | undefined;
  #connecting: Promise<Socket> | undefined;
  #serial = 0;
  #isPaused = false;

  constructor(number: number, port: 'cmd' | 'cli' = 'cmd', lab = labDirectory) {
    this.number = number;
    this.name = `data-1-${number}`;
    this.directory = `${lab}/n${number}`;
    this.#port = port;
  }

  get pid(): number | undefined {
    const path = `${this.directory}/pid`;
    const pid = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
    return pid > 0 && isQemu(pid) ? pid : undefined;
  }

  get isOn(): boolean {
    return this.pid !== undefined;
  }

  /** Fresh disks: those for DRBD empty, the state disk with a file system. */
  async makeDisks(): Promise<void> {
    mkdirSync(this.directory, {recursive: true});
    this.removeDisks();
    for (const [name, megabytes] of Object.entries(DISKS_MB)) {
      const path = `${this.directory}/${name}.img`;
      writeFileSync(path, '');
      truncateSync(path, megabytes * 1024 * 1024);
    }
    await host('mkfs.ext4', ['-q', '-F', `${this.directory}/state.img`]);
  }

  removeDisks(): void {
    for (const name of Object.keys(DISKS_MB)) rmSync(`${this.directory}/${name}.img`, {force: true});
  }

  async boot(): Promise<void> {
    if (this.isOn) throw new Error(`${this.name} is on`);
    const log = openSync(`${this.directory}/qemu.log`, 'a');
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${NAMESPACE}`,
        'nice',
        '-n',
        process.env['SYSTOLE_LAB_NICE'] ?? '0',
        'qemu-system-x86_64',
        ...qemuArguments(this),
      ],
      {
        detached: true,
        stdio: ['ignore', log, log],
      },
    );
    child.unref();
    await until(() => this.isOn, {
      timeoutMs: 20_000,
      what: () => `${this.name}: QEMU does not start: ${tail(`${this.directory}/qemu.log`)}`,
    });
    const isReady = async () =>
      this.#mustBeOn() && (await this.exec('test -e /run/lab/ready', 5000).catch(() => undefined))?.code === 0;
    const what = () => `${this.name} does not boot: ${tail(`${this.directory}/console.log`)}`;
    await until(isReady, {timeoutMs: BOOT_MS, everyMs: 300, what}).catch(async (error: unknown) => {
      await this.#noteProcessor();
      throw error;
    });
  }

  /** Where a guest stands that does not boot: a processor that waits in the firmware, in the kernel, or for a program. */
  async #noteProcessor(): Promise<void> {
    for (let looks = 0; looks < 3; looks += 1) {
      const found = await this.qmp('human-monitor-command', {'command-line': 'info registers'}).catch(String);
      appendFileSync(`${this.directory}/processor.log`, `${new Date().toISOString()}\n${found}\n`);
    }
  }

  #mustBeOn(): true {
    if (this.isOn) return true;
    throw new Error(`${this.name} went off while it booted: ${tail(`${this.directory}/console.log`)}`);
  }

  /** A shell command; does not reject because of its exit code. */
  async exec(command: string, patienceMs = 60_000): Promise<Ran> {
    const timeoutMs = patienceMs * SLOW;
    const socket = await this.#connect();
    this.#serial += 1;
    const id = `${process.pid}x${this.#serial}`;
    const startedMs = performance.now();
    const done = new Promise<Ran>((resolve, reject) => this.#waiting.set(id, {resolve, reject, startedMs}));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.name}: no answer in ${timeoutMs} ms: ${command}`)),
        timeoutMs + 3000,
      );
    });
    socket.write(`${id} ${Math.ceil(timeoutMs / 1000)} ${Buffer.from(command).toString('hex')}\n`);
    return await Promise.race([done, late]).finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  /** As exec, but a status other than 0 is an error. */
  async run(command: string, timeoutMs?: number): Promise<string> {
    const {code, stdout, stderr} = await this.exec(command, timeoutMs);
    if (code !== 0) throw new Error(`${this.name}: exit ${code}: ${command}\n${stdout}${stderr}`);
    return stdout;
  }

  async write(path: string, text: string, mode = '644'): Promise<void> {
    const hex = Buffer.from(text).toString('hex');
    await this.run(
      `mkdir -p $(dirname ${path}); perl -e 'print pack "H*", shift' ${hex} >${path} && chmod ${mode} ${path}`,
    );
  }

  /** As if the plug were pulled: what its disks had accepted stays, its memory is gone. */
  async powerCut(): Promise<void> {
    const {pid} = this;
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await until(() => !this.isOn, {timeoutMs: 10_000, what: () => `${this.name} does not die`});
    rmSync(`${this.directory}/pid`, {force: true});
    this.#isPaused = false;
    this.disconnect();
  }

  /** A paused guest answers nothing; its clocks stand still too. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.qmp('stop');
  }

  async resume(): Promise<void> {
    await this.qmp('cont');
    this.#isPaused = false;
  }

  /** A file below /var/log or /var/lib/heartbeat of a guest that has no power, from its state disk. */
  async readOff(path: string): Promise<string> {
    return host('debugfs', ['-R', `cat ${path}`, `${this.directory}/state.img`]);
  }

  /** How far the guest's clock is ahead of ours: half of the shortest question is the error. */
  async clockAheadMs(): Promise<number> {
    let best = {tookMs: Number.POSITIVE_INFINITY, aheadMs: 0};
    for (let tries = 0; tries < 4; tries += 1) {
      const beforeMs = Date.now();
      const thereMs = Number((await this.run('date +%s%N')).trim()) / 1e6;
      const tookMs = Date.now() - beforeMs;
      if (tookMs < best.tookMs) best = {tookMs, aheadMs: thereMs - beforeMs - tookMs / 2};
    }
    return best.aheadMs;
  }

  /** Pulls the cable, or plugs it in: the guest sees the carrier go. */
  async carrier(cable: Cable, up: boolean): Promise<void> {
    await this.qmp('set_link', {name: cable, up});
  }

  async qmp(command: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const socket = connect(`${this.directory}/qmp.sock`);
    const send = (execute: string, more = {}) => socket.write(`${JSON.stringify({execute, ...more})}\n`);
    try {
      return await new Promise((resolve, reject) => {
        socket.once('error', reject);
        setTimeout(() => reject(new Error(`${this.name}: QEMU does not answer ${command}`)), 10_000).unref();
        let answers = 0;
        const lines = createInterface({input: socket});
        lines.on('error', reject).on('line', (line) => {
          const message = JSON.parse(line) as {QMP?: unknown; return?: unknown; error?: {desc: string}};
          if (message.QMP) send('qmp_capabilities');
          else if (message.error) reject(new Error(message.error.desc));
          else if ('return' in message && ++answers === 1) send(command, {arguments: parameters});
          else if ('return' in message) resolve(message.return);
        });
      });
    } finally {
      socket.destroy();
    }
  }

  disconnect(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    for (const each of this.#waiting.values()) each.reject(new Error(`${this.name} lost power`));
    this.#waiting.clear();
  }

  /** One connection for all that ask at once: QEMU reads from the first only, and lets a second wait without an answer. */
  async #connect(): Promise<Socket> {
    if (this.#socket && !this.#socket.destroyed) return this.#socket;
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Socket> {
    const socket = connect(`${this.directory}/${this.#port}.sock`);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#socket === socket && this.disconnect());
    // A power cut resets the connection, and readline hands the socket's errors on.
    createInterface({input: socket})
      .on('line', (line) => this.#answered(line))
      .on('error', () => {});
    this.#socket = socket;
    return socket;
  }

  #answered(line: string): void {
    const [id, code, out, errors] = line.split(' ');
    const waiting = this.#waiting.get(id ?? '');
    const text = (hex: string | undefined): string =>
      hex === '-' || hex === undefined ? '' : Buffer.from(hex, 'hex').toString('utf8');
    waiting?.resolve({
      code: Number(code),
      stdout: text(out),
      stderr: text(errors),
      tookMs: performance.now() - waiting.startedMs,
    });
  }
}

function isQemu(pid: number): boolean {
  try {
    return (
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('qemu-system') &&
      !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
    );
  } catch {
    return false;
  }
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-1500) : '';
}

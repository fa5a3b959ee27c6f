// One machine of the namespace lab: a process tree with its own network, mounts, process ids, host name and private
// /run, /etc/ha.d, /var/lib/heartbeat, /var/log and /data. Assumes root and a prepared lab directory. Promises that
// commands run within a millisecond or two (a shell inside serves them), that losing power leaves no process of the
// machine and no mount behind, and that the machine dies with the process that booted it.

import assert from 'node:assert/strict';
import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {mkdirSync, readFileSync, rmSync} from 'node:fs';
import {dirname} from 'node:path';
import {createInterface, type Interface} from 'node:readline';
import {packageRoot} from './host.js';
import {deadline} from './wait.js';

/** A machine that is shared starts programs in its own time; this only ends what would never come. */
const START_MS = 60_000;
const WAKE_MS = 50;

export interface Outcome {
  /** 128 + signal when killed by one, as shells say it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

interface Waiting {
  resolve(code: number): void;
  reject(error: Error): void;
}

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const namespaces = ['--net', '--mount', '--uts', '--ipc', '--pid'];

export class Machine {
  readonly name: string;
  readonly #labDirectory: string;
  readonly #waiting = new Map<string, Waiting>();
  readonly #programs = new Set<ChildProcessWithoutNullStreams>();
  #child: ChildProcessWithoutNullStreams | undefined;
  #lines: Interface | undefined;
  #ended: Promise<void> = Promise.resolve();
  #pid = 0;
  #serial = 0;
  #complaints = '';

  constructor(name: string, labDirectory: string) {
    this.name = name;
    this.#labDirectory = labDirectory;
    for (const part of ['root', 'ha.d', 'heartbeat', 'log', 'out'])
      mkdirSync(`${this.directory}/${part}`, {recursive: true});
  }

  /** The host's view of what survives a power cut: ha.d, heartbeat, log. */
  get directory(): string {
    return `${this.#labDirectory}/${this.name}`;
  }

  get isOn(): boolean {
    return this.#child !== undefined;
  }

  /** Process 1 as the host numbers it. */
  get pid(): number {
    assert(this.isOn, `${this.name} is off`);
    return this.#pid;
  }

  /** `plugIn` makes the machine's interfaces; it gets the pid whose network namespace they belong to. */
  async boot(plugIn: (pid: number) => Promise<void>): Promise<void> {
    assert(!this.isOn, `${this.name} is already on`);
    this.#complaints = '';
    const script = `${packageRoot}/src/lab/machine-init.sh`;
    const child = spawn(
      'unshare',
      [
        ...namespaces,
        '--fork',
        '--kill-child',
        '--propagation',
        'private',
        'sh',
        script,
        this.name,
        this.#labDirectory,
      ],
      // This node program first: the commands of this checkout say `env node`.
      {env: {PATH: `${dirname(process.execPath)}:${systemPath}`}, stdio: ['pipe', 'pipe', 'pipe']},
    );
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
    child.stdin.on('error', () => {}); // The machine lost power while a command was written: its exec rejects.
    child.stderr.on('data', (data: Buffer) => {
      this.#complaints = (this.#complaints + data.toString('latin1')).slice(-4096);
    });
    child.once('close', () => this.#off());
    this.#lines = createInterface({input: child.stdout});
    try {
      const ready = this.#line('ready', 'start-up', START_MS);
      ready.catch(() => {}); // Also awaited below; an earlier failure must not count as unhandled here.
      this.#pid = await this.#line('pid', 'creation', START_MS);
      await plugIn(this.#pid);
      child.stdin.write('go\n');
      await ready;
    } catch (error) {
      await this.kill();
      throw error;
    }
    this.#lines.on('line', (line) => this.#finished(line));
  }

  /** Runs one shell command line (no newline) and waits for it; never rejects because of its exit code. */
  async exec(command: string, {timeoutMs = 20_000}: {readonly timeoutMs?: number} = {}): Promise<Outcome> {
    assert(!command.includes('\n'), 'a command is one line');
    const child = this.#child;
    if (!child) throw new Error(`${this.name} is off: ${command}`);
    this.#serial += 1;
    const id = `${this.#serial}`;
    const out = `${this.directory}/out/${id}`;
    const startedAt = performance.now();
    const finished = new Promise<number>((resolve, reject) => this.#waiting.set(id, {resolve, reject}));
    // The subshell takes a fatal shell error (or `exit`) with it, so the report is always written.
    child.stdin.write(`(${command}) >${out}.o 2>${out}.e </dev/null; echo ${id} $?\n`);
    try {
      const code = await deadline(finished, timeoutMs, () => `${this.name}: no end of: ${command}`);
      const tookMs = performance.now() - startedAt;
      return {code, stdout: readFileSync(`${out}.o`, 'utf8'), stderr: readFileSync(`${out}.e`, 'utf8'), tookMs};
    } finally {
      this.#waiting.delete(id);
      for (const end of ['o', 'e']) rmSync(`${out}.${end}`, {force: true});
    }
  }

  /** As exec, but a non-zero exit code is an error. */
  async run(command: string, options: {readonly timeoutMs?: number} = {}): Promise<string> {
    const {code, stdout, stderr} = await this.exec(command, options);
    if (code !== 0) throw new Error(`${this.name}: exit ${code}: ${command}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A long-lived program inside, with pipes to us. It must end when its standard input does, or with the machine. */
  spawn(program: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    const enter = ['-t', `${this.pid}`, '--net', '--mount', '--uts', '--ipc', '--pid', '--', program, ...args];
    const child = spawn('nsenter', enter, {env: {PATH: systemPath, LC_ALL: 'C.UTF-8'}});
    child.stdin.on('error', () => {});
    this.#programs.add(child);
    child.once('close', () => this.#programs.delete(child));
    return child;
  }

  /** Stops every process but process 1 and the command server; the machine's kernel still answers ARP. */
  async pause(): Promise<void> {
    await this.#inServer('kill -STOP -1');
  }

  async resume(): Promise<void> {
    await this.#inServer('kill -CONT -1');
    this.#wakePrograms();
  }

  /** Ends every process but process 1 and the command server at once: as a power cut, and the machine is usable again. */
  async killAll(): Promise<void> {
    await this.#inServer('kill -KILL -1');
  }

  /** Ends every process at once. Resolves when the last is gone. */
  async kill(): Promise<void> {
    if (!this.#child) return;
    // Process 1 takes all others with it; before it has told its pid, unshare's --kill-child does the same.
    if (this.#pid > 0) signal(this.#pid);
    else this.#child.kill('SIGKILL');
    // More than once: an nsenter may only now get to see that its child was stopped.
    const waking = setInterval(() => this.#wakePrograms(), WAKE_MS);
    try {
      await deadline(this.#ended, 10_000, () => `${this.name} does not die`);
    } finally {
      clearInterval(waking);
    }
  }

  /** nsenter stops itself when its child is stopped, and then never reaps it: the machine would not end. */
  #wakePrograms(): void {
    for (const program of this.#programs) program.kill('SIGCONT');
  }

  #off(): void {
    this.#child = undefined;
    this.#pid = 0;
    this.#lines?.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.reject(new Error(`${this.name} lost power. ${this.#complaints}`.trim()));
  }

  /** The number on the first line that begins with this word. */
  #line(word: string, what: string, timeoutMs: number): Promise<number> {
    const found = new Promise<number>((resolve, reject) => {
      const onLine = (line: string) => {
        if (!line.startsWith(word)) return;
        this.#lines?.off('line', onLine);
        this.#waiting.delete(word);
        resolve(Number(line.split(' ')[1]));
      };
      this.#lines?.on('line', onLine);
      this.#waiting.set(word, {resolve, reject});
    });
    return deadline(found, timeoutMs, () => `${this.name}: no ${what}. ${this.#complaints}`);
  }

  async #inServer(command: string): Promise<void> {
    this.#serial += 1;
    const id = `${this.#serial}`;
    const finished = new Promise<number>((resolve, reject) => this.#waiting.set(id, {resolve, reject}));
    this.#child?.stdin.write(`!${command}; echo ${id} $?\n`);
    await deadline(finished, 5000, () => `${this.name}: no end of: ${command}`);
  }

  #finished(line: string): void {
    const [id, code] = line.split(' ');
    const waiting = this.#waiting.get(id ?? '');
    this.#waiting.delete(id ?? '');
    waiting?.resolve(Number(code));
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone; the caller waits for the end either way.
  }
}

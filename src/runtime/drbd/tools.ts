// DRBD's own programs, run with a bound on their time, and what they say as values. Everything that changes a resource goes
// through drbdadm, which knows the configuration; the state is read by `drbdsetup events2 --now`, which 8.4 and 9 print
// alike. A tool that fails or hangs is a value too: the caller decides what not knowing means.

import {existsSync} from 'node:fs';
import {type Events2Picture, parseEvents2, readEvents2} from '../../drbd/events2.js';
import {DEFAULT_SETTINGS, type DrbdSettings, parseShow, type ShowBlock, settingsOf} from '../../drbd/show.js';
import type {DiskState, ResourceState} from '../../drbd/state.js';
import {parseDstate, type Refusal, refusalOf} from '../../drbd/words.js';
import {runProgram} from '../run-program.js';

export interface ToolExit {
  /** undefined: killed, timed out, or not installed. */
  readonly code: number | undefined;
  /** What is parsed: drbdadm fills standard error with advice that has nothing to do with the command. */
  readonly stdout: string;
  /** Standard output and error together: DRBD puts its reasons in either. */
  readonly output: string;
  readonly missing: boolean;
  readonly timedOut: boolean;
}

export type Sight =
  | {readonly found: 'up'; readonly state: ResourceState}
  | {readonly found: 'down'}
  | {readonly found: 'nothing'; readonly why: string};

const READ_MS = 10_000;
const KILL_DELAY_MS = 1000;
const LOCK_S = '20';
/** For what nobody waits for: on a node that takes over, the agents come first. */
const BACKGROUND = 10;

export class DrbdTools {
  readonly #env: Readonly<Record<string, string>>;
  readonly #niceness: number | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>, niceness?: number) {
    this.#niceness = niceness;
    const path = env['PATH'] ?? '';
    // The kernel starts its helpers with hardly any environment.
    this.#env = {...defined(env), PATH: `${path}${path === '' ? '' : ':'}/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: 'C'};
  }

  /** The same, making way for others: for what is only watched or shown. */
  inBackground(): DrbdTools {
    return new DrbdTools(this.#env, BACKGROUND);
  }

  adm(words: readonly string[], timeoutMs: number): Promise<ToolExit> {
    return this.#run('drbdadm', words, timeoutMs);
  }

  /**
   * `up` and `adjust`: the manager and an agent may both want to bring a resource up, and to the one that comes in the
   * middle it looks half broken. So they wait for each other, within a bound.
   */
  admAlone(word: 'up' | 'adjust', resource: string, timeoutMs: number): Promise<ToolExit> {
    return this.#run('drbdadm', [word, resource], timeoutMs, this.#lockOf(resource));
  }

  /** A program by its name, where DRBD's own are looked up: one process less for each call. undefined: not installed. */
  find(program: string): string | undefined {
    const directories = (this.#env['PATH'] ?? '').split(':').filter((each) => each.startsWith('/'));
    return directories.map((each) => `${each}/${program}`).find((path) => existsSync(path));
  }

  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** All resources at one moment; undefined: no answer that could be read. */
  async readAll(): Promise<Events2Picture | undefined> {
    const exit = await this.#run('drbdsetup', ['events2', '--now', '--statistics'], READ_MS);
    return exit.code === 0 ? readEvents2(exit.stdout) : undefined;
  }

  /** `drbdsetup` itself: one process where drbdadm is three. What it is given must be what DRBD has in force. */
  setup(words: readonly string[], timeoutMs: number): Promise<ToolExit> {
    return this.#run('drbdsetup', words, timeoutMs);
  }

  async read(resource: string): Promise<Sight> {
    const exit = await this.#run('drbdsetup', ['events2', '--now', '--statistics', resource], READ_MS);
    if (exit.missing) return {found: 'nothing', why: 'drbdsetup is not installed'};
    const states = parseEvents2(exit.stdout);
    const state = states?.find((each) => each.name === resource);
    if (state) return {found: 'up', state};
    // By its words: its exit code, 10, has other reasons too.
    const isUnknown = /\(127\)|\(158\)|No such resource|Unknown resource/i.test(exit.output);
    if (states !== undefined || isUnknown || isModuleAbsent(exit)) return {found: 'down'};
    return {found: 'nothing', why: reasonOf(exit)};
  }

  /** Names of all that is up in the kernel; undefined: no answer. */
  async up(): Promise<readonly string[] | undefined> {
    const exit = await this.#run('drbdsetup', ['events2', '--now'], READ_MS);
    return isModuleAbsent(exit) ? [] : parseEvents2(exit.stdout)?.map(({name}) => name);
  }

  /**
   * By drbdadm; where drbd.conf keeps it from that, or means another device by now, by what the kernel has: 9 knows the
   * resource by its name, 8.4 each of its devices. Where somebody keeps it open, or no end comes, nothing more is tried.
   */
  async secondary(state: ResourceState, timeoutMs: number): Promise<ToolExit> {
    const {name, volumes} = state;
    const isDone = async (exit: ToolExit): Promise<boolean> => {
      if (exit.timedOut || refusalOf(exit) === 'held-open') return true;
      if (exit.code !== 0) return false;
      const sight = await this.read(name);
      return sight.found === 'up' && sight.state.role === 'Secondary';
    };
    const exit = await this.adm(['secondary', name], timeoutMs);
    if (await isDone(exit)) return exit;
    const devices = volumes.flatMap(({minor}) => (minor === undefined ? [] : [`/dev/drbd${minor}`]));
    // To 8.4 a number is a device, and this resource's may be another one.
    for (const words of [/\D/.test(name) ? [name] : [], devices]) {
      const exits: ToolExit[] = [];
      for (const word of words) exits.push(await this.setup(['secondary', word], timeoutMs));
      const last = exits.find(({code}) => code !== 0) ?? exits[0];
      if (last !== undefined && (await isDone(last))) return last;
    }
    return exit;
  }

  /** The disk states that the metadata of a resource records while it is down. None: of one volume at least it is not known. */
  async readMetadata(resource: string): Promise<readonly DiskState[]> {
    const exit = await this.adm(['dstate', resource], READ_MS);
    const found = exit.code === 0 ? parseDstate(exit.stdout) : [];
    return found.includes('Unknown') ? [] : found;
  }

  /** The settings in force, or DRBD's defaults where they cannot be read. */
  async settings(resource: string): Promise<DrbdSettings> {
    const show = await this.show(resource);
    return show === undefined ? DEFAULT_SETTINGS : settingsOf(show);
  }

  /** Everything in force for a resource; undefined: it is not up, or cannot be read. */
  async show(resource: string): Promise<ShowBlock | undefined> {
    const exit = await this.#run('drbdsetup', ['show', '--show-defaults', resource], READ_MS);
    return exit.code === 0 ? parseShow(exit.stdout) : undefined;
  }

  /** The configuration as drbdadm understands it, of all resources of this node. */
  async configuration(): Promise<ShowBlock | undefined> {
    const text = await this.dump();
    return text === undefined ? undefined : parseShow(text);
  }

  /** The same as text, whose comments say where each resource is defined. */
  async dump(): Promise<string | undefined> {
    const exit = await this.adm(['dump'], READ_MS);
    return exit.code === 0 ? exit.stdout : undefined;
  }

  /** Every resource that the configuration gives this node; none where it cannot be read. */
  async resources(): Promise<readonly string[]> {
    const {names} = await this.configured();
    return names ?? [];
  }

  /** The same, or why it cannot be read. */
  async configured(): Promise<{readonly names: readonly string[] | undefined; readonly why: string}> {
    const exit = await this.adm(['sh-resources'], READ_MS);
    const names = exit.code === 0 ? exit.stdout.split(/\s+/).filter((word) => word !== '') : undefined;
    return {names, why: names === undefined ? reasonOf(exit) : ''};
  }

  /** Without the run directory, or on a machine without flock(1), they do without. */
  #lockOf(resource: string): readonly string[] {
    const directory = this.#env['HA_RUNDIR'] ?? '/run/heartbeat';
    const flock = this.find('flock');
    if (flock === undefined || !/^[\w.-]+$/.test(resource) || !existsSync(directory)) return [];
    return [flock, '-o', '-w', LOCK_S, `${directory}/drbd-${resource}.lock`];
  }

  async #run(
    program: string,
    words: readonly string[],
    timeoutMs: number,
    before: readonly string[] = [],
  ): Promise<ToolExit> {
    const complaints: string[] = [];
    const found = this.find(program);
    if (found === undefined) return {code: undefined, stdout: '', output: '', missing: true, timedOut: false};
    const [path = found, ...args] = [...before, found, ...words];
    const running = runProgram({
      path,
      args,
      env: this.#env,
      timeoutMs,
      killDelayMs: KILL_DELAY_MS,
      ...(this.#niceness === undefined ? {} : {niceness: this.#niceness}),
      onErrorLine: (line) => complaints.push(line),
    });
    const {code, output, timedOut, missing} = await running.done;
    return {
      code: missing || timedOut ? undefined : code,
      stdout: output,
      output: [output, ...withoutAdvice(complaints)].join('\n'),
      missing,
      timedOut,
    };
  }
}

/** Then no resource is up. The words alone would not do: a socket that cannot be had is told in the same. */
function isModuleAbsent({output, missing}: ToolExit): boolean {
  if (existsSync('/sys/module/drbd') || existsSync('/proc/drbd')) return false;
  return !missing && /generic netlink|not loaded|modprobe|\/proc\/drbd/i.test(output);
}

export function refusalIn(exit: ToolExit): Refusal {
  return refusalOf(exit);
}

/** What went wrong, on one line. */
export function reasonOf(exit: ToolExit): string {
  if (exit.missing) return 'not installed';
  const text = exit.output.replace(/\s+/g, ' ').trim().slice(0, 400);
  if (exit.timedOut) return `no end in time${text === '' ? '' : ` (${text})`}`;
  return text === '' ? `exit code ${exit.code}` : `exit code ${exit.code}: ${text}`;
}

/** drbdadm advises at every call to make its helpers setuid when the handler is drbd-peer-outdater; ours needs none of it. */
function withoutAdvice(lines: readonly string[]): readonly string[] {
  let isAdvice = false;
  return lines.filter((line) => {
    isAdvice = line.startsWith('WARN:') || (isAdvice && (line === '' || line.startsWith('  ')));
    return !isAdvice;
  });
}

function defined(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

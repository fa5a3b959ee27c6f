// Signals to whole process groups, and whether anybody in one still lives. Zombies do not count: under an init that does
// not reap, a killed grandchild stays in the table for ever.

import {readdirSync, readFileSync, readlinkSync} from 'node:fs';

/** False: there is no such group. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function isGroupAlive(pid: number): boolean {
  if (!signalGroup(pid, 0)) return false;
  try {
    return readdirSync('/proc').some((name) => /^\d+$/.test(name) && isLivingMember(Number(name), String(pid)));
  } catch {
    return true;
  }
}

function isLivingMember(pid: number, group: string): boolean {
  const fields = statFields(pid);
  return fields !== undefined && fields[2] === group && fields[0] !== 'Z' && fields[0] !== 'X';
}

/** The start of a process in clock ticks since boot; undefined: no such process, or only its zombie. */
export function startTimeOf(pid: number): string | undefined {
  const fields = statFields(pid);
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}

export interface AbandonedLeader {
  readonly pid: number;
  /** Its command line. */
  readonly words: readonly string[];
  /** `NAME=value` each. */
  readonly environment: readonly string[];
}

/** Session leaders whose parent is gone: process 1 or a subreaper has them now, in any case no Node program like ours. */
export function abandonedLeaders(): AbandonedLeader[] {
  return numbersIn('/proc').flatMap((pid) => {
    const fields = statFields(pid);
    const isLeader = fields?.[2] === String(pid) && fields[3] === String(pid);
    if (!isLeader || fields[0] === 'Z' || programOf(fields[1]) === process.execPath) return [];
    const [words, environment] = ['cmdline', 'environ'].map((name) => listIn(`/proc/${pid}/${name}`));
    return words === undefined || environment === undefined ? [] : [{pid, words, environment}];
  });
}

function programOf(pid: string | undefined): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

function numbersIn(directory: string): number[] {
  try {
    return readdirSync(directory).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function listIn(path: string): string[] | undefined {
  try {
    return readFileSync(path, 'utf8').split('\0').slice(0, -1);
  } catch {
    return undefined;
  }
}

/** /proc/PID/stat from field 3 on (0 state, 1 parent, 2 group, 3 session, 19 start time): the name before it may hold blanks. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Polls until it is so, or until the bound; tells which. */
export async function pollUntil(isDone: () => boolean, boundMs: number): Promise<boolean> {
  const untilMs = performance.now() + boundMs;
  while (!isDone()) {
    if (performance.now() >= untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

// /proc/drbd of DRBD 8.4: the only source that costs no process, hence the one to poll. With DRBD 9 the file holds the
// version alone. It knows minors, not names. The protocol letter is a blank in StandAlone, so words are split by white
// space; a minor that is not configured has no line, or `cs:Unconfigured`.

import {
  type Connection,
  type DiskState,
  diskState,
  type Replication,
  type Role,
  roleOf,
  splitConnectionState,
} from './state.js';

export interface MinorState {
  readonly minor: number;
  readonly connection: Connection;
  readonly replication: Replication;
  readonly role: Role;
  readonly peerRole: Role;
  readonly disk: DiskState;
  readonly peerDisk: DiskState;
  readonly isSuspended: boolean;
  readonly outOfSyncKib: number | undefined;
  readonly progress: SyncProgress | undefined;
}

export interface SyncProgress {
  /** Since this resynchronisation began. */
  readonly percent: number;
  readonly finishS: number | undefined;
  readonly speedKibS: number | undefined;
}

export interface ProcDrbd {
  /** e.g. `8.4.11`. */
  readonly version: string;
  readonly minors: readonly MinorState[];
}

const MINOR = /^\s*(\d+): cs:(\S+)(?: ro:(\S+?)\/(\S+) ds:(\S+?)\/(\S+)(.*))?$/;

/** undefined: this is not /proc/drbd. */
export function parseProcDrbd(text: string): ProcDrbd | undefined {
  const version = /^version: (\S+)/.exec(text)?.[1];
  if (version === undefined) return undefined;
  const minors: MinorState[] = [];
  for (const line of text.split('\n')) {
    const found = MINOR.exec(line);
    const last = minors.at(-1);
    if (found) {
      if (found[2] !== 'Unconfigured') minors.push(minorOf(found));
    } else if (last) minors[minors.length - 1] = withDetail(last, line);
  }
  return {version, minors};
}

function minorOf([, minor, cs, role, peerRole, disk, peerDisk, rest]: RegExpExecArray): MinorState {
  return {
    minor: Number(minor),
    ...splitConnectionState(cs ?? ''),
    role: roleOf(role),
    peerRole: roleOf(peerRole),
    disk: diskState(disk),
    peerDisk: diskState(peerDisk),
    // The flags are the last word; the first of them is r (running) or s (suspended).
    isSuspended: (rest ?? '').trim().split(/\s+/).at(-1)?.startsWith('s') ?? false,
    outOfSyncKib: undefined,
    progress: undefined,
  };
}

function withDetail(minor: MinorState, line: string): MinorState {
  const oos = /\boos:(\d+)/.exec(line)?.[1];
  if (oos !== undefined) return {...minor, outOfSyncKib: Number(oos)};
  const percent = /sync'ed:\s*([\d.]+)%/.exec(line)?.[1];
  if (percent !== undefined)
    return {...minor, progress: {percent: Number(percent), finishS: undefined, speedKibS: undefined}};
  const finish = /finish: (\d+):(\d\d):(\d\d) speed: ([\d,]+)/.exec(line);
  if (!finish || !minor.progress) return minor;
  const [hours, minutes, seconds] = finish.slice(1, 4).map(Number) as [number, number, number];
  const finishS = hours * 3600 + minutes * 60 + seconds;
  return {...minor, progress: {...minor.progress, finishS, speedKibS: Number(finish[4]?.replaceAll(',', ''))}};
}

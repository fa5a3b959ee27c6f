// What the manager knows of a DRBD resource of its groups: small facts, made at the edge from what DRBD says (src/drbd/facts.ts),
// kept by the core in its state. What is not known changes nothing: then only the agent judges, when it is called.

export interface DiskFacts {
  readonly resource: string;
  /** `down`: DRBD answers and does not have it. `unknown`: no answer; the words below are `Unknown` then. */
  readonly found: 'up' | 'down' | 'unknown';
  readonly role: string;
  readonly peerRole: string;
  /** Of several volumes the worst. */
  readonly disk: string;
  readonly peerDisk: string;
  readonly connection: string;
  readonly replication: string;
  /** Why nothing may be started on this copy; undefined: the agent may be asked. */
  readonly bar: DiskBar | undefined;
  /** Why the other node may not be given what runs on this disk; undefined: its copy is connected and UpToDate. */
  readonly peerBar: DiskBar | undefined;
  /** Of two copies that DRBD calls good, connected: what `drbdadm verify` found to differ; undefined: nothing is known to. */
  readonly differsKib?: number;
  /** While a synchronisation runs, in either direction. */
  readonly progress: DiskProgress | undefined;
}

export interface DiskBar {
  /** Says what it is (`outdated`, `sync-target`, `not-connected`, ...); the text may change while it stays the same. */
  readonly code: string;
  /** Short, for people: `the disk of data is Outdated: ...`. */
  readonly text: string;
}

/**
 * DRBD may only not have noticed yet that its peer is gone, and an agent that asks makes it look; a disk may be attached by
 * the agent. So these bar nothing before the agent has tried in vain.
 */
export function barsAfterFailure({code}: DiskBar): boolean {
  return code === 'peer-primary' || code === 'no-disk';
}

/** What every standby says while the other node serves. */
export function isOrdinary({code}: DiskBar): boolean {
  return code === 'peer-primary';
}

/** Both copies are good by DRBD, and known to differ: in whose favour is not known, so nothing is moved by plan. */
export function isDiffering({code}: DiskBar): boolean {
  return code === 'differs';
}

const LOST = ['Diskless', 'Detaching', 'Failed'];
/** Nothing changes the two copies but what is written: what a disk is, it stays. */
export const SETTLED: readonly string[] = ['Established', 'VerifyS', 'VerifyT'];

/** What to do about a disk that fails below the service. */
export const STANDBY_FIRST = 'systole standby first, then docs/drbd.md, "A disk fails"';

/** What is served here is read from the other node's disk, if there is one. */
export function isDiskLost({role, disk}: Pick<DiskFacts, 'role' | 'disk'>): boolean {
  return role === 'Primary' && LOST.includes(disk);
}

/** The other node's copy: out of reach, there and bad, or (`passing`) about to become one or the other. */
export function copyOf({peerBar, replication, peerDisk}: DiskFacts): 'good' | 'gone' | 'bad' | 'passing' {
  if (peerBar === undefined || isDiffering(peerBar)) return 'good';
  if (peerBar.code === 'not-connected') return 'gone';
  return SETTLED.includes(replication) && isBad(peerDisk) ? 'bad' : 'passing';
}

function isBad(disk: string): boolean {
  return [...LOST, 'Inconsistent', 'Outdated'].includes(disk);
}

/** What to do about a copy that is there and bad, on the node that has it. */
export function badCopyTodo({resource, peerDisk}: DiskFacts): string {
  if (LOST.includes(peerDisk)) return 'docs/drbd.md, "A disk fails"';
  return `see the kernel log, then: drbdadm disconnect ${resource}; drbdadm connect ${resource}`;
}

export interface DiskProgress {
  /** Of the whole device; undefined: not known. */
  readonly percent: number | undefined;
  readonly leftKib: number;
  /** undefined: not yet known. */
  readonly speedKibS: number | undefined;
  readonly etaS: number | undefined;
}

/** `37.5 %, 40.4 MiB to go, 9.0 MiB/s, about 0:05 left`. */
export function progressText({percent, leftKib, speedKibS, etaS}: DiskProgress): string {
  return [
    ...(percent === undefined ? [] : [`${percent.toFixed(1)} %`]),
    `${sizeText(leftKib)} to go`,
    ...(speedKibS === undefined ? [] : [`${sizeText(speedKibS)}/s`]),
    ...(etaS === undefined ? [] : [`about ${durationText(etaS)} left`]),
  ].join(', ');
}

export function sizeText(kib: number): string {
  if (kib >= 1024 * 1024) return `${(kib / 1024 / 1024).toFixed(1)} GiB`;
  return kib >= 1024 ? `${(kib / 1024).toFixed(1)} MiB` : `${Math.round(kib)} KiB`;
}

/** `0:05`, `12:30`, `3:00:00`. */
function durationText(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
}

/** The DRBD resource that an entry of haresources stands for: `drbddisk::data`; `drbddisk` alone: `all`. */
export function diskOf(resource: {readonly script: string; readonly args: readonly string[]}): string | undefined {
  if (resource.script !== 'drbddisk') return undefined;
  // `data/0` is a volume of it; a device, `/dev/drbd0`, names none.
  const name = (resource.args[0] ?? 'all').split('/')[0];
  return name === '' ? undefined : name;
}

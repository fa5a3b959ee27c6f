// Who keeps a block device open, so that DRBD cannot let go of it: mounts in any mount namespace, processes with it open,
// devices built on it, swap, loop files. Reads /proc and /sys only. A process that ends while being looked at is no error.

import {readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';

const DRBD_MAJOR = 147;
/** Named of those that use one mount. */
const USERS_MAX = 5;

export interface Holder {
  /** undefined: the kernel itself holds it (swap, a device on top). */
  readonly pid: number | undefined;
  readonly kind: 'open' | 'mount' | 'device' | 'swap';
  /** For people: `process 812 (mariadbd --datadir=...) has it open`. */
  readonly text: string;
  /** Mount point, as the process sees it. */
  readonly point?: string;
  /** The mount is in this process's own namespace, so it could be unmounted from here. */
  readonly isOurs?: boolean;
}

export function holdersOf(minor: number, proc = '/proc', sys = '/sys'): readonly Holder[] {
  const number = `${DRBD_MAJOR}:${minor}`;
  return [...mounts(number, proc), ...openers(minor, proc), ...stacked(number, sys), ...swaps(minor, proc)];
}

function mounts(number: string, proc: string): readonly Holder[] {
  const ours = link(`${proc}/self/ns/mnt`);
  const seen = new Set<string>();
  const found: Holder[] = [];
  for (const pid of ['self', ...pids(proc)]) {
    const namespace = link(`${proc}/${pid}/ns/mnt`);
    if (namespace === undefined || seen.has(namespace)) continue;
    seen.add(namespace);
    for (const line of text(`${proc}/${pid}/mountinfo`).split('\n')) {
      const [, , device, , escaped] = line.split(' ');
      if (device !== number || escaped === undefined) continue;
      // The kernel writes blanks as \040.
      const point = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      const isOurs = namespace === ours;
      const where = isOurs ? '' : ` in the mount namespace of process ${describe(proc, pid)}`;
      found.push({
        pid: pid === 'self' ? undefined : Number(pid),
        kind: 'mount',
        point,
        isOurs,
        text: `it is mounted on ${point}${where}${usedBy(point, namespace, proc)}`,
      });
    }
  }
  return found;
}

/** Processes that keep a mount busy, as its own namespace names their files. Links are read, files never. */
function usedBy(point: string, namespace: string, proc: string): string {
  const isBelow = (path: string | undefined): boolean => path === point || path?.startsWith(`${point}/`) === true;
  const users = pids(proc).filter((pid) => {
    if (Number(pid) === process.pid || link(`${proc}/${pid}/ns/mnt`) !== namespace) return false;
    if (['cwd', 'root', 'exe'].some((name) => isBelow(link(`${proc}/${pid}/${name}`)))) return true;
    return names(`${proc}/${pid}/fd`).some((fd) => isBelow(link(`${proc}/${pid}/fd/${fd}`)));
  });
  if (users.length === 0) return '';
  const named = users.slice(0, USERS_MAX).map((pid) => describe(proc, pid));
  if (users.length > USERS_MAX) named.push(`${users.length - USERS_MAX} more`);
  return `, used by process ${named.join(', ')}`;
}

function openers(minor: number, proc: string): readonly Holder[] {
  const found: Holder[] = [];
  for (const pid of pids(proc)) {
    if (Number(pid) === process.pid) continue;
    const isOpen = names(`${proc}/${pid}/fd`).some((fd) => isDevice(`${proc}/${pid}/fd/${fd}`, minor));
    if (isOpen) found.push({pid: Number(pid), kind: 'open', text: `process ${describe(proc, pid)} has it open`});
  }
  return found;
}

function isDevice(path: string, minor: number): boolean {
  // Only what lies in /dev is looked at: a stat on a dead file server would never return.
  if (!link(path)?.startsWith('/dev/')) return false;
  try {
    const {rdev} = statSync(path);
    return major(rdev) === DRBD_MAJOR && minorOf(rdev) === minor;
  } catch {
    return false;
  }
}

function stacked(number: string, sys: string): readonly Holder[] {
  return names(`${sys}/dev/block/${number}/holders`).map((name) => ({
    pid: undefined,
    kind: 'device',
    text: `/dev/${name} (LVM, device mapper or MD) is built on it`,
  }));
}

function swaps(minor: number, proc: string): readonly Holder[] {
  const isSwap = text(`${proc}/swaps`)
    .split('\n')
    .some((line) => line.startsWith(`/dev/drbd${minor} `));
  return isSwap ? [{pid: undefined, kind: 'swap', text: 'it is in use as swap'}] : [];
}

function describe(proc: string, pid: string): string {
  const words = text(`${proc}/${pid}/cmdline`).replaceAll('\0', ' ').trim() || text(`${proc}/${pid}/comm`).trim();
  return `${pid} (${words.slice(0, 80) || 'gone'})`;
}

function pids(proc: string): readonly string[] {
  return names(proc).filter((name) => /^\d+$/.test(name));
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function major(rdev: number): number {
  return (rdev >> 8) & 0xfff;
}

function minorOf(rdev: number): number {
  return (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
}

// What the split-brain watch reads: a sight of a resource from DRBD's state or from /proc/drbd, a file that may not be there.

import {readFileSync, statSync} from 'node:fs';
import type {DiskSight} from '../../drbd/disk-times.js';
import type {ProcDrbd} from '../../drbd/proc-drbd.js';
import {isMet, type ResourceState} from '../../drbd/state.js';

export function sightOf(state: ResourceState): DiskSight {
  return {
    isPrimary: state.role === 'Primary',
    isConnected: state.peers.length > 0 && state.peers.every(isMet),
    writtenKib: undefined,
  };
}

/** Of each resource all of its minors together: connected when every one is, Primary when one is, written to when any was. */
export function sightsIn(
  {minors}: ProcDrbd,
  text: string,
  names: ReadonlyMap<number, string>,
): ReadonlyMap<string, DiskSight> {
  const written = writtenOf(text);
  const found = new Map<string, DiskSight>();
  for (const {minor, role, connection} of minors) {
    const name = names.get(minor);
    if (name === undefined) continue;
    const sight = {
      isPrimary: role === 'Primary',
      isConnected: connection === 'Connected',
      writtenKib: written.get(minor),
    };
    const others = found.get(name);
    found.set(name, others === undefined ? sight : bothOf(others, sight));
  }
  return found;
}

function bothOf(left: DiskSight, right: DiskSight): DiskSight {
  const [one, other] = [left.writtenKib, right.writtenKib];
  return {
    isPrimary: left.isPrimary || right.isPrimary,
    isConnected: left.isConnected && right.isConnected,
    writtenKib: one === undefined || other === undefined ? undefined : one + other,
  };
}

/** The counter `dw` of every minor. */
function writtenOf(text: string): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  let minor: number | undefined;
  for (const line of text.split('\n')) {
    const begins = /^\s*(\d+): cs:/.exec(line)?.[1];
    if (begins !== undefined) minor = Number(begins);
    const written = /\bdw:(\d+)/.exec(line)?.[1];
    if (minor !== undefined && written !== undefined) found.set(minor, Number(written));
  }
  return found;
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

export function ageMs(path: string): number | undefined {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}

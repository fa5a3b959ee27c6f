// What the split-brain watch reads: a sight of a resource from DRBD's state, the counters of /proc/drbd, a file that may not be there.

import {readFileSync, statSync} from 'node:fs';
import type {DiskSight} from '../../drbd/disk-times.js';
import {isMet, type ResourceState} from '../../drbd/state.js';

export function sightOf(state: ResourceState): DiskSight {
  return {
    isPrimary: state.role === 'Primary',
    isConnected: state.peers.length > 0 && state.peers.every(isMet),
    writtenKib: undefined,
  };
}

/** The counter `dw` of every minor. */
export function writtenOf(text: string): ReadonlyMap<number, number> {
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

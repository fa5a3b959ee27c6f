// The short answers of drbdadm and drbdsetup (8.4 and 9): role, dstate, cstate, and what an exit code with its words means.
// 8.4 prints LOCAL/PEER, 9 the local word for role; with several volumes there is a line for each.

import {type DiskState, diskState, type Role, roleOf, splitConnectionState} from './state.js';

/** The local role; the first line decides, as all volumes of a resource have one role. */
export function parseRole(text: string): Role {
  return roleOf(firstWord(text).split('/')[0]);
}

/** The local disk state of every volume. From the metadata of a resource that is down it is one word, without a peer. */
export function parseDstate(text: string): readonly DiskState[] {
  return lines(text).map((line) => diskState(line.split('/')[0]));
}

export function parseCstate(text: string): ReturnType<typeof splitConnectionState> {
  return splitConnectionState(firstWord(text));
}

function firstWord(text: string): string {
  return lines(text)[0] ?? '';
}

function lines(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** What to do where a disk has no metadata. Who knows only one node cannot tell a replaced disk from a first start. */
export function newDiskText(resource: string): string {
  return `new disk: drbdadm create-md ${resource}, then drbdadm up ${resource} (or adjust); the other node's data are copied here; never primary --force here (docs/drbd.md, "A disk fails"). Only where neither node ever had data: docs/drbd.md, "First start"`;
}

/** What stopped a drbdadm command; the kernel's number in parentheses is stabler than its words. */
export type Refusal =
  | 'peer-primary'
  | 'no-good-data'
  | 'held-open'
  | 'not-up'
  | 'not-configured'
  | 'no-metadata'
  | 'other';

export function refusalOf(exit: {readonly code: number | undefined; readonly output: string}): Refusal {
  const {code, output} = exit;
  if (/\(-1\)|Multiple primaries/.test(output)) return 'peer-primary';
  if (/\(-12\)|held open/i.test(output)) return 'held-open';
  if (/\(-2\)|UpToDate data/.test(output)) return 'no-good-data';
  if (/\(127\)|not allocated|No such resource|\(158\)|Unknown resource/i.test(output)) return 'not-up';
  if (/not defined in your config/.test(output)) return 'not-configured';
  if (/No valid meta.?data/i.test(output)) return 'no-metadata';
  if (code === 17) return 'no-good-data';
  return code === 10 ? 'not-up' : 'other';
}

// What the facts of DRBD mean for groups. A bad copy bars a start here: the agent would refuse it anyway, so it is not tried
// every few seconds, the peer is told that it is its turn, and the moment the facts change it is tried at once. A planned move
// wants more: the taker's copy connected and UpToDate, as either node sees it. Facts that are not known bar nothing.

import type {ControlReply} from '../model/control.js';
import {barsAfterFailure, type DiskFacts, diskOf, isDiffering, isOrdinary, progressText} from '../model/disk.js';
import type {Resource, ResourceGroup} from '../model/resource.js';
import type {Now} from '../model/time.js';
import {tellDisks} from './disk-news.js';
import {type Draft, ownsGroup, say} from './draft.js';
import {forgive} from './forgive.js';
import type {GroupState, ManagerState} from './state.js';

export interface Bar {
  /** The same as long as it is about the same thing; the text may tell a progress. */
  readonly about: string;
  readonly text: string;
}

/** DRBD says what there is within tenths of a second, on a busy machine within some. */
const FIRST_FACTS_MS = 3000;

type Refusal = Extract<ControlReply, {ok: false}>;

export function disksChanged(draft: Draft, disks: readonly DiskFacts[]): void {
  const {state} = draft;
  const barred = state.groups.filter((group) => barOf(state, group) !== undefined);
  const ofDisks = barred.filter((group) => isDisksFailure(state, group));
  state.disks = disks;
  tellDisks(draft, disks);
  // The edge says so where DRBD's programs are missing: there is nothing to wait for.
  if (disks.length === 0) state.disksDueMs = 0;
  for (const group of barred) {
    if (barOf(state, group) !== undefined) continue;
    if (ofDisks.includes(group)) unbar(draft, group);
    else group.barSaid = undefined;
  }
}

/** What failed here was its disk; not so when only a failure of another agent makes the disk count as a bar. */
function isDisksFailure(state: ManagerState, group: GroupState): boolean {
  if (disksOf(state, group).some(({bar}) => bar !== undefined && !barsAfterFailure(bar))) return true;
  const failed = group.failedAt === undefined ? undefined : group.definition.resources[group.failedAt];
  return failed === undefined || diskOf(failed) !== undefined;
}

/** An old failure was the disk's: it does not stand in the way of a start now. */
function unbar(draft: Draft, group: GroupState): void {
  if (ownsGroup(group)) return;
  forgive(group);
  if (group.barSaid === undefined) return;
  group.barSaid = undefined;
  const {key} = group.definition;
  say(draft, 'info', 'DISK_READY', `Resource group ${key} may be started here again: its disks are good`, {group: key});
}

/** Why a group must not be started here; undefined: it may be tried. */
export function barOf(state: ManagerState, group: GroupState): Bar | undefined {
  for (const disk of disksOf(state, group)) {
    if (disk.bar === undefined || (barsAfterFailure(disk.bar) && !group.isFailed)) continue;
    return {about: `${disk.resource} ${disk.bar.code}`, text: withProgress(disk, disk.bar.text)};
  }
  return undefined;
}

/** What DRBD says of disks that these groups name is on its way: until when it is waited for. */
export function firstFactsDueMs(groups: readonly ResourceGroup[], now: Now): number {
  return groups.some((group) => group.resources.some((each) => diskOf(each) !== undefined))
    ? now.monoMs + FIRST_FACTS_MS
    : 0;
}

/**
 * Nothing is known yet of a disk of the group. Who starts it blindly holds an address before the disk is asked for, beside an owner
 * that only its heartbeats have left; so for a moment nothing of it is started.
 */
export function awaitsDisks({state, now}: Draft, group: GroupState): boolean {
  if (now.monoMs >= state.disksDueMs) return false;
  const {disks} = state;
  const isKnown = (name: string): boolean => {
    const named = name === 'all' ? disks : disks.filter((disk) => disk.resource === name);
    return named.length > 0 && named.every((disk) => disk.found !== 'unknown');
  };
  return !group.definition.resources.every((each) => isKnown(diskOf(each) ?? '') || diskOf(each) === undefined);
}

/** Is this the agent of a disk that is Primary on the other node, as far as DRBD here has noticed? */
export function looksTaken({disks}: ManagerState, resource: Resource): boolean {
  const name = diskOf(resource);
  return disks.some(
    ({resource: each, bar}) => (name === each || name === 'all') && bar !== undefined && isOrdinary(bar),
  );
}

const BAD_DISKS = ['Diskless', 'Failed', 'Inconsistent', 'Outdated'];

/** Known to be no better on the other node. */
export function isPeerDiskBad(draft: Draft, group: GroupState): boolean {
  const disks = disksOf(draft.state, group);
  return disks.some((disk) => disk.connection === 'Connected' && BAD_DISKS.includes(disk.peerDisk));
}

/** Says once why a group is not started, and again when the reason changes. */
export function sayBar(draft: Draft, group: GroupState, bar: Bar): void {
  if (group.barSaid === bar.about) return;
  group.barSaid = bar.about;
  const {key} = group.definition;
  const text = `Resource group ${key} is not started here: ${bar.text}. It starts by itself when this is over`;
  say(draft, 'WARN', 'DISK_BARS', text, {group: key});
}

/** Why one of these groups cannot be given to the peer now; undefined: all can. */
export function giveRefusal(draft: Draft, groups: readonly GroupState[]): Refusal | undefined {
  const {peer} = draft.state;
  for (const group of groups) {
    for (const disk of disksOf(draft.state, group)) {
      if (disk.found !== 'up' || disk.role !== 'Primary' || disk.peerBar === undefined) continue;
      return notReady(`${peer?.name ?? 'the other node'} cannot take ${nameOf(group)}`, disk, disk.peerBar);
    }
  }
  return undefined;
}

/** Why this node cannot be given one of these groups now. */
export function takeRefusal(draft: Draft, groups: readonly GroupState[]): Refusal | undefined {
  for (const group of groups) {
    if (ownsGroup(group)) continue;
    for (const disk of disksOf(draft.state, group)) {
      const reason = takeBar(disk);
      if (reason !== undefined) return notReady(`${draft.state.self} cannot take ${nameOf(group)}`, disk, reason);
    }
  }
  return undefined;
}

function takeBar(disk: DiskFacts): {readonly code: string; readonly text: string} | undefined {
  const {resource} = disk;
  if (disk.found === 'unknown' || disk.role === 'Primary') return undefined;
  if (disk.found === 'down') return {code: 'not-connected', text: `${resource} is not up here`};
  if (disk.bar !== undefined && !isOrdinary(disk.bar)) return disk.bar;
  if (disk.connection !== 'Connected' && disk.connection !== 'Unknown') {
    return {
      code: 'not-connected',
      text: `${resource} is not connected (${disk.connection}), so the copy here may be old`,
    };
  }
  if (disk.peerBar !== undefined && isDiffering(disk.peerBar)) return disk.peerBar;
  if (disk.disk === 'UpToDate') return undefined;
  return {code: 'disk', text: `the disk of ${resource} is ${disk.disk} here`};
}

function notReady(head: string, disk: DiskFacts, reason: {readonly code: string; readonly text: string}): Refusal {
  const text = `${head}: ${withProgress(disk, reason.text)}`;
  return {ok: false, code: 'DISK_NOT_READY', text, hint: hintFor(reason)};
}

function hintFor(reason: {readonly code: string; readonly text: string}): string {
  if (reason.code.startsWith('sync-'))
    return 'with --wait the command waits for the end of the synchronisation; systole status shows how far it is';
  if (isDiffering(reason))
    return 'connected anew, DRBD synchronises these blocks from the node that serves; --wait waits for it';
  return 'DRBD has to replicate again first: see systole status and docs/drbd.md; --wait waits for it';
}

function withProgress(disk: DiskFacts, text: string): string {
  return disk.progress === undefined ? text : `${text}, ${progressText(disk.progress)}`;
}

function nameOf(group: GroupState): string {
  return group.definition.key;
}

/** `all` stands for every resource that is known. */
export function disksOf(state: ManagerState, group: GroupState): readonly DiskFacts[] {
  if (state.disks.length === 0) return [];
  const names = group.definition.resources.map(diskOf).filter((each) => each !== undefined);
  if (names.includes('all')) return state.disks;
  return state.disks.filter((each) => names.includes(each.resource));
}

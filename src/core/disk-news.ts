// What the log tells of the disks while nobody asks: a service that has lost its own disk or its other copy, copies that differ. Facts
// come several times for one change, so what was said is kept for each resource, and said once; what passes while DRBD shakes hands
// or synchronises is no change: a peer that reboots is lost once, and back when it is UpToDate again. Nothing is decided here.

import {badCopyTodo, copyOf, type DiskFacts, isDiskLost, SETTLED, STANDBY_FIRST, sizeText} from '../model/disk.js';
import {type Draft, say} from './draft.js';
import type {DiskSaid} from './state.js';

const NOTHING: DiskSaid = {role: 'Unknown', differsKib: 0, isDiskLost: false, copyLost: undefined};

/** Called with every new sight of the disks. */
export function tellDisks(draft: Draft, disks: readonly DiskFacts[]): void {
  const {state} = draft;
  const entries = disks.map((disk) => {
    const before = state.diskSaid[disk.resource] ?? NOTHING;
    return [disk.resource, disk.found === 'up' ? told(draft, disk, before) : before] as const;
  });
  state.diskSaid = Object.fromEntries(entries);
}

function told(draft: Draft, disk: DiskFacts, before: DiskSaid): DiskSaid {
  tellPromotion(draft, disk, before);
  const {role} = disk;
  // Where nothing is served nothing is lost.
  const isServing = role === 'Primary';
  return {
    role,
    differsKib: tellDifference(draft, disk, before),
    isDiskLost: isServing && tellDisk(draft, disk, before),
    copyLost: isServing ? tellCopy(draft, disk, before) : undefined,
  };
}

function tellDisk(draft: Draft, disk: DiskFacts, before: DiskSaid): boolean {
  const {resource, peerBar} = disk;
  const isLost = isDiskLost(disk);
  if (isLost && !before.isDiskLost) {
    const rest =
      peerBar === undefined
        ? `the service goes on with that of ${peerName(draft)}. What to do: ${STANDBY_FIRST}`
        : `and there is no other: ${peerBar.text}. What to do: docs/drbd.md, "A disk fails"`;
    say(draft, 'WARN', 'DISK_LOST', `The disk of ${resource} is lost here (${disk.disk}); ${rest}`, {resource});
  }
  // Attached again it is synchronised first.
  if (!before.isDiskLost || disk.disk !== 'UpToDate') return isLost || before.isDiskLost;
  say(draft, 'info', 'DISK_BACK', `The disk of ${resource} is good here again`, {resource});
  return false;
}

function tellCopy(draft: Draft, disk: DiskFacts, before: DiskSaid): DiskSaid['copyLost'] {
  const {resource, peerBar} = disk;
  const copy = copyOf(disk);
  if (copy === 'passing' || copy === (before.copyLost ?? 'good')) return before.copyLost;
  if (copy === 'good') {
    say(draft, 'info', 'COPY_BACK', `${peerName(draft)} has a good copy of ${resource} again`, {resource});
    return undefined;
  }
  const todo = copy === 'bad' ? `. What to do: on ${peerName(draft)}, ${badCopyTodo(disk)}` : '';
  const text = `What is written to ${resource} is on one node only: ${peerBar?.text ?? ''}${todo}`;
  say(draft, 'WARN', 'COPY_LOST', text, {resource});
  return copy;
}

function peerName({state}: Draft): string {
  return state.peer?.name ?? 'the other node';
}

/** Of copies that have lost each other what was known last holds on: nobody has made them alike since. */
function tellDifference(draft: Draft, disk: DiskFacts, before: DiskSaid): number {
  const {resource, peerBar, differsKib = 0} = disk;
  const isKnown = disk.connection === 'Connected' && disk.peerDisk === 'UpToDate' && SETTLED.includes(disk.replication);
  if (!isKnown) return before.differsKib;
  if (differsKib > 0 && before.differsKib === 0 && peerBar !== undefined) {
    const text = `${peerBar.text}. Until then nothing is moved by plan`;
    say(draft, 'WARN', 'COPIES_DIFFER', text, {resource, kib: differsKib});
  }
  if (differsKib === 0 && before.differsKib > 0) {
    const text = `The copies of ${resource} on the two nodes are not known to differ any more`;
    say(draft, 'info', 'COPIES_AGREE', text, {resource});
  }
  return differsKib;
}

/** A takeover beside a dead peer is not held up by it. */
function tellPromotion(draft: Draft, {resource, role}: DiskFacts, before: DiskSaid): void {
  if (role !== 'Primary' || before.role !== 'Secondary' || before.differsKib === 0) return;
  const size = sizeText(before.differsKib);
  const text = `${resource} is made Primary here with a copy that is known to differ from the other one in ${size}: which of them is right is not known. What to do: check the data; the other copy is synchronised from this one when it is back`;
  say(draft, 'WARN', 'COPY_IN_DOUBT', text, {resource, kib: before.differsKib});
}

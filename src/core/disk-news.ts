// What the log tells of the disks while nobody asks: of two copies, the one that is known to differ. Facts come several times for one
// change, so what was said is kept for each resource, and said once. Nothing is decided here.

import {type DiskFacts, sizeText} from '../model/disk.js';
import {type Draft, say} from './draft.js';
import type {DiskSaid} from './state.js';

const NOTHING: DiskSaid = {role: 'Unknown', differsKib: 0};
const SETTLED = ['Established', 'VerifyS', 'VerifyT'];

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
  return {role: disk.role, differsKib: tellDifference(draft, disk, before)};
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

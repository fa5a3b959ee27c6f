// What the split-brain watch remembers of one resource between its looks, and how it begins: a finding, and whether this copy is
// held back, are those of the process before.

import type {DiskHistory} from '../../drbd/disk-times.js';
import type {Relation} from '../../drbd/generation.js';
import type {View} from '../../drbd/view.js';
import {type DrbdPlaces, readFinding, readTimes} from './view-here.js';

/** A view that is older says nothing about now. */
const FRESH_MS = 120_000;

export interface Heard {
  readonly isAsked: boolean;
  readonly view: View | undefined;
  readonly heardMs: number;
}

export interface Known {
  history: DiskHistory;
  aloneSinceMs: number | undefined;
  askedMs: number;
  theirs: {readonly view: View; readonly heardMs: number} | undefined;
  /** Our identifiers at the last look: what was heard before they changed may be older than the change there. */
  marks: string;
  /** What this copy is to the other one, as long as neither can have changed it. */
  relation: Relation;
  /** The other side of a split brain that was found, also by an earlier process. */
  split: View | undefined;
  foundKey: string;
  foundMs: number;
  /** This copy stood back while the other one served; kept in the finding. */
  isHeldBack: boolean;
  /** Since when it is seen not to be Primary (performance.now). */
  idleSinceMs: number | undefined;
  /** Who was Primary when the finding was last written, and is held back: it decides which copy may serve. */
  keptRoles: string;
  /** When the finding was last written (performance.now). */
  findingKeptMs: number;
  keptMs: number;
}

export function beginKnown(places: DrbdPlaces, resource: string): Known {
  const kept = readFinding(places, resource);
  return {
    split: kept?.kind === 'split-brain' ? kept.theirs : undefined,
    isHeldBack: kept?.isHeldBack === true,
    idleSinceMs: undefined,
    history: {times: readTimes(places, resource), last: undefined, isWorthKeeping: false},
    aloneSinceMs: undefined,
    askedMs: Number.NEGATIVE_INFINITY,
    marks: '',
    theirs: undefined,
    relation: 'unknown',
    foundKey: '',
    foundMs: Date.now(),
    keptRoles: '',
    findingKeptMs: Number.NEGATIVE_INFINITY,
    keptMs: 0,
  };
}

/** What was heard of the other node not long ago. */
export function freshOf({theirs}: Known): View | undefined {
  return theirs !== undefined && performance.now() - theirs.heardMs < FRESH_MS ? theirs.view : undefined;
}

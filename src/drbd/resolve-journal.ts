// What `systole drbd resolve` has noted of a run, and whether it still speaks of the data that are here: DRBD may have finished
// by itself, and the disk may have served since. A journal is bound to the generation identifiers that it began with. Promises:
// one that is void is never gone on with, and nobody is told because of it that this node throws its changes away.

import {type Generation, sameGeneration} from './generation.js';
import {type BackupKind, type ResolveSight, STEPS, type Step} from './resolve-plan.js';
import type {DiskState} from './state.js';
import {generationsOf, type View, viewOf} from './view.js';

export interface Journal {
  readonly resource: string;
  readonly node: string;
  readonly startedMs: number;
  readonly backup: BackupKind;
  /** Of this backup; undefined: none is made. */
  readonly directory: string | undefined;
  /** As they were when it began. */
  readonly ours: View;
  readonly theirs: View | undefined;
  readonly done: readonly Step[];
}

/** From anything that JSON can hold. */
export function journalOf(value: unknown, resource: string): Journal | undefined {
  const item = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const ours = viewOf(item['ours']);
  const {backup, node, startedMs, directory, done} = item;
  if (ours === undefined || typeof node !== 'string' || typeof startedMs !== 'number') return undefined;
  if (backup !== 'changed' && backup !== 'full' && backup !== 'none') return undefined;
  if (!Array.isArray(done) || (backup !== 'none' && typeof directory !== 'string')) return undefined;
  return {
    resource,
    node,
    startedMs,
    backup,
    directory: typeof directory === 'string' ? directory : undefined,
    ours,
    theirs: viewOf(item['theirs']),
    done: STEPS.filter((step) => done.includes(step)),
  };
}

/** `unknown`: the identifiers cannot be read, so nothing may be thrown away because of it, nor may it be forgotten. */
export type Standing = 'binding' | 'void' | 'unknown';

/**
 * Outdated is what the run made of the disk, Inconsistent what DRBD makes of it while it overwrites. UpToDate, it was
 * synchronised to the end, or somebody forced it to be good. Identifiers stay until a synchronisation begins or somebody
 * writes: others on a disk that is not Inconsistent are those of other data.
 */
export function standingOf({ours, done}: Pick<Journal, 'ours' | 'done'>, now: View): Standing {
  const disks = disksOf(now);
  if (isBeingOverwritten(now)) return 'binding';
  if (done.includes('outdated') && disks.includes('UpToDate')) return 'void';
  const [before, after] = [generationsOf(ours), generationsOf(now)];
  if (before.length === 0 || before.length !== after.length) return 'unknown';
  return before.every((each, index) => isSame(each, after[index] as Generation)) ? 'binding' : 'void';
}

/** Nothing is known against it: it binds, as what is not known must not free the other node to discard too. */
export function isJournalVoid(journal: Pick<Journal, 'ours' | 'done'>, now: View): boolean {
  return standingOf(journal, now) === 'void';
}

/** A run that stopped within `attach`, or before: there is no disk whose identifiers could be read. */
export function isHalfUp({isUp, connection, disks}: ResolveSight): boolean {
  return isUp && connection !== 'Connected' && (disks.length === 0 || disks.includes('Diskless'));
}

/** From here on nothing can be saved any more. */
export function isBeingOverwritten(now: View): boolean {
  const isUnderSync = now.isUp && now.connection === 'Connected' && now.volumes.some(({disk}) => disk !== 'UpToDate');
  return isUnderSync || disksOf(now).includes('Inconsistent');
}

/** While the resource is down the flags of the metadata say it. */
function disksOf({isUp, volumes}: View): readonly DiskState[] {
  if (isUp) return volumes.map(({disk}) => disk);
  return generationsOf({volumes}).map(({flags}) => {
    if (!flags.isConsistent) return 'Inconsistent';
    return flags.isUpToDate ? 'UpToDate' : 'Outdated';
  });
}

function isSame(before: Generation, after: Generation): boolean {
  return sameGeneration(before.current, after.current) && sameGeneration(before.bitmap, after.bitmap);
}

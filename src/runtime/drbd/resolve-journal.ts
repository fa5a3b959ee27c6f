// What `systole drbd resolve` has done so far, on disk before the next step begins: a run that was interrupted goes on from it. While
// it is there, dopd tells the other node that this one throws its changes away.

import {existsSync, rmSync} from 'node:fs';
import {dirname} from 'node:path';
import type {BackupKind, Step} from '../../drbd/resolve-plan.js';
import {type View, viewOf} from '../../drbd/view.js';
import {syncDirectory, writeDurably} from './durable.js';
import {type DrbdPlaces, journalPath, readJson} from './view-here.js';

export interface Journal {
  readonly resource: string;
  readonly node: string;
  readonly startedMs: number;
  readonly backup: BackupKind;
  /** Of this backup; undefined: none is made. */
  readonly directory: string | undefined;
  readonly ours: View;
  readonly theirs: View | undefined;
  readonly done: readonly Step[];
}

const STEPS: readonly Step[] = ['outdated', 'saved', 'around', 'released'];

/** undefined: nothing is under way. `unreadable`: something is, but the file says not what. */
export function readJournal(places: DrbdPlaces, resource: string): Journal | 'unreadable' | undefined {
  const path = journalPath(places, resource);
  if (!existsSync(path)) return undefined;
  const value = readJson(path) ?? {};
  const item = value as Readonly<Record<string, unknown>>;
  const ours = viewOf(item['ours']);
  const {backup, node, startedMs, directory, done} = item;
  if (ours === undefined || typeof node !== 'string' || typeof startedMs !== 'number') return 'unreadable';
  if (backup !== 'changed' && backup !== 'full' && backup !== 'none') return 'unreadable';
  if (!Array.isArray(done) || (backup !== 'none' && typeof directory !== 'string')) return 'unreadable';
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

export function writeJournal(places: DrbdPlaces, journal: Journal): void {
  writeDurably(journalPath(places, journal.resource), journal);
}

export function dropJournal(places: DrbdPlaces, resource: string): void {
  const path = journalPath(places, resource);
  rmSync(path, {force: true});
  syncDirectory(dirname(path));
}

// What `systole drbd resolve` has done so far, on disk before the next step begins: a run that was interrupted goes on from it. While
// it is there, dopd tells the other node that this one throws its changes away.

import {existsSync, rmSync} from 'node:fs';
import {dirname} from 'node:path';
import {type Journal, journalOf} from '../../drbd/resolve-journal.js';
import {syncDirectory, writeDurably} from './durable.js';
import {type DrbdPlaces, journalPath, readJson} from './view-here.js';

/** undefined: nothing is under way. `unreadable`: something is, but the file says not what. */
export function readJournal(places: DrbdPlaces, resource: string): Journal | 'unreadable' | undefined {
  const path = journalPath(places, resource);
  if (!existsSync(path)) return undefined;
  return journalOf(readJson(path), resource) ?? 'unreadable';
}

export function writeJournal(places: DrbdPlaces, journal: Journal): void {
  writeDurably(journalPath(places, journal.resource), journal);
}

export function dropJournal(places: DrbdPlaces, resource: string): void {
  const path = journalPath(places, resource);
  rmSync(path, {force: true});
  syncDirectory(dirname(path));
}

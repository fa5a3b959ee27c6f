// Which backup `systole drbd resolve` makes, and where, by the words of this call and of an earlier one. Until it is made a later call
// may choose another: a full disk must not leave the resource down for good. Afterwards other words are refused, never ignored.

import {dirname, resolve} from 'node:path';
import type {Journal} from '../../drbd/resolve-journal.js';
import type {BackupKind} from '../../drbd/resolve-plan.js';

export interface BackupWords {
  readonly backup?: string | undefined;
  readonly 'backup-full': boolean;
  readonly 'no-backup': boolean;
}

export interface Choice {
  readonly backup: BackupKind;
  /** Absolute: a later call has another working directory. */
  readonly parent: string;
}

export function chooseBackup(words: BackupWords, parent: string): Choice {
  const backup = words['no-backup'] ? 'none' : words['backup-full'] ? 'full' : 'changed';
  return {backup, parent: resolve(words.backup ?? parent)};
}

/** What this call says otherwise than the journal; undefined: nothing. */
export function chooseAgain(
  {backup, directory}: Pick<Journal, 'backup' | 'directory'>,
  words: BackupWords,
  parent: string,
): Choice | undefined {
  if (!words['no-backup'] && !words['backup-full'] && words.backup === undefined) return undefined;
  const said = chooseBackup(words, directory === undefined ? parent : dirname(directory));
  // --backup alone names a place; what is saved there stays as it was.
  const isPlaceOnly = said.backup === 'changed' && backup !== 'none';
  const choice = isPlaceOnly ? {...said, backup} : said;
  const isSame = choice.backup === backup && (directory === undefined || choice.parent === dirname(directory));
  return isSame ? undefined : choice;
}

/** undefined: none is made. */
export function directoryFor(
  {backup, parent}: Choice,
  {resource, startedMs}: Pick<Journal, 'resource' | 'startedMs'>,
): string | undefined {
  const stamp = new Date(startedMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return backup === 'none' ? undefined : `${parent}/${resource.replaceAll('/', '_')}-${stamp}Z`;
}

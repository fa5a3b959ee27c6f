// Files of which a program that starts after a power cut must find the old text or the new one, never half. Errors of the file
// system are thrown.

import {closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync} from 'node:fs';
import {dirname, resolve} from 'node:path';
import {writeAll} from '../write-all.js';

/** As JSON, whole or not at all, and there after a power cut. Waits for the disk. */
export function writeDurably(path: string, value: unknown): void {
  makeDirectory(dirname(path));
  const draft = `${path}.new`;
  try {
    const file = openSync(draft, 'w', 0o600);
    try {
      writeAll(file, `${JSON.stringify(value, undefined, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    removeDraft(draft);
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Half a file would keep what little room is left. */
function removeDraft(draft: string): void {
  try {
    rmSync(draft, {force: true});
  } catch {
    // The first error is the one that says what is wrong.
  }
}

/** Each directory that is made is there after a power cut: its name is in the one above it. */
export function makeDirectory(path: string, sync = syncDirectory, mode = 0o755): void {
  const first = mkdirSync(path, {recursive: true, mode});
  if (first === undefined) return;
  for (let made = resolve(path); made.length >= first.length; made = dirname(made)) sync(dirname(made));
}

/** What was created, renamed or removed in it stays so. */
export function syncDirectory(directory: string): void {
  const file = openSync(directory, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

// Files of which a program that starts after a power cut must find the old text or the new one, never half. Errors of the file
// system are thrown.

import {closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync} from 'node:fs';
import {dirname} from 'node:path';

/** As JSON, whole or not at all, and there after a power cut. Waits for the disk. */
export function writeDurably(path: string, value: unknown): void {
  mkdirSync(dirname(path), {recursive: true});
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncDirectory(dirname(path));
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

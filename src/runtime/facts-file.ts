// Keeps the ownership facts of the core over a crash of the daemon. Written to a new file, flushed, renamed: after a power
// cut the file holds the old facts or the new ones. Promises: persist() settles within a bounded time, so that a disk that
// hangs delays a takeover by that much and not for ever; it tells whether the facts are safe.

import {readFileSync} from 'node:fs';
import {mkdir, open, rename} from 'node:fs/promises';
import {dirname} from 'node:path';
import type {PersistedFacts} from '../model/manager.js';

export type FactsRead =
  | {readonly ok: true; readonly facts: PersistedFacts | undefined}
  /** A file is there but cannot be believed. */
  | {readonly ok: false; readonly reason: string};

export function readFacts(path: string): FactsRead {
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isFacts(found) ? {ok: true, facts: found} : {ok: false, reason: 'it does not hold ownership facts'};
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {ok: true, facts: undefined};
    return {ok: false, reason: (error as Error).message};
  }
}

export interface FactsFile {
  /** undefined: on disk. Otherwise why not. */
  persist(facts: PersistedFacts): Promise<string | undefined>;
}

export function openFactsFile(path: string, boundMs = 2000): FactsFile {
  let lastText = '';
  // One write at a time: a late one must not overtake a newer one.
  let previous: Promise<unknown> = Promise.resolve();
  return {
    async persist(facts) {
      const text = `${JSON.stringify(facts)}\n`;
      if (text === lastText) return undefined;
      const written = previous.then(() => writeSafely(path, text));
      previous = written.catch(() => {});
      const failure = await within(written, boundMs);
      lastText = failure === undefined ? text : '';
      return failure;
    },
  };
}

async function writeSafely(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await mkdir(dirname(path), {recursive: true});
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const directory = await open(dirname(path), 'r');
  await directory.sync().finally(() => directory.close());
}

function within(written: Promise<void>, boundMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`not written within ${boundMs} ms`), boundMs);
    const settle = (failure: string | undefined): void => {
      clearTimeout(timer);
      resolve(failure);
    };
    written.then(
      () => settle(undefined),
      (error: Error) => settle(error.message),
    );
  });
}

function isFacts(value: unknown): value is PersistedFacts {
  const {claims, failCounts} = (value ?? {}) as {claims?: unknown; failCounts?: unknown};
  return isNumbers(claims) && isNumbers(failCounts);
}

function isNumbers(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => Number.isSafeInteger(each))
  );
}

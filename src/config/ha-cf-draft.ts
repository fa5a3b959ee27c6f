// What has been read of ha.cf so far: directives as lines with positions, and the values they gave. Cross checks and the
// final HaConfig are made from this once the whole file was read, so that nothing depends on the order of lines.

import type {ApiAuth, Medium, RespawnClient, StonithDevice} from '../model/config.js';
import type {Facts} from './facts.js';
import type {Report} from './report.js';
import {part, trimmed, type Word, withoutComment, wordsOf} from './source.js';
import type {Value} from './values.js';

/** One line of ha.cf that holds something. */
export interface Directive {
  readonly name: Word;
  /** Everything behind the directive, as the directives that take a whole line want it. */
  readonly rest: Word;
  /** The same, split at blanks, tabs and commas. */
  readonly list: readonly Word[];
  /** The same, split at blanks and tabs only. */
  readonly words: readonly Word[];
}

export interface Given {
  readonly value: Value;
  readonly word: Word;
  /** The word of the directive itself. */
  readonly name: Word;
}

export interface PlacedMedium {
  readonly medium: Medium;
  readonly name: Word;
}

export interface Draft {
  readonly file: string;
  readonly facts: Facts;
  readonly report: Report;
  /** By directive; the last one given counts. */
  readonly given: Map<string, Given>;
  readonly nodes: Word[];
  readonly media: PlacedMedium[];
  readonly clients: {readonly client: RespawnClient; readonly name: Word}[];
  readonly apiauth: ApiAuth[];
  readonly env: Map<string, string>;
  stonith: StonithDevice | undefined;
}

export function newDraft(file: string, facts: Facts, report: Report): Draft {
  const empty = {given: new Map(), nodes: [], media: [], clients: [], apiauth: [], env: new Map()};
  return {file, facts, report, ...empty, stonith: undefined};
}

/** The directive of a line; undefined for a line that is empty or a comment. */
export function directiveOf(line: Word): Directive | undefined {
  const code = trimmed(withoutComment(line));
  const name = wordsOf(code, 'blanks')[0];
  if (name === undefined) return undefined;
  const rest = trimmed(part(code, name.length, code.length));
  return {name, rest, list: wordsOf(rest, 'list'), words: wordsOf(rest, 'blanks')};
}

export function numberGiven(draft: Draft, name: string): number | undefined {
  const found = draft.given.get(name)?.value;
  return typeof found === 'number' ? found : undefined;
}

export function textGiven(draft: Draft, name: string): string | undefined {
  const found = draft.given.get(name)?.value;
  return typeof found === 'string' ? found : undefined;
}

export function booleanGiven(draft: Draft, name: string): boolean | undefined {
  const found = draft.given.get(name)?.value;
  return typeof found === 'boolean' ? found : undefined;
}

/** Where to point for a directive: at its value, or at the whole file if it was not given. */
export function placeOf(draft: Draft, name: string): Word {
  return draft.given.get(name)?.word ?? {file: draft.file, line: 0, column: 0, length: 0, text: ''};
}

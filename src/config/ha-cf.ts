// Reads ha.cf with Heartbeat 3.0.6's own syntax: one directive per line, case-sensitive, `#` a comment anywhere, the last
// value wins. Promises to read any text to its end and to report every fault where it stands; whether the values fit
// together is judged afterwards (ha-cf-check.ts).

import type {Facts} from './facts.js';
import {apiauth, client, environment, stonith, stonithHost} from './ha-cf-clients.js';
import {type Directive, type Draft, directiveOf, newDraft} from './ha-cf-draft.js';
import {foreignDirectives, isBuilt, pacemakerWords, unbuilt, withoutEffect} from './ha-cf-explicit.js';
import {mediumReaders} from './ha-cf-media.js';
import {scalarReaders} from './ha-cf-scalars.js';
import {suggestion} from './nearest.js';
import type {Report} from './report.js';
import {linesOf, type SourceFile, type Word, wholeFile} from './source.js';
import {parseBoolean, type Reader} from './values.js';

type DirectiveReader = (draft: Draft, directive: Directive) => void;

const readers: ReadonlyMap<string, DirectiveReader> = new Map<string, DirectiveReader>([
  ['node', nodes],
  ['respawn', client],
  ['failfast', client],
  ['apiauth', apiauth],
  ['stonith', stonith],
  ['stonith_host', stonithHost],
  ['env', environment],
  ['crm', pacemaker],
  ['pacemaker', pacemaker],
  ...mediumReaders,
]);

/** Heartbeat stops here when it meets the directive twice. */
const ONCE = ['watchdog', 'baud'];

/** Every directive known, for the nearest match and for documentation. */
export const directiveNames: readonly string[] = [...readers.keys(), ...scalarReaders.keys()];

export function parseHaCf(source: SourceFile, facts: Facts, report: Report): Draft {
  const draft = newDraft(source.path, facts, report);
  if (source.text === undefined) {
    const reason = source.problem === undefined ? '' : `: ${source.problem}`;
    report('HB_CONFIG_MISSING', wholeFile(source.path), `Cannot open configuration file [${source.path}]${reason}`);
    return draft;
  }
  for (const line of linesOf(source)) {
    const directive = directiveOf(line);
    if (directive !== undefined) apply(draft, directive);
  }
  return draft;
}

function apply(draft: Draft, directive: Directive): void {
  const name = directive.name.text;
  const scalar = scalarReaders.get(name);
  const reader = readers.get(name);
  if (scalar === undefined && reader === undefined) {
    refuse(draft, directive.name);
    return;
  }
  announce(draft, directive.name);
  if (directive.list.length === 0) {
    draft.report('HB_CONFIG_NO_VALUE', directive.name, `${name} has no value and does nothing`);
    return;
  }
  if (scalar !== undefined) readScalar(draft, directive, scalar);
  else reader?.(draft, directive);
}

function refuse(draft: Draft, name: Word): void {
  const foreign = foreignDirectives.get(name.text);
  const text = `Illegal directive [${name.text}] in ${draft.file}`;
  if (foreign !== undefined) draft.report('HB_CONFIG_UNSUPPORTED', name, text, foreign);
  else draft.report('HB_CONFIG_DIRECTIVE', name, text, () => suggestion(name.text, directiveNames));
}

function announce(draft: Draft, name: Word): void {
  const missing = unbuilt.get(name.text);
  if (missing !== undefined && !isBuilt(name.text)) {
    draft.report('HB_CONFIG_NOT_BUILT', name, `${name.text} is accepted but not built yet: ${missing}`);
  }
  const why = withoutEffect.get(name.text);
  if (why !== undefined)
    draft.report('HB_CONFIG_NO_EFFECT', name, `${name.text} is accepted and has no effect: ${why}`);
}

function readScalar(draft: Draft, {name, list}: Directive, read: Reader): void {
  for (const word of list) {
    const reading = read(word.text, name.text);
    if (!reading.ok) {
      draft.report(reading.code, word, reading.text, reading.hint);
      continue;
    }
    const before = draft.given.get(name.text);
    if (before !== undefined) repeated(draft, name, word, before.word);
    draft.given.set(name.text, {value: reading.value, word, name});
    if (name.text === 'nice_failback') niceFailback(draft, name, word);
  }
}

function repeated(draft: Draft, name: Word, word: Word, before: Word): void {
  if (ONCE.includes(name.text)) {
    draft.report('HB_CONFIG_ONCE', word, `${name.text} is given twice, first on line ${before.line}`);
  } else {
    const text = `${name.text} [${word.text}] replaces [${before.text}] of line ${before.line}`;
    draft.report('HB_CONFIG_REPEATED', word, text);
  }
}

/** Obsolete: any value means legacy, or off if auto_failback stands above it. */
function niceFailback(draft: Draft, name: Word, word: Word): void {
  const meant = draft.given.has('auto_failback') ? 'off' : 'legacy';
  draft.report('HB_CONFIG_OBSOLETE', name, `nice_failback is obsolete and means auto_failback ${meant}`);
  draft.given.set('auto_failback', {value: meant, word, name});
}

function nodes(draft: Draft, {list}: Directive): void {
  for (const word of list) {
    if (word.text.length > 99) draft.report('HB_CONFIG_NODE_NAME', word, `node name [${word.text}] is too long`);
    else if (draft.nodes.some(({text}) => text.toLowerCase() === word.text.toLowerCase())) {
      draft.report('HB_CONFIG_NODE_DUPLICATE', word, `node ${word.text} is named twice`);
    } else draft.nodes.push(word);
  }
}

function pacemaker(draft: Draft, {name, list}: Directive): void {
  for (const word of list) {
    if (draft.given.has('pacemaker')) {
      draft.report('HB_CONFIG_ONCE', word, 'pacemaker/crm directive used multiple times!');
    } else if (pacemakerWords.includes(word.text.toLowerCase())) {
      const text = `${name.text} ${word.text} asks for Pacemaker, which is not part of this program`;
      draft.report('HB_CONFIG_PACEMAKER', word, text);
    } else if (parseBoolean(word.text) !== false) {
      draft.report('HB_CONFIG_WORD', word, `${name.text} [${word.text}] is not known`, 'write off, or remove the line');
    }
    draft.given.set('pacemaker', {value: word.text, word, name});
  }
}

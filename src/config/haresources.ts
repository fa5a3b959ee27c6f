// Reads haresources the way Heartbeat's scripts do, which is what counts (resource-engine.md 4.2): `#` ends a line even
// inside a word, a backslash as the very last character joins it with the next, the first word is lower-cased, all others
// keep their case. Reports what makes a line unreadable; whether the groups make sense is judged in haresources-check.ts.

import type {Resource, ResourceGroup} from '../model/resource.js';
import type {Report} from './report.js';
import {linesOf, part, type SourceFile, type Word, wholeFile, withoutComment, wordsOf} from './source.js';

/** One logical line: words keep the place they were written at, over continuations. */
export interface PlacedGroup {
  readonly home: Word;
  readonly words: readonly Word[];
  readonly group: ResourceGroup;
}

/** Longest line Heartbeat's own reader takes. */
const LINE_BYTES_MAX = 5120;

export function parseHaresources(source: SourceFile, report: Report): PlacedGroup[] {
  if (source.text === undefined) {
    const reason = source.problem === undefined ? '' : `: ${source.problem}`;
    const text = `Cannot open resources file [${source.path}]${reason}`;
    report('HB_HARESOURCES_MISSING', wholeFile(source.path), text);
    return [];
  }
  const groups: PlacedGroup[] = [];
  let open: Word[] = [];
  let gluing = false;
  for (const line of linesOf(source)) {
    if (utf8Length(line.text) >= LINE_BYTES_MAX) {
      report('HB_HARESOURCES_LINE_LONG', part(line, 0, 1), `this line is longer than ${LINE_BYTES_MAX - 1} bytes`);
    }
    const code = withoutComment(line);
    const continued = code.text.endsWith('\\');
    const body = continued ? part(code, 0, code.length - 1) : code;
    open = joined(open, wordsOf(body, 'blanks'), gluing && /^\S/.test(body.text));
    gluing = continued && /\S$/.test(body.text);
    if (continued) continue;
    finish(groups, open, report);
    open = [];
  }
  finish(groups, open, report);
  return groups;
}

/** `abc\` followed by `def` in the first column is one word, as it is for the scripts. */
function joined(open: readonly Word[], words: readonly Word[], glue: boolean): Word[] {
  const last = open.at(-1);
  const [first, ...rest] = words;
  if (!glue || last === undefined || first === undefined) return [...open, ...words];
  return [...open.slice(0, -1), {...last, text: last.text + first.text}, ...rest];
}

function finish(groups: PlacedGroup[], words: readonly Word[], report: Report): void {
  const [home, ...rest] = words;
  if (home === undefined) return;
  const usable = rest.filter((word) => {
    if (word.text !== '\\') return true;
    report(
      'HB_HARESOURCES_CONTINUATION',
      word,
      'this backslash does not continue the line: it is not its last character',
    );
    return false;
  });
  const key = usable[0];
  if (key === undefined) {
    report('HB_HARESOURCES_EMPTY_GROUP', home, `node ${home.text.toLowerCase()} has no resources on this line`);
    return;
  }
  const group: ResourceGroup = {
    key: key.text,
    home: home.text.toLowerCase(),
    resources: usable.map((word) => resourceOf(word.text)),
    source: {line: home.line},
  };
  groups.push({home, words: usable, group});
}

/** `Filesystem::/dev/drbd0::/data` is a script with two arguments; four groups of digits are an address for IPaddr. */
export function resourceOf(word: string): Resource {
  const isAddress = /^\d+\.\d+\.\d+\.\d/.test(word);
  const [script = '', ...args] = (isAddress ? `IPaddr::${word}` : word).split('::');
  return {word, script, args: args.filter((arg) => arg !== '')};
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

// Text with positions. Every reader of a configuration file works on lines and words that know where they stand, so
// that a finding can point at the very characters. Lines and columns count from 1. Total: any text is readable.

/** `text` is undefined when the file could not be read; `problem` then says why, e.g. `ENOENT`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string | undefined;
  readonly problem?: string;
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface Word extends Place {
  readonly text: string;
}

/** The whole file is meant. */
export function wholeFile(file: string): Place {
  return {file, line: 0, column: 0, length: 0};
}

/** Lines without their ends; a carriage return before the end is dropped too, as Heartbeat does. */
export function linesOf(source: SourceFile): Word[] {
  const lines = (source.text ?? '').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((raw, index) => {
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    return {file: source.path, line: index + 1, column: 1, length: text.length, text};
  });
}

/** A part of a word, by offsets into its text. */
export function part(word: Word, from: number, to: number): Word {
  const text = word.text.slice(from, to);
  return {file: word.file, line: word.line, column: word.column + from, length: text.length, text};
}

/** Everything from `mark` on is a comment, even inside a word: so Heartbeat reads it. */
export function withoutComment(line: Word, mark: RegExp = /#/): Word {
  const at = line.text.search(mark);
  return at < 0 ? line : part(line, 0, at);
}

export function wordsOf(line: Word, separators: 'blanks' | 'list'): Word[] {
  const pattern = separators === 'blanks' ? /[^ \t\r\v\f]+/g : /[^ \t\r\v\f,]+/g;
  return [...line.text.matchAll(pattern)].map((found) => part(line, found.index, found.index + found[0].length));
}

/** The same text without blanks at either end. */
export function trimmed(word: Word): Word {
  const from = word.text.length - word.text.trimStart().length;
  return part(word, from, Math.max(from, word.text.trimEnd().length));
}

/** The place just behind a word, where something is missing. */
export function after(word: Place): Place {
  return {...word, column: word.column + word.length, length: 0};
}

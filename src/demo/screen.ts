// The demo's live output for a person: numbered steps with the time since the start, 80 columns, colours only on a
// terminal. While a step waits, a terminal shows one changing line; anything else gets only the lines that stay.

import type {NodeReport} from './stage.js';

const width = 80;
const tick = 100;

export interface Screen {
  title(text: string, facts: readonly string[]): void;
  step(text: string): void;
  note(text: string): void;
  good(text: string): void;
  bad(text: string): void;
  table(rows: readonly NodeReport[]): void;
  /** Shows `text()` until the promise settles; nothing remains of it. */
  during<T>(promise: Promise<T>, text: () => string): Promise<T>;
}

export const silent: Screen = {
  title: () => {},
  step: () => {},
  note: () => {},
  good: () => {},
  bad: () => {},
  table: () => {},
  during: (promise) => promise,
};

export function makeScreen(out: NodeJS.WriteStream, steps: number): Screen {
  const startMs = performance.now();
  const colour = out.isTTY && !process.env['NO_COLOR'];
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const at = () => `${((performance.now() - startMs) / 1000).toFixed(1).padStart(5)} s`;
  const line = (text = '') => out.write(`${text}\n`);
  const stamped = (mark: string, text: string) => {
    const [first = '', ...rest] = wrap(text, width - 12);
    line(`${paint(2, at())}  ${mark} ${first}`);
    for (const each of rest) line(`${' '.repeat(11)}${each}`);
  };
  let number = 0;
  return {
    title: (text, facts) => {
      line(paint(1, text));
      line('='.repeat(text.length));
      for (const fact of facts) line(fact);
    },
    step: (text) => {
      number += 1;
      line();
      line(paint(1, `[${number}/${steps}] ${text}`));
    },
    note: (text) => stamped(' ', text),
    good: (text) => stamped(paint(32, '+'), text),
    bad: (text) => stamped(paint(31, '!'), text),
    table: (rows) => {
      for (const row of tabulate(rows)) line(`${' '.repeat(11)}${row}`);
    },
    during: (promise, text) => (out.isTTY ? spin(out, promise, () => `${at()}  … ${text()}`) : promise),
  };
}

async function spin<T>(out: NodeJS.WriteStream, promise: Promise<T>, text: () => string): Promise<T> {
  const timer = setInterval(() => out.write(`\r\u001b[K${text().slice(0, width - 1)}`), tick);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    out.write('\r\u001b[K');
  }
}

/** Columns in the order of the first row. */
function tabulate(rows: readonly NodeReport[]): string[] {
  const names = rows[0]?.cells.map((cell) => cell.name) ?? [];
  const body = rows.map(({node, cells}) => [node, ...cells.map((cell) => cell.value)]);
  const all = [['', ...names], ...body];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > columns) {
      lines.push(current);
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current];
}

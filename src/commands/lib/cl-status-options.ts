// The options of cl_status: single letters, anywhere among the words, and for each sub-command its own set.

import {hostname} from 'node:os';
import {Exit, stamp} from './program.js';

export interface Request {
  readonly words: readonly string[];
  readonly verbose: boolean;
  /** -m: a sentence instead of a word. */
  readonly forHumans: boolean;
  readonly nodeType: 'ping' | 'normal' | undefined;
  readonly parameter: string | undefined;
}

const PARAMETER_ERROR = 11;
const ALLOWED: Readonly<Record<string, string>> = {
  hbstatus: 'mv',
  listnodes: 'mnpv',
  listhblinks: 'mv',
  hbparameter: 'mp',
};

export function parseOptions(name: string, given: readonly string[]): Request {
  const allowed = ALLOWED[name] ?? 'm';
  const letters = new Set<string>();
  const words: string[] = [];
  let parameter: string | undefined;
  for (let at = 0; at < given.length; at += 1) {
    const word = given[at]!;
    if (word === '--') {
      words.push(...given.slice(at + 1));
      break;
    }
    if (!/^-./.test(word)) {
      words.push(word);
      continue;
    }
    // Only hbparameter's -p takes a value: the rest of the word, or the next one.
    const valueAt = name === 'hbparameter' ? word.indexOf('p') : -1;
    const known = valueAt < 0 ? word.slice(1) : word.slice(1, valueAt + 1);
    for (const letter of known) if (!allowed.includes(letter)) refuse(name, letter);
    for (const letter of known) letters.add(letter);
    if (valueAt < 0) continue;
    parameter = word.slice(valueAt + 1) || given[at + 1];
    if (word.length === valueAt + 1) at += 1;
  }
  return {words, verbose: letters.has('v'), forHumans: letters.has('m'), nodeType: nodeType(letters, name), parameter};
}

function nodeType(letters: ReadonlySet<string>, name: string): Request['nodeType'] {
  if (name !== 'listnodes') return undefined;
  if (letters.has('p')) return 'ping';
  return letters.has('n') ? 'normal' : undefined;
}

function refuse(name: string, letter: string): never {
  throw new Exit(
    PARAMETER_ERROR,
    `${name}: invalid option -- '${letter}'\n` +
      `${stamp()} ${hostname()} cl_status: [${process.pid}]: ERROR: Error: getopt returnedcharacter ${name === 'listnodes' ? 'code ' : ''}?.`,
  );
}

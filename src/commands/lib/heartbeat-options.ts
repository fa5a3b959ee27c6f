// The flags of `heartbeat`: single letters that may be joined, as Heartbeat 3.0.6 reads them (resource-engine.md 6.6).

import {calledAs, Exit} from './program.js';

export interface HeartbeatOptions {
  /** The letters given, each once. */
  readonly flags: ReadonlySet<string>;
  /** How often -d was given. */
  readonly debug: number;
  /** -C: what the former process held, for the restart that keeps resources. */
  readonly holding: string | undefined;
}

const LETTERS = 'dDkMrRsvWlVf';
const BAD_OPTION = 2;

export function parseHeartbeatOptions(words: readonly string[]): HeartbeatOptions {
  const flags = new Set<string>();
  let debug = 0;
  let holding: string | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '--help') throw new Exit(0, usage());
    // Other words have always been ignored.
    if (!/^-./.test(word)) continue;
    for (let index = 1; index < word.length; index += 1) {
      const letter = word[index]!;
      if (letter === 'C') {
        holding = word.slice(index + 1) || words[++at];
        break;
      }
      if (!LETTERS.includes(letter))
        throw new Exit(BAD_OPTION, `${calledAs()}: invalid option -- '${letter}'\n\n${usage()}`);
      if (letter === 'd') debug += 1;
      flags.add(letter);
    }
    if (word.includes('C') && holding === undefined) throw new Exit(BAD_OPTION, `\n${usage()}`);
  }
  const contradictory = (holding !== undefined && !flags.has('R')) || (flags.has('r') && flags.has('R'));
  if (contradictory) throw new Exit(BAD_OPTION, `\n${usage()}`);
  return {flags, debug, holding};
}

function usage(): string {
  return `Usage: heartbeat [-${LETTERS}] [-C Current-resource-state]
\t-s status   -k stop, releasing all resources   -r reread the configuration, keeping resources
\t-f stay in the foreground   -d more debug messages   -v print the configuration in force
\t-l no real-time priority   -M do not manage resources   -V version   -D default values (-DW: wiki form)
\t-C only valid with -R
\t-r is mutually exclusive with -R`;
}

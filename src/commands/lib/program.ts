// What every plain program needs: where the package and the state lie, how to end, how a date is written. Imports stay
// few, because these programs are called in loops and each module costs a millisecond.

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {type Paths, resolvePaths} from '../../model/paths.js';

/** The directory that holds package.json, bin, dist, resource.d and ha.d; no trailing slash. */
export const packageDir = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '');

/** What Heartbeat 3.0.6 prints is compared by scripts, so our version line begins with its number. */
export const COMPATIBLE_VERSION = '3.0.6';

/** Exit codes of our own; resource-engine.md 7 has those that were there before. */
export const EXIT = {
  ok: 0,
  usage: 1,
  /** The daemon is there, but we may not talk to it, or it does not answer. */
  unreachable: 2,
  /** The daemon said no. */
  refused: 3,
  /** --wait ran out of time. */
  timeout: 4,
  /** LSB: the program is not configured. */
  unconfigured: 6,
  /** LSB: the program is not running. */
  notRunning: 7,
} as const;

/** Commands end by this, so that `main` functions can be written straight. */
export class Exit extends Error {
  constructor(
    readonly status: number,
    message = '',
  ) {
    super(message);
  }
}

export function paths(): Paths {
  return resolvePaths(process.env, packageDir);
}

export function version(): string {
  const text = JSON.parse(readFileSync(`${packageDir}/package.json`, 'utf8')) as {version: string};
  return text.version;
}

/** Runs a program's main function; what it throws as Exit becomes message and status. */
export async function run(main: (words: readonly string[]) => Promise<number> | number): Promise<void> {
  // A reader that went away (`cl_status -h | head -1`) is no error of ours.
  process.stdout.on('error', () => process.exit(0));
  // For a program that ends with its question unanswered: that must not look like success.
  process.exitCode = EXIT.usage;
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    const stream = error.status === 0 ? process.stdout : process.stderr;
    if (error.message !== '') stream.write(`${error.message}\n`);
    process.exitCode = error.status;
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Nov 21 09:21:45`, local time, as `date "+%b %d %T"` in the C locale. */
export function stamp(now: Date = new Date()): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${MONTHS[now.getMonth()]} ${two(now.getDate())}`;
  return `${day} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}

/** The path by which this program was called, for usage texts. */
export function calledAs(): string {
  return process.argv[1] ?? 'systole';
}

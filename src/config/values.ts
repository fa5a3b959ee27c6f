// The value syntaxes of ha.cf: times, booleans, whole numbers, words from a set. A reading is a value or a fault with the
// text of the finding; readers never throw. Times follow the real daemon exactly, because a file that it refuses must
// not start to work here and surprise the other node, and the other way round.

import type {DiagnosticCode} from '../errors/diagnostics.js';
import type {Hint} from './report.js';

export type Value = string | number | boolean;
export type Reading =
  | {readonly ok: true; readonly value: Value}
  | {readonly ok: false; readonly code: DiagnosticCode; readonly text: string; readonly hint?: Hint};
/** Reads the value of directive `name`. */
export type Reader = (text: string, name: string) => Reading;

/** Timers of the runtime hold 31 bits of milliseconds. */
const TIME_MAX_MS = 2 ** 31 - 1;
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'on', 'yes', 'y', '1'].map((word) => [word, true] as const),
  ...['false', 'off', 'no', 'n', '0'].map((word) => [word, false] as const),
]);

export const value = (found: Value): Reading => ({ok: true, value: found});

export function fault(code: DiagnosticCode, text: string, hint?: Hint): Reading {
  return hint === undefined ? {ok: false, code, text} : {ok: false, code, text, hint};
}

/** Milliseconds; undefined if the real daemon would refuse it: `1s`, `1min`, `-1`, `1,5`. */
export function parseTime(text: string): number | undefined {
  const found = /^(\d+\.?\d*|\.\d+)(ms|msec|us|usec)?$/.exec(text);
  if (!found) return undefined;
  const number = Number(found[1]);
  const unit = found[2] ?? '';
  if (unit === '') return Math.round(number * 1000);
  return unit.startsWith('m') ? Math.round(number) : Math.round(number / 1000);
}

export function parseBoolean(text: string): boolean | undefined {
  return BOOLEANS.get(text.toLowerCase());
}

export function parseWhole(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** `3s`, `500ms`: for texts only, ha.cf itself would refuse the first. */
export function formatMs(ms: number): string {
  return ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

export const time: Reader = (text, name) => {
  const ms = parseTime(text);
  if (ms === undefined) return fault('HB_CONFIG_TIME', `${name} [${text}] is not a time`, timeHint(text, name));
  if (ms > TIME_MAX_MS) return fault('HB_CONFIG_TIME', `${name} [${text}] is longer than 24 days`);
  return value(ms);
};

function timeHint(text: string, name: string): string | undefined {
  const found = /^(\d+\.?\d*)(s|sec|secs|second|seconds|m|min|h)$/i.exec(text);
  if (!found) return undefined;
  const seconds = Number(found[1]) * (/^s/i.test(found[2] ?? '') ? 1 : /^m/i.test(found[2] ?? '') ? 60 : 3600);
  return `Heartbeat knows only ms and us as units: write ${name} ${seconds}, which is seconds`;
}

export const boolean: Reader = (text, name) => {
  const found = parseBoolean(text);
  return found === undefined ? fault('HB_CONFIG_BOOLEAN', `${name} [${text}] is neither on nor off`) : value(found);
};

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number, code: DiagnosticCode = 'HB_CONFIG_NUMBER', phrase?: string): Reader {
  return (text, name) => {
    const found = parseWhole(text);
    if (found !== undefined && found >= least && found <= most) return value(found);
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `${least} to ${most}`;
    return fault(
      code,
      (phrase ?? `${name} [%] must be a whole number, ${range}`).replace('%', () => text),
    );
  };
}

/** One of some words; `phrase` is Heartbeat's own text, with `%` where the value goes. */
export function oneOf(words: readonly string[], phrase?: string, code: DiagnosticCode = 'HB_CONFIG_WORD'): Reader {
  return (text, name) => {
    if (words.includes(text)) return value(text);
    const said = (phrase ?? `${name} [%] is not known`).replace('%', () => text);
    return fault(code, said, `write one of: ${words.join(', ')}`);
  };
}

export const anything: Reader = (text) => value(text);

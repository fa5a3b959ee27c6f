// Reads systole.conf, our own file: time-outs of resource calls, what follows a stop that fails, how often resources are
// checked. It may be absent; every key has a default. Read with positions, unlike the ini package can, so that a
// mistyped key is named where it stands. Times here may carry s, min or h, since no other program reads this file.

import type {SystoleConfig} from '../model/config.js';
import type {ResourceTimeouts} from '../model/resource.js';
import {suggestion} from './nearest.js';
import type {Report} from './report.js';
import {linesOf, part, type SourceFile, trimmed, type Word, wholeFile, withoutComment} from './source.js';
import {parseWhole} from './values.js';

export const systoleDefaults: SystoleConfig = {
  defaults: {startMs: 60_000, stopMs: 60_000, statusMs: 20_000},
  perAgent: {
    // A database replays its log at start, and writes out its memory at stop.
    mysqld: {startMs: 300_000, stopMs: 300_000},
    // A check of the file system may come before the mount.
    Filesystem: {startMs: 120_000},
    // While it promotes, DRBD asks its fence-peer handler, up to four times. The agent ends its own waits before.
    drbddisk: {startMs: 240_000},
  },
  killDelayMs: 5000,
  stopRetries: 3,
  stopRetryDelayMs: 1000,
  stopFailure: 'block',
  failureExpiryMs: 30_000,
  failureExpiryMaxMs: 600_000,
  monitorIntervalMs: 10_000,
};

const UNITS: Readonly<Record<string, number>> = {ms: 1, s: 1000, min: 60_000, h: 3_600_000, '': 1000};
const DAY_MS = 86_400_000;
const TIMEOUT_KEYS = {start: 'startMs', stop: 'stopMs', status: 'statusMs'} as const;
const TIME_KEYS = {
  'kill-delay': 'killDelayMs',
  'stop-retry-delay': 'stopRetryDelayMs',
  'failure-expiry': 'failureExpiryMs',
  'failure-expiry-max': 'failureExpiryMaxMs',
  'monitor-interval': 'monitorIntervalMs',
} as const;
const RESOURCE_KEYS = [...Object.keys(TIME_KEYS), 'stop-retries', 'stop-failure'];
/** With these 0 makes sense: at once, or never. */
const MAY_BE_ZERO = ['stop-retry-delay', 'monitor-interval'];
const STOP_RETRIES_MAX = 100;

type Section = {readonly kind: 'timeouts' | 'resources' | 'agent' | 'unknown'; readonly agent: string};
type Writable<T> = {-readonly [K in keyof T]: T[K]};

interface Reading {
  readonly file: string;
  readonly report: Report;
  section: Section | undefined;
  readonly defaults: Writable<ResourceTimeouts>;
  readonly perAgent: Map<string, Partial<Writable<ResourceTimeouts>>>;
  readonly rest: Writable<Omit<SystoleConfig, 'defaults' | 'perAgent'>>;
  readonly seen: Map<string, Word>;
}

export function parseSystoleConf(source: SourceFile | undefined, report: Report): SystoleConfig {
  if (source?.text === undefined) {
    if (source?.problem !== undefined) {
      report('SYSTOLE_CONF_UNREADABLE', wholeFile(source.path), `Cannot open [${source.path}]: ${source.problem}`);
    }
    return systoleDefaults;
  }
  const {defaults, perAgent, ...rest} = systoleDefaults;
  const reading: Reading = {
    file: source.path,
    report,
    section: undefined,
    defaults: {...defaults},
    perAgent: new Map(Object.entries(perAgent).map(([name, own]) => [name, {...own}])),
    rest: {...rest},
    seen: new Map(),
  };
  for (const line of linesOf(source)) readLine(reading, trimmed(withoutComment(line, /^\s*[#;]|\s[#;]/)));
  return finish(reading);
}

function finish({defaults, perAgent, rest, seen, report}: Reading): SystoleConfig {
  const at = seen.get('resources failure-expiry-max') ?? seen.get('resources failure-expiry');
  if (at !== undefined && rest.failureExpiryMaxMs < rest.failureExpiryMs) {
    report('SYSTOLE_CONF_VALUE', at, 'failure-expiry-max is below failure-expiry');
  }
  return {...rest, defaults, perAgent: Object.fromEntries(perAgent)};
}

function readLine(reading: Reading, line: Word): void {
  if (line.text === '') return;
  if (line.text.startsWith('[')) {
    reading.section = sectionOf(reading, line);
    return;
  }
  const equals = line.text.indexOf('=');
  if (equals < 1) {
    reading.report('SYSTOLE_CONF_LINE', line, `[${line.text}] is not KEY = VALUE`);
    return;
  }
  const key = trimmed(part(line, 0, equals));
  const text = trimmed(part(line, equals + 1, line.length));
  const {section} = reading;
  if (section === undefined) {
    reading.report('SYSTOLE_CONF_SECTION', key, `${key.text} stands before any section`);
    return;
  }
  if (section.kind === 'unknown') return; // The section itself was reported.
  const name = `${section.kind}${section.agent === '' ? '' : ` ${section.agent}`} ${key.text}`;
  const before = reading.seen.get(name);
  if (before !== undefined) {
    reading.report('SYSTOLE_CONF_REPEATED', key, `${key.text} was given on line ${before.line}: this one counts`);
  }
  reading.seen.set(name, key);
  if (section.kind === 'resources') setResource(reading, key, text);
  else setCallTimeout(reading, section, key, text);
}

function sectionOf({report}: Reading, line: Word): Section {
  const found = /^\[\s*(timeouts|resources|agent)(?:\s+([^\]\s]+))?\s*\]$/.exec(line.text);
  const kind = found?.[1];
  const agent = found?.[2] ?? '';
  if (kind === 'agent' && agent !== '') return {kind, agent};
  if ((kind === 'timeouts' || kind === 'resources') && agent === '') return {kind, agent};
  report('SYSTOLE_CONF_SECTION', line, `section ${line.text} is not known`);
  return {kind: 'unknown', agent: ''};
}

function setCallTimeout(reading: Reading, section: Section, key: Word, text: Word): void {
  const keys: Readonly<Record<string, keyof ResourceTimeouts>> = TIMEOUT_KEYS;
  const field = Object.hasOwn(keys, key.text) ? keys[key.text] : undefined;
  if (field === undefined) {
    unknownKey(reading, key, Object.keys(keys));
    return;
  }
  const ms = timeOf(reading, key, text);
  if (ms === undefined) return;
  if (section.kind === 'timeouts') reading.defaults[field] = ms;
  else reading.perAgent.set(section.agent, {...reading.perAgent.get(section.agent), [field]: ms});
}

function setResource(reading: Reading, key: Word, text: Word): void {
  const keys: Readonly<Record<string, (typeof TIME_KEYS)[keyof typeof TIME_KEYS]>> = TIME_KEYS;
  const field = Object.hasOwn(keys, key.text) ? keys[key.text] : undefined;
  if (field !== undefined) {
    const ms = timeOf(reading, key, text);
    if (ms !== undefined) reading.rest[field] = ms;
  } else if (key.text === 'stop-retries') {
    const found = parseWhole(text.text);
    if (found !== undefined && found <= STOP_RETRIES_MAX) reading.rest.stopRetries = found;
    else badValue(reading, key, text, `a whole number, 0 to ${STOP_RETRIES_MAX}`);
  } else if (key.text === 'stop-failure') {
    if (text.text === 'block' || text.text === 'reboot') reading.rest.stopFailure = text.text;
    else badValue(reading, key, text, 'block or reboot');
  } else unknownKey(reading, key, RESOURCE_KEYS);
}

function timeOf(reading: Reading, key: Word, text: Word): number | undefined {
  const found = /^(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|min|h|)$/.exec(text.text);
  const ms = Math.round(Number(found?.[1]) * (UNITS[found?.[2] ?? ''] ?? 1));
  const least = MAY_BE_ZERO.includes(key.text) ? 0 : 1;
  if (found && ms >= least && ms <= DAY_MS) return ms;
  badValue(reading, key, text, `a time such as 500ms, 60, 60s or 10min, ${least === 0 ? '' : 'above 0, '}at most 24h`);
  return undefined;
}

function badValue({report}: Reading, key: Word, text: Word, hint: string): void {
  report('SYSTOLE_CONF_VALUE', text, `${key.text} = [${text.text}] is not understood`, hint);
}

function unknownKey({report}: Reading, key: Word, known: readonly string[]): void {
  const hint = () => suggestion(key.text, known) ?? `keys of this section: ${known.join(', ')}`;
  report('SYSTOLE_CONF_KEY', key, `key ${key.text} is not known`, hint);
}

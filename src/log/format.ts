// Renders one log record in every form that existing tools parse (resource-engine.md 6.4), and as a JSON line. No file
// handles, no clock: the caller says when and who. Local time, as syslog and Heartbeat write it. Every function returns
// exactly one line without its end.

import type {LogRecord} from '../model/log.js';
import {oneLine} from './text.js';

export interface LogContext {
  readonly node: string;
  readonly pid: number;
  /** Wall clock of the line. */
  readonly wallMs: number;
  readonly monoMs: number;
  readonly generation: number;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DATA_KEYS_MAX = 32;
const DATA_BYTES_MAX = 1024;

/** `Nov 21 09:38:21 n1 heartbeat: [13]: info: text`, the default of logfile and debugfile. */
export function syslogStyleLine(record: LogRecord, context: LogContext): string {
  const {month, day, clock} = parts(context.wallMs);
  const name = MONTHS[month - 1];
  return `${name} ${two(day)} ${clock} ${oneLine(context.node, 99)} heartbeat: ${syslogText(record, context)}`;
}

/** `heartbeat[13]: 2026/11/21_10:00:28 info: text`, for `syslogmsgfmt no`. */
export function plainLine(record: LogRecord, {pid, wallMs}: LogContext): string {
  return `heartbeat[${pid}]: ${stamp(wallMs)} ${record.level}: ${oneLine(record.text)}`;
}

/** `[13]: info: text`: syslog puts date, node and tag before it. */
export function syslogText(record: LogRecord, {pid}: Pick<LogContext, 'pid'>): string {
  return `[${pid}]: ${record.level}: ${oneLine(record.text)}`;
}

/** A line of logfile or debugfile in the configured style. */
export function classicLine(record: LogRecord, context: LogContext, syslogmsgfmt: boolean): string {
  return syslogmsgfmt ? syslogStyleLine(record, context) : plainLine(record, context);
}

export interface ScriptOrigin {
  /** Name of the script, e.g. `ResourceManager(default)`. */
  readonly tag: string;
  readonly pid: number;
  readonly wallMs: number;
}

/** What ha_log writes to the log file: the odd blanks are what parsers of old logs expect. */
export function scriptLogLine(record: LogRecord, {tag, pid, wallMs}: ScriptOrigin): string {
  return `${stamp(wallMs)}  ${oneLine(tag, 256)}[${pid}]:    ${record.level}: ${oneLine(record.text)}`;
}

/** What ha_log and ha_debug write to the debug file. */
export function scriptDebugLine(record: LogRecord, {tag, pid, wallMs}: ScriptOrigin): string {
  return `${oneLine(tag, 256)}[${pid}]:\t${stamp(wallMs)} ${record.level}: ${oneLine(record.text)}`;
}

/** The same record for programs. */
export function jsonLine(record: LogRecord, context: LogContext): string {
  const {node, pid, generation, monoMs} = context;
  const time = new Date(Number.isFinite(context.wallMs) ? context.wallMs : 0).toISOString();
  const {level, code} = record;
  const data = record.data === undefined ? {} : {data: bounded(record.data)};
  return JSON.stringify({time, monoMs, node, generation, pid, level, code, text: oneLine(record.text), ...data});
}

function bounded(data: NonNullable<LogRecord['data']>): Record<string, string | number | boolean> {
  const entries = Object.entries(data).slice(0, DATA_KEYS_MAX);
  const short = (each: string | number | boolean) => (typeof each === 'string' ? oneLine(each, DATA_BYTES_MAX) : each);
  return Object.fromEntries(entries.map(([key, each]) => [oneLine(key, 99), short(each)]));
}

/** `2026/11/21_09:38:22`. */
function stamp(wallMs: number): string {
  const {year, month, day, clock} = parts(wallMs);
  return `${year}/${two(month)}/${two(day)}_${clock}`;
}

function parts(wallMs: number): {year: number; month: number; day: number; clock: string} {
  const date = new Date(Number.isFinite(wallMs) ? wallMs : 0);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return {year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate(), clock};
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

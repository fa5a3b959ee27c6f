// The memory of the last events, and the file it becomes when an assertion fails: a state and every event after it, so
// that `systole replay FILE` reaches the same failure. Promises: bounded memory, a bounded number of files, mode 0600, no
// key material, and never an exception of its own.

import {closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync} from 'node:fs';
import type {Now} from '../model/time.js';
import {redact} from './redact.js';
import {writeAll} from './write-all.js';

const EVENTS_MIN = 256;
const FILES_MAX = 10;
const NAME = /^systole-crash-.*\.json$/;

export interface Recorded<Event> {
  readonly now: Now;
  readonly event: Event;
}

/** The flight recorder: at least the last 256 events, and the state they started from. */
export class Recorder<State, Event> {
  private older: Recorded<Event>[] = [];
  private newer: Recorded<Event>[] = [];
  private base: State;
  private middle: State;

  constructor(state: State) {
    this.base = state;
    this.middle = state;
  }

  /** `before` is the state the event meets. States share structure and are never changed, so keeping one costs nothing. */
  record(before: State, event: Event, now: Now): void {
    if (this.newer.length >= EVENTS_MIN) {
      this.base = this.middle;
      this.middle = before;
      this.older = this.newer;
      this.newer = [];
    }
    this.newer.push({now, event});
  }

  contents(): {readonly state: State; readonly events: readonly Recorded<Event>[]} {
    return {state: this.base, events: [...this.older, ...this.newer]};
  }
}

export interface CrashReport {
  readonly format: 'systole-crash-1';
  readonly process: string;
  readonly node: string;
  readonly version: string;
  readonly wallMs: number;
  readonly error: string;
  /** Config the core was started with, the state before the first event, and the events up to the failing one. */
  readonly config: unknown;
  readonly state: unknown;
  readonly events: readonly Recorded<unknown>[];
}

/** The path written, or undefined when even that failed: the disk may be the reason for the crash. */
export function writeCrashFile(directory: string, report: CrashReport): string | undefined {
  const stamp = new Date(report.wallMs).toISOString().replace(/[:.]/g, '-');
  const path = `${directory}/systole-crash-${stamp}-${process.pid}.json`;
  try {
    mkdirSync(directory, {recursive: true});
    const file = openSync(path, 'wx', 0o600);
    try {
      writeReport(path, file, report);
    } finally {
      closeSync(file);
    }
    removeOldest(directory);
    return path;
  } catch {
    return undefined;
  }
}

/** Half a report cannot be replayed, and on a full disk it is in the way of others. */
function writeReport(path: string, file: number, report: CrashReport): void {
  try {
    writeAll(file, `${JSON.stringify(report, redact)}\n`);
    fsyncSync(file);
  } catch (error) {
    rmSync(path, {force: true});
    throw error;
  }
}

/** Names sort by time. */
function removeOldest(directory: string): void {
  const names = readdirSync(directory).filter((name) => NAME.test(name));
  for (const name of names.sort().slice(0, -FILES_MAX)) rmSync(`${directory}/${name}`, {force: true});
}

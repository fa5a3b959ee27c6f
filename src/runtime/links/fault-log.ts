// Rate limit for the errors of one link: the first ten are logged, then one a minute with the number left out, and one line
// when it works again. A cut cable at a keepalive of 20 ms must not fill a disk, and must not hide that it happened.

import {type LogRecord, log} from '../../model/log.js';

const loggedAtFirst = 10;
const intervalMs = 60_000;
/** So many sends must succeed before the link is called well; else a flapping one logs at every change. */
const successesNeeded = 10;

export class FaultLog {
  private errors = 0;
  private leftOut = 0;
  private successes = 0;
  private loggedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly link: string,
    private readonly write: (record: LogRecord) => void,
  ) {}

  failed(text: string, nowMs: number): void {
    this.errors += 1;
    this.successes = 0;
    if (this.errors > loggedAtFirst && nowMs - this.loggedMs < intervalMs) {
      this.leftOut += 1;
      return;
    }
    const more = this.leftOut > 0 ? ` (${this.leftOut} more like this not logged)` : '';
    this.write(log('ERROR', 'LINK_ERROR', `link ${this.link}: ${text}${more}`, {link: this.link, errors: this.errors}));
    this.loggedMs = nowMs;
    this.leftOut = 0;
  }

  worked(): void {
    if (this.errors === 0) return;
    this.successes += 1;
    if (this.successes < successesNeeded) return;
    const text = `link ${this.link}: sending works again after ${this.errors} errors`;
    this.write(log('info', 'LINK_WORKS', text, {link: this.link, errors: this.errors}));
    this.errors = 0;
    this.leftOut = 0;
    this.loggedMs = Number.NEGATIVE_INFINITY;
  }
}

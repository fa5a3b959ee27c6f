// Has drbdadm read drbd.conf, and what it says judged: for `systole check`, `systole drbd status` and the daemon's log. Promises: one
// process with a bound, and none where no group names a disk; without drbdadm, or when it fails, nothing is said, because that
// is told by whoever needs the disk.

import {findings} from '../../config/report.js';
import {type ConfQuestion, checkConf} from '../../drbd/conf-check.js';
import type {Diagnostic} from '../../model/config.js';
import {OUTPUT_BYTES_MAX} from '../run-program.js';
import type {DrbdTools} from './tools.js';

export async function confWarnings(tools: DrbdTools, question: ConfQuestion): Promise<readonly Diagnostic[]> {
  const dump = question.names.length === 0 ? undefined : await tools.dump();
  // What was cut off would look as if it were not configured.
  if (dump === undefined || dump.length >= OUTPUT_BYTES_MAX) return [];
  const {report, diagnostics} = findings();
  for (const {code, file, line, text, hint} of checkConf(dump, question))
    report(code, {file, line, column: Math.min(line, 1), length: 0}, text, hint);
  return diagnostics;
}

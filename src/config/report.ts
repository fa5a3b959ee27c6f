// Where readers put what they find. Findings are collected, never thrown; text taken from a file is made printable and
// short here, once, so that no reader can forget it. The number kept is bounded, whether there was an error is not lost.

import {type DiagnosticCode, diagnosticCatalogue} from '../errors/diagnostics.js';
import type {Diagnostic} from '../model/config.js';
import type {Place} from './source.js';

/** A hint that costs something (a nearest match) is a function: only findings that are kept pay for it. */
export type Hint = string | (() => string | undefined) | undefined;
export type Report = (code: DiagnosticCode, at: Place, text: string, hint?: Hint) => void;

export interface Findings {
  readonly report: Report;
  readonly diagnostics: readonly Diagnostic[];
  hasErrors(): boolean;
}

/** A file of garbage must not become a million findings. */
const DIAGNOSTICS_MAX = 500;
const TEXT_MAX = 400;

export function findings(): Findings {
  const diagnostics: Diagnostic[] = [];
  let errors = 0;
  const report: Report = (code, at, text, hint) => {
    const row = diagnosticCatalogue[code];
    if (row.severity === 'error') errors += 1;
    if (diagnostics.length >= DIAGNOSTICS_MAX) return;
    const {file, line, column, length} = at;
    const own = typeof hint === 'function' ? hint() : hint;
    const shown = {text: printable(text), hint: printable(own ?? row.hint)};
    diagnostics.push({severity: row.severity, code, file, line, column, length, ...shown});
  };
  return {report, diagnostics, hasErrors: () => errors > 0};
}

/** Control characters could move the cursor or forge a second line; they become `?`. */
export function printable(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return clean.length > TEXT_MAX ? `${clean.slice(0, TEXT_MAX)}...` : clean;
}

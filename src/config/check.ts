// Renders findings for people: place, severity, text and code on one line, the source line with a caret when the caller
// may show it, and the hint. authkeys must never be handed in as source: its lines hold keys.

import type {Diagnostic, Severity} from '../model/config.js';
import {printable} from './report.js';

/** What is shown of a long source line around the fault. */
const WINDOW = 120;

/**
 * @param source the text of the diagnostic's file, if it may be shown.
 */
export function formatDiagnostic(diagnostic: Diagnostic, source?: string): string {
  const {severity, code, file, line, column, text, hint} = diagnostic;
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  const lines = [`${place}: ${severity}: ${text} [${code}]`, ...excerpt(diagnostic, source), `    hint: ${hint}`];
  return lines.join('\n');
}

function excerpt({line, column, length}: Diagnostic, source: string | undefined): string[] {
  const written = line === 0 ? undefined : source?.split('\n')[line - 1]?.replace(/\r$/, '');
  if (written === undefined || written.trim() === '') return [];
  // Passwords of power switches stand at the end of stonith lines.
  const full = /^\s*ston/i.test(written) ? written.slice(0, column - 1 + length) : written;
  const from = Math.max(0, column - 1 - WINDOW / 2);
  const shown = full.slice(from, from + WINDOW);
  const marks = Math.max(1, Math.min(length, from + WINDOW - (column - 1)));
  const lead = full.slice(from, column - 1).replace(/[^\t]/g, ' ');
  // Tabs stay, so that the caret line is indented like the line above it.
  const clean = shown.split('\t').map(printable).join('\t');
  return [`    ${clean}`, `    ${lead}${'^'.repeat(marks)}`];
}

export function countSeverities(diagnostics: readonly Diagnostic[]): Record<Severity, number> {
  const counts = {error: 0, warning: 0, notice: 0};
  for (const {severity} of diagnostics) counts[severity] += 1;
  return counts;
}

/** 0 clean, 1 warnings, 6 errors. */
export function exitStatusOf(diagnostics: readonly Diagnostic[]): 0 | 1 | 6 {
  const counts = countSeverities(diagnostics);
  if (counts.error > 0) return 6;
  return counts.warning > 0 ? 1 : 0;
}

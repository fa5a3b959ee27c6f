// The bench's table: one line a measure, medians with the number of samples behind them, the target and whether ours met
// it, and ours as a ratio of the real daemon's.

import {type Measure, measures, type Samples} from './measures.js';

export interface TableInput {
  readonly names: readonly string[];
  readonly samples: ReadonlyMap<string, Samples>;
  readonly wanted: ReadonlySet<Measure>;
  readonly load: {readonly before: number; readonly after: number};
}

export function renderTable({names, samples, wanted, load}: TableInput): string {
  const header = ['median (samples)', 'unit', 'target', ...names, 'ours/real', ''];
  const rows = (Object.keys(measures) as Measure[])
    .filter((measure) => wanted.has(measure))
    .map((measure) => row(measure, names, samples));
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((cells) => (cells[column] ?? '').length)));
  const lines = all.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  const busy = `load average ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`;
  return [...lines, `${busy}${load.before > 1 ? ': other work ran on this machine; times are too long' : ''}`].join(
    '\n',
  );
}

function row(measure: Measure, names: readonly string[], samples: ReadonlyMap<string, Samples>): string[] {
  const {title, unit, target} = measures[measure];
  const values = names.map((name) => samples.get(name)?.[measure] ?? []);
  const [ours, real] = ['ours', 'real'].map((name) => median(samples.get(name)?.[measure] ?? []));
  return [
    title,
    unit,
    target === undefined ? '' : `<= ${target}`,
    ...values.map((each) => (each.length === 0 ? '-' : `${show(median(each)!)} (${each.length})`)),
    ours !== undefined && real ? `${(ours / real).toFixed(2)}` : '',
    target === undefined || ours === undefined ? '' : ours <= target ? 'met' : 'MISSED',
  ];
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return undefined;
  if (Number.isInteger(middle)) return (sorted[middle - 1]! + sorted[middle]!) / 2;
  return sorted[Math.floor(middle)];
}

function show(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) < 1 ? 2 : 1);
}

// Seeds of a simulation test: SEED=n repeats one, SEEDS=n sets how many.

export function seeds(count: number): number[] {
  const one = process.env['SEED'];
  if (one !== undefined && one !== '') return [Number(one)];
  const wanted = Number(process.env['SEEDS'] ?? '') || count;
  return Array.from({length: Math.min(count, wanted)}, (_, index) => index + 1);
}

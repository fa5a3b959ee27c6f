// Seeds of a simulation test: SEED=n repeats one, SEEDS=n sets how many at most, SEED_FROM=n begins there and takes SEEDS of them.

export function seeds(count: number): number[] {
  const one = process.env['SEED'];
  if (one !== undefined && one !== '') return [Number(one)];
  const wanted = Number(process.env['SEEDS'] ?? '') || count;
  const from = Number(process.env['SEED_FROM'] ?? '');
  const length = from > 0 ? wanted : Math.min(count, wanted);
  return Array.from({length}, (_, index) => Math.max(from, 1) + index);
}

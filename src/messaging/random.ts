// The random choices of the messaging core (mulberry32): a seed in the state, so that one seed is one run.

/** The next seed, and a number in [0, 1) made from it. */
export function draw(seed: number): {readonly seed: number; readonly value: number} {
  const next = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(next ^ (next >>> 15), next | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return {seed: next, value: ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296};
}

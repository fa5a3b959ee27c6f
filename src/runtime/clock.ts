// The one place where the runtime reads time for the cores. monoMs is CLOCK_MONOTONIC, the same clock in every process of
// this machine, so that two processes may compare their readings; it stands still while the machine is suspended.

import type {Now} from '../model/time.js';

export function readNow(): Now {
  return {monoMs: monotonicMs(), wallMs: Date.now()};
}

/** Milliseconds with fractions; only differences mean anything. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

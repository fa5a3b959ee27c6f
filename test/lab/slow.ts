// For hosts that give the guests less processor time than two idle cores would: `SYSTOLE_LAB_SLOW=3` makes every dead time and every
// wait three times as long. A starved guest is late with its heartbeats, and a cluster is right to call that a death.

import * as wait from '../../src/lab/wait.js';

export const SLOW = Math.max(1, Number(process.env['SYSTOLE_LAB_SLOW'] ?? 1) || 1);

export function until<T>(
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  options: wait.UntilOptions,
): Promise<T> {
  return wait.until(ask, {...options, timeoutMs: options.timeoutMs * SLOW});
}

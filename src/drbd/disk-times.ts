// When a node was Primary, wrote last and lost its peer: folded from what /proc/drbd or the tools show every few seconds, because
// DRBD keeps no times. Counts of written blocks only rise while a device is configured; a smaller one is a new beginning.

import type {Times} from './view.js';

export interface DiskSight {
  readonly isPrimary: boolean;
  readonly isConnected: boolean;
  /** Written to the disk here, where the source tells it. */
  readonly writtenKib: number | undefined;
}

export interface DiskHistory {
  readonly times: Times;
  readonly last: DiskSight | undefined;
  /** A change that a later start should know of. */
  readonly isWorthKeeping: boolean;
}

export function foldSight(history: DiskHistory, sight: DiskSight, nowMs: number): DiskHistory {
  const {last, times} = history;
  const isTurn = last === undefined || last.isPrimary !== sight.isPrimary || last.isConnected !== sight.isConnected;
  const hasWritten =
    sight.isPrimary &&
    last?.writtenKib !== undefined &&
    sight.writtenKib !== undefined &&
    sight.writtenKib > last.writtenKib;
  const {primarySinceMs, lastPrimaryMs, lastWriteMs, lostMs} = times;
  const lost = sight.isConnected ? undefined : last?.isConnected ? nowMs : lostMs;
  const write = hasWritten ? nowMs : lastWriteMs;
  const primary = sight.isPrimary ? nowMs : lastPrimaryMs;
  // A start of this process is no promotion: what was noted before holds on, and what was not seen is not known.
  const began = last?.isPrimary === false ? nowMs : primarySinceMs;
  return {
    last: sight,
    isWorthKeeping: isTurn,
    times: {
      ...(sight.isPrimary && began !== undefined ? {primarySinceMs: began} : {}),
      ...(primary === undefined ? {} : {lastPrimaryMs: primary}),
      ...(write === undefined ? {} : {lastWriteMs: write}),
      ...(lost === undefined ? {} : {lostMs: lost}),
    },
  };
}

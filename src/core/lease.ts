// For how long messaging speaks for this manager without hearing from it.

import type {ClusterConfig} from '../model/config.js';

const LEASE_MIN_MS = 5_000;

export function leaseMs({ha}: ClusterConfig): number {
  return Math.max(LEASE_MIN_MS, 2 * ha.deadtimeMs);
}

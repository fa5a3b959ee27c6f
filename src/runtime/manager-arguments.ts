// The manager's command line: --foreground, --adopt, and the letters of `heartbeat` that change a run without changing a
// file: -d one more debug level each, -l no real-time priority, -M no resources.

import type {ClusterConfig} from '../model/config.js';

export interface Arguments {
  readonly isAdopted: boolean;
  readonly isForeground: boolean;
  readonly moreDebug: number;
  readonly noRealtime: boolean;
  readonly noResources: boolean;
  /** What the manager after a crash is started with: the same, but adopting. */
  readonly forSuccessor: readonly string[];
}

export function readArguments(words: readonly string[]): Arguments {
  const letters = words.filter((word) => /^-[dlM]$/.test(word));
  return {
    isAdopted: words.includes('--adopt'),
    isForeground: words.includes('--foreground'),
    moreDebug: letters.filter((word) => word === '-d').length,
    noRealtime: letters.includes('-l'),
    noResources: letters.includes('-M'),
    forSuccessor: [...letters, '--adopt'],
  };
}

export function withArguments(config: ClusterConfig, given: Arguments): ClusterConfig {
  const {ha, groups} = config;
  const debug = Math.min(ha.debug + given.moreDebug, 255);
  return {
    ...config,
    ha: {...ha, debug, realtime: ha.realtime && !given.noRealtime},
    groups: given.noResources ? [] : groups,
  };
}

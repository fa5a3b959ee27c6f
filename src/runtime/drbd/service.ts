// What the manager does about DRBD by itself: brings up what its groups need. Names come from haresources, `all` stands for
// every resource of drbd.conf. Each is brought up once in the life of this manager: what is taken down or disconnected
// later was so decided by somebody.

import type {LogRecord} from '../../model/log.js';
import {bringUpHere} from './bring-up.js';
import {DrbdTools} from './tools.js';

export interface DiskServiceOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly log: (record: LogRecord) => void;
  readonly tools?: DrbdTools;
  /** For tests: how long an attempt to connect is looked at. */
  readonly lookMs?: number;
  readonly pollMs?: number;
}

export interface DiskService {
  follow(names: readonly string[]): void;
  /** Settles when everything asked for so far was brought up, or could not be. */
  idle(): Promise<void>;
  close(): void;
}

export function openDiskService(options: DiskServiceOptions): DiskService {
  const tools = options.tools ?? new DrbdTools(options.env);
  const seen = new Set<string>();
  let work: Promise<void> = Promise.resolve();
  let isClosed = false;
  const bringUp = async (name: string): Promise<void> => {
    const resources = name === 'all' ? await tools.resources() : [name];
    for (const resource of resources) if (!isClosed) await bringUpHere(resource, {...options, tools});
  };
  return {
    follow(names) {
      if (tools.find('drbdsetup') === undefined || tools.find('drbdadm') === undefined) return;
      for (const name of names) {
        if (seen.has(name)) continue;
        seen.add(name);
        work = work.then(() => (isClosed ? undefined : bringUp(name)));
      }
    },
    idle: () => work,
    close() {
      isClosed = true;
    },
  };
}

// What the manager does about DRBD by itself: brings up what its groups need, and follows it. Names come from haresources,
// `all` stands for every resource of drbd.conf. Each is brought up once in the life of this manager: what is taken down or
// disconnected later was so decided by somebody. Without DRBD's programs nothing is done and nothing is known.

import type {DiskFacts} from '../../model/disk.js';
import type {LogRecord} from '../../model/log.js';
import {type BringUpOptions, bringUpHere} from './bring-up.js';
import {DiskWatch, type WatchOptions} from './disk-watch.js';
import {DrbdTools} from './tools.js';
import {type DrbdPlaces, journalPath, readFinding, readJson} from './view-here.js';

export interface DiskServiceOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly log: (record: LogRecord) => void;
  readonly peer: () => string | undefined;
  readonly onFacts: (facts: readonly DiskFacts[]) => void;
  readonly tools?: DrbdTools;
  /** For tests: other times. */
  readonly bringUp?: Omit<BringUpOptions, 'tools' | 'log' | 'isSplit'>;
  readonly watch?: Omit<WatchOptions, 'tools' | 'peer' | 'onFacts'>;
}

export interface DiskService {
  follow(names: readonly string[]): void;
  /** Settles when everything asked for so far was brought up, or could not be. */
  idle(): Promise<void>;
  close(): void;
}

export function openDiskService(options: DiskServiceOptions): DiskService {
  const tools = options.tools ?? new DrbdTools(options.env);
  const {peer, onFacts, log} = options;
  const watch = new DiskWatch({...options.watch, tools, peer, onFacts});
  const places = drbdPlaces(options.env);
  const isSplit = (name: string): boolean => {
    const kind = readFinding(places, name)?.kind;
    return kind === 'split-brain' || kind === 'unrelated' || readJson(journalPath(places, name)) !== undefined;
  };
  const seen = new Set<string>();
  let work: Promise<void> = Promise.resolve();
  let isClosed = false;
  const bringUp = async (name: string): Promise<void> => {
    const resources = name === 'all' ? await tools.resources() : [name];
    for (const resource of resources)
      if (!isClosed) await bringUpHere(resource, {...options.bringUp, tools, log, isSplit});
    watch.poke();
  };
  return {
    follow(names) {
      if (isClosed || tools.find('drbdsetup') === undefined) return;
      watch.follow(names);
      for (const name of names) {
        if (seen.has(name) || tools.find('drbdadm') === undefined) continue;
        seen.add(name);
        work = work.then(() => (isClosed ? undefined : bringUp(name)));
      }
    },
    idle: () => work,
    close() {
      isClosed = true;
      watch.close();
    },
  };
}

/** Where dopd keeps what it found out. */
function drbdPlaces(env: Readonly<Record<string, string>>): DrbdPlaces {
  return {runDir: env['HA_RUNDIR'] ?? '/run/heartbeat', varLibDir: env['HA_VARLIBDIR'] ?? '/var/lib/heartbeat'};
}

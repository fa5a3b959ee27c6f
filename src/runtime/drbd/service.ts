// What the manager does about DRBD by itself: brings up what its groups need, says what drbd.conf lacks for them, and follows it. Names
// come from haresources, `all` stands for every resource of drbd.conf. Each is brought up once in the life of this manager: what is
// taken down or disconnected later was so decided by somebody. Without DRBD's programs nothing is done and nothing is known.

import type {ConfQuestion} from '../../drbd/conf-check.js';
import type {DiskFacts} from '../../model/disk.js';
import {type LogRecord, log as record} from '../../model/log.js';
import {type BringUpOptions, bringUpHere} from './bring-up.js';
import {confWarnings} from './conf-warnings.js';
import {DiskWatch, type WatchOptions} from './disk-watch.js';
import {DrbdTools} from './tools.js';
import {type DrbdPlaces, journalPath, readFinding, readJson} from './view-here.js';

export interface DiskServiceOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly log: (record: LogRecord) => void;
  readonly peer: () => string | undefined;
  /** What drbd.conf is judged by, as things are now. */
  readonly question: () => ConfQuestion;
  /** Heartbeat starts here, and did not merely get another manager. */
  readonly isFreshStart: boolean;
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
  const places = drbdPlaces(options.env);
  const {isFreshStart} = options;
  const warn = (text: string): void => log(record('WARN', 'DISK_NOTE', text));
  const watch = new DiskWatch({...options.watch, tools, peer, places, isFreshStart, warn, onFacts});
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
  const judgeConf = async (names: readonly string[]): Promise<void> => {
    for (const {code, file, line, text, hint} of await confWarnings(tools, {...options.question(), names}))
      log(record('WARN', code, `${file}${line === 0 ? '' : `:${line}`}: ${text}. What to do: ${hint}`));
  };
  return {
    follow(names) {
      if (isClosed) return;
      // So that nothing waits for what will never be known.
      if (tools.find('drbdsetup') === undefined) return onFacts([]);
      watch.follow(names);
      const fresh = tools.find('drbdadm') === undefined ? [] : names.filter((name) => !seen.has(name));
      for (const name of fresh) {
        seen.add(name);
        work = work.then(() => (isClosed ? undefined : bringUp(name)));
      }
      // Last: no disk waits for it.
      if (fresh.length > 0) work = work.then(() => (isClosed ? undefined : judgeConf(fresh)));
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

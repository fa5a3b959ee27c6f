// The executable of the manager: `node manager-process.js [--foreground] [--adopt]`. Reads the configuration, opens the log, takes
// the pid file and runs the manager. With --adopt a messaging process started it after its predecessor died, and waits at
// descriptor 3. Exit status: 0 after an orderly stop or when a daemon runs already, 6 for a bad configuration, 70 for a
// mistake of ours.

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {ClusterConfig, HaConfig} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {type Paths, resolvePaths} from '../model/paths.js';
import {groupId, userAccount} from './accounts.js';
import {monotonicMs} from './clock.js';
import {filesThatDiffer} from './config-diff.js';
import {type ConfigInForce, forgetConfigInForce, plainConfig, readConfigInForce} from './config-in-force.js';
import {nodeNameOf} from './gather-facts.js';
import {formatFindings, type LoadedConfig, loadConfig} from './load-config.js';
import {type Log, openLog} from './log-writer.js';
import {Manager} from './manager.js';
import {type Arguments, readArguments, withArguments} from './manager-arguments.js';
import {loadManagerCore} from './manager-core.js';
import {becomeOnlyDaemon, type OnlyDaemon, SUCCEED_MS, succeedManager} from './only-daemon.js';
import type {PidLock} from './pid-file.js';

const packageDir = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const given: Arguments = readArguments(process.argv.slice(2));
const {isAdopted, isForeground} = given;
let manager: Manager | undefined;

// From the first line on: a signal that came during the start must not kill half a daemon.
let isTermPending = false;
process.on('SIGTERM', () => {
  if (manager === undefined) isTermPending = true;
  else manager.shutdown();
});
process.on('SIGHUP', () => manager?.reload());
process.on('SIGUSR1', () => manager?.changeDebug(1));
process.on('SIGUSR2', () => manager?.changeDebug(-1));
for (const ignored of ['SIGINT', 'SIGPIPE'] as const) process.on(ignored, () => {});
process.title = 'heartbeat: master control process';
process.umask(0o022);

void run();

async function run(): Promise<void> {
  const paths = resolvePaths(process.env, packageDir);
  const kept = isAdopted ? readConfigInForce(paths.runDir) : undefined;
  const loaded = load(paths);
  const config = kept?.ok ? kept.config : loaded.config;
  if (config === undefined) return refuse(loaded, paths);
  const writer = logFor(config.ha, paths);
  const lock = isAdopted
    ? await succeedManager(paths.pidFile, SUCCEED_MS - performance.now())
    : await becomeOnlyDaemon(paths);
  if (!lock.ok) return leaveToOther(lock, writer);
  const note = kept === undefined ? undefined : noteOf(kept, loaded);
  await runManager({paths, config, isInForce: kept?.ok ?? true, first: writer, lock, note});
}

/** The start has a terminal; a successor has the places that a broken ha.cf still names, and syslog. */
async function refuse(loaded: LoadedConfig, paths: Paths): Promise<void> {
  const lines = `${formatFindings(loaded)}\nConfiguration error, heartbeat not started.`;
  process.stderr.write(`${lines}\n`);
  if (isAdopted) {
    const haCf = loaded.sources.get(`${paths.haDir}/ha.cf`) ?? '';
    const [, logfile] = /^[ \t]*logfile[ \t]+(\/\S+)/m.exec(haCf) ?? [];
    const places = {logfile, debugfile: undefined, logfacility: 'daemon', syslogmsgfmt: true, debug: 0};
    const writer = logFor({...places, node: nodeNameOf(paths.haDir)}, paths);
    for (const text of lines.split('\n')) writer.write(log('ERROR', 'CONFIG_REFUSED', text));
    await writer.close();
  }
  process.exit(6);
}

/** What is written in the files and not in force must not be taken for it. */
function noteOf(kept: ConfigInForce, loaded: LoadedConfig): LogRecord | undefined {
  if (!kept.ok) {
    const text = `The configuration that was in force is lost (${kept.problem}): going on with the files; links, times and keys stay until heartbeat -r`;
    return log('WARN', 'CONFIG_LOST', text);
  }
  if (loaded.config === undefined) {
    const text =
      'The configuration files have errors by now: nothing of them is used, the old one stays; see systole check';
    return log('WARN', 'CONFIG_EDITED', text);
  }
  const files = filesThatDiffer(kept.config, loaded.config).join(', ');
  if (files === '') return undefined;
  return log('WARN', 'CONFIG_EDITED', `Edited since they were read: ${files}. Not in force: heartbeat -r makes it so`);
}

/** A second manager beside a living one would own everything twice; the messaging process of an adopted one sees it go. */
async function leaveToOther(other: OnlyDaemon & {readonly ok: false}, writer: Log): Promise<void> {
  const {messaging, pid} = other;
  if (isAdopted) {
    const text = `heartbeat: the manager before this one [pid ${pid ?? 'unknown'}] does not end: another will try again`;
    writer.write(log('ERROR', 'PREDECESSOR_STAYS', text));
  } else if (messaging === undefined) {
    writer.write(log('info', 'ALREADY_RUNNING', `heartbeat: already running [pid ${pid ?? 'unknown'}].`));
  } else {
    const text = `heartbeat: not started: its manager is gone, and its messaging process [pid ${messaging}] still replaces it or releases the resources`;
    writer.write(log('ERROR', 'STILL_LEAVING', text));
    process.stderr.write(`${text}\n    hint: wait until that process is gone; the log says what it does\n`);
  }
  await writer.close();
  process.exit(isAdopted || messaging !== undefined ? 1 : 0);
}

function load(paths: Paths): LoadedConfig {
  const loaded = loadConfig(paths, process.env);
  return loaded.config === undefined ? loaded : {...loaded, config: plainConfig(withArguments(loaded.config, given))};
}

interface Start {
  readonly paths: Paths;
  readonly config: ClusterConfig;
  readonly isInForce: boolean;
  readonly first: Log;
  readonly lock: Extract<PidLock, {ok: true}>;
  /** Said once it runs. */
  readonly note: LogRecord | undefined;
}

async function runManager({paths, config, isInForce, first, lock, note}: Start): Promise<void> {
  let writer = first;
  const version = versionOf(packageDir);
  const started = new Manager({
    paths,
    env: process.env,
    config,
    isInForce,
    loadCore: loadManagerCore,
    log: first,
    isAdopted,
    isForeground,
    adoptArguments: given.forSuccessor,
    version,
    load: () => load(paths),
    reopenLog: (changed) => {
      void writer.close();
      writer = logFor(changed.ha, paths);
      return writer;
    },
    exit: (status) => {
      // After a crash the file stays: its successor finds it stale and takes it.
      if (status !== 70) {
        forgetConfigInForce(paths.runDir);
        lock.release();
      }
      // The lines are in the files already; syslog's child gets a moment.
      void Promise.race([writer.close(), new Promise((resolve) => setTimeout(resolve, 500))]).then(() =>
        process.exit(status),
      );
    },
  });
  manager = started;
  process.on('uncaughtException', (error) => started.crash(error));
  process.on('unhandledRejection', (error) => started.crash(error));
  // The number that log-watchers know comes first, as in `heartbeat -V`.
  const text = `Configuration validated. Starting heartbeat 3.0.6 (systole ${version})`;
  first.write(log('info', 'STARTING', text, {adopted: isAdopted, version}));
  await started.start();
  if (note !== undefined) writer.write(note);
  if (isTermPending) started.shutdown();
}

type LogPlaces = Pick<HaConfig, 'node' | 'logfile' | 'debugfile' | 'logfacility' | 'syslogmsgfmt' | 'debug'>;

function logFor(ha: LogPlaces, paths: Paths): Log {
  return openLog({
    logfile: ha.logfile,
    debugfile: ha.debugfile,
    jsonFile: `${paths.logDir}/systole.json`,
    owner: logOwner(),
    facility: ha.logfacility === 'none' ? undefined : ha.logfacility,
    syslogmsgfmt: ha.syslogmsgfmt,
    debug: ha.debug,
    stderr: isForeground,
    context: () => ({
      node: ha.node,
      pid: process.pid,
      wallMs: Date.now(),
      monoMs: monotonicMs(),
      generation: manager?.generation ?? 0,
    }),
  });
}

/** Of Heartbeat's packages; absent on a machine that never had them. */
function logOwner(): {uid: number; gid: number} | undefined {
  const uid = userAccount('hacluster')?.uid;
  const gid = groupId('haclient');
  return uid === undefined || gid === undefined ? undefined : {uid, gid};
}

function versionOf(directory: string): string {
  try {
    return String((JSON.parse(readFileSync(`${directory}/package.json`, 'utf8')) as {version?: unknown}).version);
  } catch {
    return 'unknown';
  }
}

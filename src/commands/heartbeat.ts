// heartbeat: the daemon's own command, with the flags, outputs and exit codes of Heartbeat 3.0.6 (resource-engine.md 6.6).
// -s and the other quick answers load nothing but node:net and node:fs; the configuration is loaded only where it is needed.

import {hostname} from 'node:os';
import {ask, explain, findDaemon, isUp} from './lib/daemon.js';
import {type HeartbeatOptions, parseHeartbeatOptions} from './lib/heartbeat-options.js';
import {COMPATIBLE_VERSION, EXIT, Exit, run, stamp, version} from './lib/program.js';

/** LSB: stopped, but a pid file is left. */
const STALE = 1;
const STOPPED = 3;

void run(async (words) => {
  const options = parseHeartbeatOptions(words);
  const {flags} = options;
  if (flags.has('V')) return print(versionLine());
  if (flags.has('D')) return defaults(flags.has('W'));
  if (flags.has('s')) return status();
  if (flags.has('k')) return (await import('./lib/stop-daemon.js')).stopDaemon();
  if (flags.has('R')) return restartInPlace();
  const running = findDaemon();
  if (flags.has('r') && running.state === 'running') return reload(running.pid);
  if (running.state === 'running') {
    complain('info', `heartbeat: already running [pid ${running.pid}].`);
    return EXIT.ok;
  }
  return start(options);
});

function versionLine(): string {
  return `${COMPATIBLE_VERSION} (systole ${version()})`;
}

async function defaults(asWiki: boolean): Promise<number> {
  const {defaultsTable, defaultsWiki} = await import('./lib/directives.js');
  process.stdout.write(asWiki ? defaultsWiki(COMPATIBLE_VERSION) : defaultsTable());
  return EXIT.ok;
}

function status(): number {
  const found = findDaemon();
  if (isUp(found)) {
    const name = hostname();
    return print(`heartbeat OK [pid ${found.pid} et al] is running on ${name} [${name.toLowerCase()}]...`);
  }
  print('heartbeat is stopped. No process');
  return found.state === 'stale' ? STALE : STOPPED;
}

/** -R is how a daemon restarts itself; for anybody else there is nothing to restart, or it is not theirs. */
function restartInPlace(): number {
  const found = findDaemon();
  if (!isUp(found)) throw new Exit(EXIT.unconfigured, 'ERROR: heartbeat is not running.');
  throw new Exit(STALE, `ERROR: Heartbeat already running [pid ${found.pid}].`);
}

async function reload(pid: number): Promise<number> {
  const {readConfig} = await import('./lib/read-config.js');
  try {
    readConfig();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    complain('info', `Config errors: Heartbeat pid ${pid} NOT restarted`);
    return EXIT.usage;
  }
  complain('info', `Signalling heartbeat pid ${pid} to reread config files`);
  const reply = await ask({command: 'reload'});
  if (reply.ok) {
    complain('info', reply.text);
    return EXIT.ok;
  }
  // A real heartbeat, or ours before its socket is there: both know the signal.
  if (reply.code !== 'NOT_RUNNING') throw new Exit(EXIT.usage, explain(reply, 'heartbeat'));
  process.kill(pid, 'SIGHUP');
  return EXIT.ok;
}

async function start(options: HeartbeatOptions): Promise<number> {
  // The manager knows the same letters, and hands them to one that follows it after a crash.
  const letters = ['l', 'M'].filter((letter) => options.flags.has(letter)).map((letter) => `-${letter}`);
  const args = [...Array.from({length: options.debug}, () => '-d'), ...letters];
  if (options.flags.has('v')) await printConfig();
  if (options.flags.has('f')) return foreground(args);
  const {launchDaemon} = await import('./lib/launch-daemon.js');
  return launchDaemon(args, process.env);
}

/** In this very process: systemd watches one pid, and one start of Node is saved. */
async function foreground(args: readonly string[]): Promise<number> {
  const [{MANAGER}, {readConfig}] = await Promise.all([
    import('./lib/launch-daemon.js'),
    import('./lib/read-config.js'),
  ]);
  readConfig();
  // A terminal that is closed, or a reader that goes away, must not end the daemon.
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => undefined);
  process.argv = [process.argv[0]!, MANAGER, '--foreground', ...args];
  await import(MANAGER);
  return EXIT.ok;
}

async function printConfig(): Promise<void> {
  const {readConfig} = await import('./lib/read-config.js');
  const {describeConfig} = await import('./lib/describe-config.js');
  const {config} = readConfig();
  process.stdout.write(describeConfig(config));
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function complain(level: string, text: string): void {
  process.stderr.write(`${stamp()} ${hostname()} heartbeat: [${process.pid}]: ${level}: ${text}\n`);
}

// Starts the manager as a daemon and waits, bounded, until it serves its control socket or is gone. The daemon reads
// the configuration itself before it touches anything, so nothing is done twice on the way to service; this process
// reads it only to say what is wrong. Its stderr goes to a small file, since a pipe to us would break when we leave.

import {type ChildProcess, spawn} from 'node:child_process';
import {closeSync, mkdirSync, openSync, readFileSync} from 'node:fs';
import {daemonEnv} from '../../runtime/daemon-env.js';
import {formatFindings, loadConfig} from '../../runtime/load-config.js';
import {ask, findDaemon, statusOf} from './daemon.js';
import {EXIT, Exit, packageDir, paths} from './program.js';

const READY_MS = 60_000;
const REFUSE_MS = 5000;
const POLL_MS = 10;
const PROBE_MS = 2000;

export const MANAGER = `${packageDir}/dist/bundle/manager-process.cjs`;

/** Resolves with the exit status of `heartbeat`. */
export async function launchDaemon(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const {descriptor, path} = openStartLog();
  const child = spawn(process.execPath, [MANAGER, ...args], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', descriptor ?? 'ignore'],
    env: daemonEnv(env),
  });
  if (descriptor !== undefined) closeSync(descriptor);
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(EXIT.usage));
    // A signal has no exit status; it must not look like success. 0 is a daemon that found another one running.
    child.once('exit', (code) => resolve(code ?? EXIT.usage));
  });
  // While the daemon's Node starts, on another core: it reads the same files and refuses by itself.
  const {config, ...findings} = loadConfig(paths(), process.env);
  if (findings.diagnostics.length > 0) process.stderr.write(`${formatFindings(findings)}\n`);
  const outcome = await Promise.race([ended, config ? ready(child) : refused(child, ended)]);
  child.unref();
  if (outcome === 'ready') return EXIT.ok;
  if (!config) return EXIT.unconfigured;
  process.stderr.write(readStartLog(path));
  if (outcome !== 'timeout') return outcome;
  const text = `heartbeat: the daemon [pid ${child.pid}] is not ready after ${READY_MS / 1000} s`;
  throw new Exit(EXIT.usage, `${text}\n    hint: see its log`);
}

/** The daemon must not run on a configuration with errors, not even one it would read differently. */
async function refused(child: ChildProcess, ended: Promise<number>): Promise<number> {
  const timer = setTimeout(() => child.kill('SIGTERM'), REFUSE_MS);
  const status = await ended;
  clearTimeout(timer);
  return status;
}

async function ready(child: ChildProcess): Promise<'ready' | 'timeout'> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) break;
    const found = findDaemon();
    // Only when the child holds the pid file is the socket its own, and not that of another daemon.
    if (found.state !== 'running' || found.pid !== child.pid) continue;
    const reply = await ask({command: 'status'}, PROBE_MS);
    if (statusOf(reply) !== EXIT.notRunning && statusOf(reply) !== EXIT.unreachable) return 'ready';
  }
  return 'timeout';
}

function openStartLog(): {readonly descriptor: number | undefined; readonly path: string} {
  const path = `${paths().logDir}/systole-start.log`;
  try {
    mkdirSync(paths().logDir, {recursive: true});
    return {descriptor: openSync(path, 'w', 0o640), path};
  } catch {
    // A full or read-only disk must not keep the cluster down.
    return {descriptor: undefined, path};
  }
}

function readStartLog(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, 65_536);
  } catch {
    return '';
  }
}

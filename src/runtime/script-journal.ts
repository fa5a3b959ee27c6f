// Which scripts run right now, in a directory of files named by process id. A manager that was killed leaves scripts
// running; the next one must not ask `status`, or start anything, beside a start or stop that is still under way (resource-
// engine.md 2.13: a node whose stop was still running believed `status` and ended with the service nowhere). The directory is on
// a tmpfs and each file holds the start time of the process, so a reused id is never mistaken for a script of ours. A manager may
// die between the start of a script and its entry, or find no room for it, so abandoned scripts are looked for by what they are, too.

import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {type LogRecord, log} from '../model/log.js';
import {abandonedLeaders, isGroupAlive, pollUntil, signalGroup, startTimeOf} from './process-group.js';

export interface ScriptJournal {
  started(pid: number): void;
  ended(pid: number): void;
}

export function openScriptJournal(directory: string): ScriptJournal {
  attempt(() => mkdirSync(directory, {recursive: true, mode: 0o700}));
  return {
    started: (pid) => attempt(() => writeFileSync(`${directory}/${pid}`, startTimeOf(pid) ?? '')),
    ended: (pid) => attempt(() => rmSync(`${directory}/${pid}`, {force: true})),
  };
}

export function journalDir(runDir: string): string {
  return `${runDir}/scripts`;
}

export interface Orphanage {
  /** Another daemon on this machine has another one. */
  readonly runDir: string;
  readonly agentDirs: readonly string[];
  readonly graceMs: number;
}

/** After SIGKILL; a process stuck in the kernel is waited for no longer. */
export const ORPHAN_KILL_MS = 2000;

/**
 * Ends scripts that a previous manager left behind: SIGTERM to their groups, SIGKILL after graceMs, and a last bound
 * after which it reports false. Groups whose leader has exited are left alone: what remains there is a daemon.
 */
export async function endOrphans(where: Orphanage): Promise<{count: number; allEnded: boolean}> {
  const directory = journalDir(where.runDir);
  const pids = [...new Set([...leftBehind(directory), ...unrecorded(where)])];
  for (const pid of pids) signalGroup(pid, 'SIGTERM');
  await pollUntil(() => pids.every((pid) => !isGroupAlive(pid)), pids.length === 0 ? 0 : where.graceMs);
  for (const pid of pids.filter(isGroupAlive)) signalGroup(pid, 'SIGKILL');
  const allEnded = await pollUntil(() => pids.every((pid) => !isGroupAlive(pid)), ORPHAN_KILL_MS);
  for (const name of namesIn(directory)) attempt(() => rmSync(`${directory}/${name}`, {force: true}));
  return {count: pids.length, allEnded};
}

/** The same for a manager, which tells it. */
export async function endOldScripts(where: Orphanage, say: (record: LogRecord) => void): Promise<void> {
  const {count, allEnded} = await endOrphans(where);
  if (count === 0) return;
  const text = `${count} scripts of the previous manager were still running: ${allEnded ? 'ended' : 'not all could be ended'}`;
  say(log('WARN', 'ORPHANS_ENDED', text, {count}));
}

/** Leads its own session, lost its parent, and is an agent of ours with an action: nothing but an orphan looks like that. */
function unrecorded({agentDirs, runDir}: Orphanage): number[] {
  const isAgent = (word: string): boolean => agentDirs.some((dir) => word.startsWith(`${dir}/`));
  return abandonedLeaders()
    .filter(({words}) => words.some(isAgent) && /^(start|stop|status)$/.test(words.at(-1) ?? ''))
    .filter(({environment}) => environment.includes(`HA_RUNDIR=${runDir}`))
    .map(({pid}) => pid);
}

function leftBehind(directory: string): number[] {
  return namesIn(directory)
    .filter((name) => /^[1-9]\d{0,9}$/.test(name))
    .filter((name) => {
      const now = startTimeOf(Number(name));
      return now !== undefined && now === readText(`${directory}/${name}`);
    })
    .map(Number);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // A full or read-only run directory must not stop a takeover; what is lost is only this extra care.
  }
}

// Which scripts run right now, in a directory of files named by process id. A manager that was killed leaves scripts
// running; the next one must not ask `status`, or start anything, beside a start or stop that is still under way (resource-
// engine.md 2.13: a node whose stop was still running believed `status` and ended with the service nowhere). The directory is on
// a tmpfs and each file holds the start time of the process, so a reused id is never mistaken for a script of ours.

import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {isGroupAlive, pollUntil, signalGroup, startTimeOf} from './process-group.js';

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

/**
 * Ends scripts that a previous manager left behind: SIGTERM to their groups, SIGKILL after graceMs, and a last bound
 * after which it reports false. Groups whose leader has exited are left alone: what remains there is a daemon.
 */
export async function endOrphans(directory: string, graceMs: number): Promise<{count: number; allEnded: boolean}> {
  const pids = leftBehind(directory);
  for (const pid of pids) signalGroup(pid, 'SIGTERM');
  await pollUntil(() => pids.every((pid) => !isGroupAlive(pid)), graceMs);
  for (const pid of pids.filter(isGroupAlive)) signalGroup(pid, 'SIGKILL');
  const allEnded = await pollUntil(() => pids.every((pid) => !isGroupAlive(pid)), 2000);
  for (const name of namesIn(directory)) attempt(() => rmSync(`${directory}/${name}`, {force: true}));
  return {count: pids.length, allEnded};
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

// Finds the executable behind a resource name: the agent directories in order, then a systemd unit through our own
// `systemd` agent. Promises that only a regular executable file directly inside one of these directories is ever run.

import {statSync} from 'node:fs';

export type FoundAgent =
  | {readonly found: true; readonly path: string; readonly leadingArgs: readonly string[]}
  | {readonly found: false; readonly reason: string};

export const UNIT_DIRS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/** `HA_UNITDIRS` replaces the directories of systemd units, as for the configuration check. */
export function unitDirsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return env['HA_UNITDIRS']?.split(':').filter(Boolean) ?? UNIT_DIRS;
}

export function findAgent(
  dirs: readonly string[],
  script: string,
  unitDirs: readonly string[] = UNIT_DIRS,
): FoundAgent {
  if (!isPlainName(script)) return {found: false, reason: `${JSON.stringify(script)} is not a file name`};
  let present: string | undefined;
  for (const dir of dirs) {
    const kind = kindOf(`${dir}/${script}`);
    if (kind === 'executable') return {found: true, path: `${dir}/${script}`, leadingArgs: []};
    if (kind === 'present') present ??= `${dir}/${script}`;
  }
  if (present !== undefined) return {found: false, reason: `${present} is not executable`};
  return findUnit(dirs, script, unitDirs) ?? {found: false, reason: `it is in none of ${dirs.join(', ')}`};
}

function findUnit(dirs: readonly string[], script: string, unitDirs: readonly string[]): FoundAgent | undefined {
  const unit = script.endsWith('.service') ? script : `${script}.service`;
  if (!unitDirs.some((dir) => kindOf(`${dir}/${unit}`) !== 'absent')) return undefined;
  const agent = dirs.map((dir) => `${dir}/systemd`).find((path) => kindOf(path) === 'executable');
  return agent === undefined ? undefined : {found: true, path: agent, leadingArgs: [unit]};
}

/** A name is looked up, never a path: `../../bin/sh` must not leave the agent directories. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

function kindOf(path: string): 'executable' | 'present' | 'absent' {
  try {
    const found = statSync(path);
    if (!found.isFile()) return 'absent';
    return (found.mode & 0o111) === 0 ? 'present' : 'executable';
  } catch {
    return 'absent';
  }
}

// Finds the executable behind a resource name: the agent directories in order, then a systemd unit through our own
// `systemd` agent. Promises that only a regular executable file directly inside one of these directories is ever run, and that
// drbd-utils' drbddisk does not take the place of ours.

import {closeSync, openSync, readSync, statSync} from 'node:fs';

export type FoundAgent =
  | {
      readonly found: true;
      readonly path: string;
      readonly leadingArgs: readonly string[];
      /** An agent of this name that stands before it, and is not used. */
      readonly passedOver?: string;
    }
  | {readonly found: false; readonly reason: string};

const HEAD_BYTES = 4096;

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
  let passedOver: string | undefined;
  for (const dir of dirs) {
    const path = `${dir}/${script}`;
    const kind = kindOf(path);
    if (kind === 'executable' && dir !== dirs.at(-1) && isReplaced(path, script)) passedOver ??= path;
    else if (kind === 'executable')
      return {found: true, path, leadingArgs: [], ...(passedOver === undefined ? {} : {passedOver})};
    else if (kind === 'present') present ??= path;
  }
  if (passedOver !== undefined) return {found: true, path: passedOver, leadingArgs: []};
  if (present !== undefined) return {found: false, reason: `${present} is not executable`};
  return findUnit(dirs, script, unitDirs) ?? {found: false, reason: `it is in none of ${dirs.join(', ')}`};
}

function findUnit(dirs: readonly string[], script: string, unitDirs: readonly string[]): FoundAgent | undefined {
  const unit = script.endsWith('.service') ? script : `${script}.service`;
  if (!unitDirs.some((dir) => kindOf(`${dir}/${unit}`) !== 'absent')) return undefined;
  const agent = dirs.map((dir) => `${dir}/systemd`).find((path) => kindOf(path) === 'executable');
  return agent === undefined ? undefined : {found: true, path: agent, leadingArgs: [unit]};
}

/**
 * drbd-utils puts a drbddisk into /etc/ha.d/resource.d, before ours, and leaves all judging to the kernel. It is known by its
 * author's name; a drbddisk that somebody else wrote is used as every agent of an administrator.
 */
function isReplaced(path: string, script: string): boolean {
  return script === 'drbddisk' && headOf(path).includes('LINBIT');
}

function headOf(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      return bytes.toString('latin1', 0, readSync(file, bytes, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
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

// The groups that the manager works with, in a file of the run directory: a manager that replaces a dead one, and the
// emergency stop, must know what may run here although haresources was edited since. The directory does not outlive a reboot, and
// neither does what the file is about. Promises: a damaged or absent file reads as undefined, a full disk is an answer.

import {readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {type LogRecord, log} from '../model/log.js';
import type {GroupsInForce, ResourceGroup} from '../model/resource.js';

const NAME = 'groups.json';
const BYTES_MAX = 4 * 1024 * 1024;

export function readGroupsInForce(runDir: string): GroupsInForce | undefined {
  try {
    const path = `${runDir}/${NAME}`;
    if (statSync(path).size > BYTES_MAX) return undefined;
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isInForce(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** What went wrong; undefined: it is written. */
export function writeGroupsInForce(runDir: string, {groups, claims}: GroupsInForce): string | undefined {
  const path = `${runDir}/${NAME}`;
  try {
    writeFileSync(`${path}.new`, JSON.stringify({groups, claims}), {mode: 0o600});
    renameSync(`${path}.new`, path);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The same for the manager, which goes on without it. */
export function rememberGroups(runDir: string, inForce: GroupsInForce, say: (record: LogRecord) => void): void {
  const problem = writeGroupsInForce(runDir, inForce);
  if (problem !== undefined) say(log('ERROR', 'GROUPS_NOT_REMEMBERED', `Cannot write ${NAME}: ${problem}`));
}

/** Everything is released. */
export function forgetGroupsInForce(runDir: string): void {
  try {
    rmSync(`${runDir}/${NAME}`, {force: true});
  } catch {
    // The next start measures groups that do not run, and forgets them.
  }
}

function isInForce(value: unknown): value is GroupsInForce {
  if (!isRecord(value) || !isResourceGroups(value['groups']) || !isRecord(value['claims'])) return false;
  return Object.values(value['claims']).every((claim) => Number.isSafeInteger(claim) && Number(claim) > 0);
}

export function isResourceGroups(value: unknown): value is ResourceGroup[] {
  return Array.isArray(value) && value.every(isGroup);
}

function isGroup(value: unknown): value is ResourceGroup {
  if (!isRecord(value) || typeof value['key'] !== 'string' || typeof value['home'] !== 'string') return false;
  const {resources, source} = value;
  return isRecord(source) && Array.isArray(resources) && resources.every(isResource);
}

function isResource(value: unknown): boolean {
  if (!isRecord(value) || typeof value['word'] !== 'string' || typeof value['script'] !== 'string') return false;
  const {args} = value;
  return Array.isArray(args) && args.every((each) => typeof each === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

// The configuration that this node works with, in a file of the run directory: a manager that replaces a lost one, and the emergency
// stop, go on with exactly that, whatever was written into the files since; only a start and a reload read those. It has the
// cluster keys, and the directory belongs to a user that must not choose what root runs: mode 0600, and believed only when
// it is our own. Promises: appears whole or not at all, what cannot be written or read is an answer, and an old copy never
// outlives a new configuration.

import {closeSync, constants, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import type {ClusterConfig} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {isResourceGroups} from './groups-in-force.js';

const NAME = 'config.json';
/** Another one when ClusterConfig changes (a test holds its shape against this): what another version kept is not ours to guess at. */
const FORMAT = 1;
const BYTES_MAX = 16 * 1024 * 1024;

export type ConfigInForce =
  | {readonly ok: true; readonly config: ClusterConfig}
  | {readonly ok: false; readonly problem: string};

/** As it comes back from the file, so that the two compare equal. */
export function plainConfig(config: ClusterConfig): ClusterConfig {
  return JSON.parse(JSON.stringify(config)) as ClusterConfig;
}

/** A manager goes on without it. */
export function keepConfig(runDir: string, config: ClusterConfig, say: (record: LogRecord) => void): void {
  const path = `${runDir}/${NAME}`;
  const draft = `${path}.new`;
  try {
    rmSync(draft, {force: true});
    writeFileSync(draft, JSON.stringify({format: FORMAT, config}), {mode: 0o600, flag: 'wx'});
    renameSync(draft, path);
  } catch (error) {
    forgetConfigInForce(runDir);
    const text = `Cannot write ${path}: ${textOf(error)}. Should the manager be lost, its successor reads the files`;
    say(log('ERROR', 'CONFIG_NOT_KEPT', text));
  }
}

export function readConfigInForce(runDir: string): ConfigInForce {
  const path = `${runDir}/${NAME}`;
  try {
    const found: unknown = JSON.parse(readOwn(path));
    return isKept(found) ? {ok: true, config: found.config} : {ok: false, problem: `${path} is of another version`};
  } catch (error) {
    // The parser would quote what it read.
    return {ok: false, problem: error instanceof SyntaxError ? `${path} is damaged` : textOf(error)};
  }
}

/** No successor will need it: nothing with keys stays behind. */
export function forgetConfigInForce(runDir: string): void {
  for (const name of [NAME, `${NAME}.new`]) {
    try {
      rmSync(`${runDir}/${name}`, {force: true});
    } catch {
      // The next start writes it anew.
    }
  }
}

function readOwn(path: string): string {
  // A pipe would block, a link could lead anywhere.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > BYTES_MAX) throw new Error(`${path} is no file of ours`);
    if (stat.uid !== process.geteuid?.() || (stat.mode & 0o077) !== 0) {
      throw new Error(`${path} could have been written by somebody else`);
    }
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function isKept(value: unknown): value is {readonly config: ClusterConfig} {
  if (!isRecord(value) || value['format'] !== FORMAT || !isRecord(value['config'])) return false;
  const {ha, keyring, groups, systole} = value['config'];
  return isRecord(ha) && isRecord(keyring) && isRecord(systole) && isResourceGroups(groups);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

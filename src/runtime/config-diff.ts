// What a reload changes, by how much work it is: nothing, keys, rules of the manager, or what messaging knows from its
// start and only learns by being started again.

import {createHash} from 'node:crypto';
import {isDeepStrictEqual} from 'node:util';
import type {ClusterConfig} from '../model/config.js';

export interface ConfigDiff {
  readonly any: boolean;
  readonly keys: boolean;
  /** Links, nodes or times: messaging has to start again. */
  readonly messaging: boolean;
  /** Where the log goes, or in what form. */
  readonly logging: boolean;
  /** Directives whose new value is used from the next start of the daemon on. */
  readonly atNextStart: readonly string[];
}

const MESSAGING_FIELDS = [
  'node',
  'nodes',
  'media',
  'udpPort',
  'keepaliveMs',
  'warntimeMs',
  'deadtimeMs',
  'initdeadMs',
  'deadpingMs',
  'msgfmt',
  'compressionThresholdBytes',
  'traditionalCompression',
  'maxRexmitDelayMs',
  'hopfudge',
  'realtime',
  'rtprio',
] as const;
const LOGGING_FIELDS = ['logfile', 'debugfile', 'logfacility', 'syslogmsgfmt'] as const;

/** A client that is taken away could be one that a user relies on, and a watchdog once opened cannot be set again. */
const START_FIELDS = {
  respawn: 'respawn, failfast',
  apiauth: 'apiauth',
  watchdog: 'watchdog',
} as const satisfies Partial<Record<keyof ClusterConfig['ha'], string>>;

const FILES: Readonly<Record<keyof ClusterConfig, string>> = {
  ha: 'ha.cf',
  keyring: 'authkeys',
  groups: 'haresources',
  systole: 'systole.conf',
};

export function diffConfig(before: ClusterConfig, after: ClusterConfig): ConfigDiff {
  const differs = (field: keyof ClusterConfig['ha']): boolean => !isDeepStrictEqual(before.ha[field], after.ha[field]);
  return {
    any: !isDeepStrictEqual(before, after),
    keys: !isDeepStrictEqual(before.keyring, after.keyring),
    messaging: MESSAGING_FIELDS.some(differs),
    logging: LOGGING_FIELDS.some(differs),
    atNextStart: atNextStart(after, differs),
  };
}

/** The same for two configurations between which messaging needs no new start. */
export function messagingMark({ha}: ClusterConfig): string {
  const values = MESSAGING_FIELDS.map((field) => [field, ha[field] ?? null]);
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}

/** The files in which they differ, for people. */
export function filesThatDiffer(before: ClusterConfig, after: ClusterConfig): string[] {
  const parts = Object.keys(FILES) as (keyof ClusterConfig)[];
  return parts.filter((part) => !isDeepStrictEqual(before[part], after[part])).map((part) => FILES[part]);
}

function atNextStart({ha}: ClusterConfig, differs: (field: keyof ClusterConfig['ha']) => boolean): string[] {
  const fields = Object.keys(START_FIELDS) as (keyof typeof START_FIELDS)[];
  const found: string[] = fields.filter(differs).map((field) => START_FIELDS[field]);
  const keepsTimeout = ha.watchdog !== undefined && !differs('watchdog') && differs('deadtimeMs');
  return keepsTimeout ? [...found, 'deadtime (for the watchdog only)'] : found;
}

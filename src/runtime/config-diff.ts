// What a reload changes, by how much work it is: nothing, keys, rules of the manager, or what messaging knows from its
// start and only learns by being started again.

import {isDeepStrictEqual} from 'node:util';
import type {ClusterConfig} from '../model/config.js';

export interface ConfigDiff {
  readonly any: boolean;
  readonly keys: boolean;
  /** Links, nodes or times: messaging has to start again. */
  readonly messaging: boolean;
  /** Where the log goes, or in what form. */
  readonly logging: boolean;
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

export function diffConfig(before: ClusterConfig, after: ClusterConfig): ConfigDiff {
  const differs = (field: keyof ClusterConfig['ha']): boolean => !isDeepStrictEqual(before.ha[field], after.ha[field]);
  return {
    any: !isDeepStrictEqual(before, after),
    keys: !isDeepStrictEqual(before.keyring, after.keyring),
    messaging: MESSAGING_FIELDS.some(differs),
    logging: LOGGING_FIELDS.some(differs),
  };
}

// What src/config makes of ha.cf, authkeys, haresources and systole.conf. All times in milliseconds.

import type {NodeName} from './cluster.js';
import type {ResourceGroup, ResourceTimeouts} from './resource.js';

export type AuthMethod = 'crc' | 'md5' | 'sha1';

export interface AuthKey {
  /** 0..15. */
  readonly index: number;
  readonly method: AuthMethod;
  /** The key's bytes as latin1 text; empty for crc. Never logged. */
  readonly key: string;
}

export interface Keyring {
  /** Index of the key that signs. */
  readonly signWith: number;
  readonly keys: readonly AuthKey[];
}

export type Medium =
  | {readonly kind: 'ucast'; readonly device: string; readonly host: string}
  | {readonly kind: 'bcast'; readonly device: string}
  | {
      readonly kind: 'mcast';
      readonly device: string;
      readonly group: string;
      readonly port: number;
      readonly ttl: number;
      readonly loop: boolean;
    }
  | {readonly kind: 'ucast6'; readonly device: string; readonly host: string}
  | {
      readonly kind: 'mcast6';
      readonly device: string;
      readonly group: string;
      readonly port: number;
      readonly hops: number;
      readonly loop: boolean;
    }
  | {readonly kind: 'serial'; readonly device: string; readonly baud: number}
  | {readonly kind: 'ping'; readonly name: string; readonly hosts: readonly string[]};

export interface RespawnClient {
  readonly user: string;
  readonly command: string;
  readonly failfast: boolean;
}

export interface ApiAuth {
  readonly client: string;
  readonly uids: readonly string[];
  readonly gids: readonly string[];
}

export interface StonithDevice {
  /** Plugin type, e.g. `external/ipmi`. */
  readonly type: string;
  /** Positional parameters (stonith_host), or the words of the config file (stonith). */
  readonly parameters: readonly string[];
}

export interface HaConfig {
  /** This node, lower case. */
  readonly node: NodeName;
  /** All normal nodes in ha.cf order, this one included, lower case. */
  readonly nodes: readonly NodeName[];
  readonly media: readonly Medium[];
  readonly udpPort: number;
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
  readonly deadpingMs: number;
  readonly autoFailback: 'on' | 'off' | 'legacy';
  readonly msgfmt: 'classic' | 'netstring';
  readonly compressionThresholdBytes: number;
  readonly traditionalCompression: boolean;
  readonly maxRexmitDelayMs: number;
  readonly hopfudge: number;
  readonly generationMethod: 'file' | 'time';
  readonly realtime: boolean;
  readonly rtprio: number | undefined;
  readonly debug: number;
  readonly logBadpack: boolean;
  readonly logfile: string | undefined;
  readonly debugfile: string | undefined;
  readonly logfacility: string | undefined;
  readonly syslogmsgfmt: boolean;
  readonly watchdog: string | undefined;
  readonly stonith: StonithDevice | undefined;
  readonly respawn: readonly RespawnClient[];
  readonly apiauth: readonly ApiAuth[];
  /** `env NAME=value` directives. */
  readonly env: Readonly<Record<string, string>>;
  /** Every recorded directive as text, defaults included: answers `hbparameter` and the HA_X environment of scripts. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** From systole.conf, a file of ours; every key has a default, the file may be absent. */
export interface SystoleConfig {
  readonly defaults: ResourceTimeouts;
  /** By agent script name. */
  readonly perAgent: Readonly<Record<string, Partial<ResourceTimeouts>>>;
  readonly killDelayMs: number;
  /** Further stop attempts after the first failed one. */
  readonly stopRetries: number;
  readonly stopRetryDelayMs: number;
  /** What follows when all stop attempts failed: stay blocked and alarm, or reboot as Heartbeat does. */
  readonly stopFailure: 'block' | 'reboot';
  /** A group that failed to start is tried again here after this; doubled each time up to failureExpiryMaxMs. */
  readonly failureExpiryMs: number;
  readonly failureExpiryMaxMs: number;
  /** Interval of the `status` check of running resources; 0: never. */
  readonly monitorIntervalMs: number;
}

export interface ClusterConfig {
  readonly ha: HaConfig;
  readonly keyring: Keyring;
  readonly groups: readonly ResourceGroup[];
  readonly systole: SystoleConfig;
}

export type Severity = 'error' | 'warning' | 'notice';

/** One finding of the configuration check. Line and column count from 1; 0 when the whole file is meant. */
export interface Diagnostic {
  readonly severity: Severity;
  readonly code: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Characters of the value at fault; 0 when none. */
  readonly length: number;
  readonly text: string;
  readonly hint: string;
}

/** Reads a time-out for one call: the agent's override, else the default. */
export function timeoutOf(config: SystoleConfig, script: string, action: 'start' | 'stop' | 'status'): number {
  const own = config.perAgent[script];
  if (action === 'start') return own?.startMs ?? config.defaults.startMs;
  if (action === 'stop') return own?.stopMs ?? config.defaults.stopMs;
  return own?.statusMs ?? config.defaults.statusMs;
}

// A ClusterConfig for tests of the cores, without files.

import type {ClusterConfig} from '../../src/model/config.js';
import type {ResourceGroup} from '../../src/model/resource.js';

export interface ConfigOptions {
  readonly node: string;
  readonly haresources: string;
  readonly nodes?: readonly string[];
  readonly autoFailback?: 'on' | 'off' | 'legacy';
  readonly stonith?: boolean;
  readonly deadtimeMs?: number;
  readonly keepaliveMs?: number;
  readonly monitorIntervalMs?: number;
  readonly stopRetries?: number;
}

export function clusterConfig(options: ConfigOptions): ClusterConfig {
  const deadtimeMs = options.deadtimeMs ?? 5000;
  return {
    ha: {
      node: options.node,
      nodes: options.nodes ?? ['n1', 'n2'],
      media: [],
      udpPort: 694,
      keepaliveMs: options.keepaliveMs ?? 1000,
      warntimeMs: deadtimeMs / 2,
      deadtimeMs,
      initdeadMs: 2 * deadtimeMs,
      deadpingMs: deadtimeMs,
      autoFailback: options.autoFailback ?? 'off',
      msgfmt: 'classic',
      compressionThresholdBytes: 2048,
      traditionalCompression: false,
      maxRexmitDelayMs: 250,
      hopfudge: 1,
      generationMethod: 'file',
      realtime: false,
      rtprio: undefined,
      debug: 0,
      logBadpack: true,
      logfile: undefined,
      debugfile: undefined,
      logfacility: undefined,
      syslogmsgfmt: true,
      watchdog: undefined,
      stonith: options.stonith ? {type: 'external/test', parameters: []} : undefined,
      respawn: [],
      apiauth: [],
      env: {},
      parameters: {},
    },
    keyring: {signWith: 1, keys: [{index: 1, method: 'sha1', key: 'secret'}]},
    groups: groupsOf(options.haresources),
    systole: {
      defaults: {startMs: 60_000, stopMs: 60_000, statusMs: 20_000},
      perAgent: {},
      killDelayMs: 5000,
      stopRetries: options.stopRetries ?? 3,
      stopRetryDelayMs: 1000,
      stopFailure: 'block',
      failureExpiryMs: 30_000,
      failureExpiryMaxMs: 600_000,
      monitorIntervalMs: options.monitorIntervalMs ?? 10_000,
    },
  };
}

/** `n1 A A2; n2 B::x`: a group a line. */
export function groupsOf(text: string): ResourceGroup[] {
  return text.split(';').map((line, index) => {
    const [home = '', ...words] = line.trim().split(/\s+/);
    const resources = words.map((word) => {
      const [script = '', ...args] = word.split('::');
      return {word, script, args};
    });
    return {key: words[0] ?? '', home, resources, source: {line: index + 1}};
  });
}

// Which cluster daemon runs on the nodes of a lab, and how it is configured and commanded: this checkout's, or Debian's
// heartbeat 3.0.6 (for the benchmark and for mixed clusters). Writes the three files; knows the commands' paths.

import {chmodSync, cpSync, writeFileSync} from 'node:fs';
import {packageRoot} from './host.js';
import {addressOf} from './network.js';

/** `systole`: bin/ of this checkout. `real`: the Debian package heartbeat. */
export type DaemonKind = 'systole' | 'real';

export interface Timing {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
}

export interface ClusterFiles {
  readonly nodes: readonly string[];
  /** Text of haresources, the same on all nodes. */
  readonly haresources: string;
  readonly timing: Timing;
  readonly autoFailback: 'on' | 'off' | 'legacy';
  /** Further ha.cf lines, e.g. `realtime off`. */
  readonly haCf: readonly string[];
  /** Text of systole.conf; the real daemon does not read it. */
  readonly systoleConf: string | undefined;
}

export interface Daemon {
  readonly kind: DaemonKind;
  writeFiles(haDirectory: string, node: string, files: ClusterFiles): void;
  /** Command lines for a node's shell. */
  readonly start: string;
  readonly stop: string;
  readonly status: string;
  /** The path of hb_standby, hb_takeover, cl_status, ... */
  path(command: string): string;
}

const bin = `${packageRoot}/bin`;
/** A shell's background jobs ignore INT and QUIT; a daemon started at boot does not, nor do its scripts. */
const asAtBoot = 'env --default-signal=INT,QUIT';

const systole: Daemon = {
  kind: 'systole',
  writeFiles: (haDirectory, node, files) => {
    writeCommon(haDirectory, node, files);
    if (files.systoleConf !== undefined) writeFileSync(`${haDirectory}/systole.conf`, files.systoleConf);
  },
  // The directory that Debian's unit and the init script make before the daemon starts.
  start: `mkdir -p /run/heartbeat; ${asAtBoot} ${bin}/heartbeat`,
  stop: `${bin}/heartbeat -k`,
  status: `${bin}/heartbeat -s`,
  path: (command) => `${bin}/${command}`,
};

const debianLibexec = '/usr/libexec/heartbeat';
const debianRuntime =
  'mkdir -p /run/heartbeat/ccm /run/heartbeat/crm /run/heartbeat/dopd /run/resource-agents; ' +
  'mkdir -p /var/lib/heartbeat/cores/root /var/lib/heartbeat/cores/nobody /var/lib/heartbeat/cores/hacluster; ' +
  'chown -R hacluster:haclient /run/heartbeat /var/lib/heartbeat';

const real: Daemon = {
  kind: 'real',
  writeFiles: (haDirectory, node, files) => {
    // Debian's scripts (harc, rc.d, resource.d, shellfuncs) live beside the configuration.
    cpSync('/etc/ha.d', haDirectory, {recursive: true, dereference: true});
    // What Debian does not bring (mysqld) comes from this checkout.
    cpSync(`${packageRoot}/resource.d`, `${haDirectory}/resource.d`, {recursive: true, force: false});
    writeCommon(haDirectory, node, files);
  },
  start: `${debianRuntime}; ${asAtBoot} ${debianLibexec}/heartbeat`,
  stop: `${debianLibexec}/heartbeat -k`,
  status: `${debianLibexec}/heartbeat -s`,
  path: (command) => (command === 'cl_status' ? '/usr/bin/cl_status' : `/usr/share/heartbeat/${command}`),
};

export const daemons: Readonly<Record<DaemonKind, Daemon>> = {systole, real};

function writeCommon(haDirectory: string, node: string, files: ClusterFiles): void {
  const peers = files.nodes.filter((each) => each !== node).map((each) => files.nodes.indexOf(each) + 1);
  const {keepaliveMs, warntimeMs, deadtimeMs, initdeadMs} = files.timing;
  const haCf = [
    'logfile /var/log/ha-log',
    'debugfile /var/log/ha-debug',
    `keepalive ${keepaliveMs}ms`,
    `warntime ${warntimeMs}ms`,
    `deadtime ${deadtimeMs}ms`,
    `initdead ${initdeadMs}ms`,
    ...peers.flatMap((peer) => [`ucast eth0 ${addressOf(peer, 'eth0')}`, `ucast eth1 ${addressOf(peer, 'eth1')}`]),
    `auto_failback ${files.autoFailback}`,
    ...files.nodes.map((each) => `node ${each}`),
    ...files.haCf,
  ];
  writeFileSync(`${haDirectory}/ha.cf`, `${haCf.join('\n')}\n`);
  writeFileSync(`${haDirectory}/haresources`, `${files.haresources.trimEnd()}\n`);
  writeFileSync(`${haDirectory}/authkeys`, 'auth 1\n1 sha1 HA_JACKBILLOW\n');
  chmodSync(`${haDirectory}/authkeys`, 0o600);
}

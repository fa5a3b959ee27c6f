// What scenarios vary, and the files that follow from it: those of the worked example, and with `hasMore` a second resource of two
// volumes with a second database beside it, whose home is the other node. Texts only: cluster.ts puts them on a guest.

import {SERVICE_ADDRESS} from './network.js';
import {SLOW} from './slow.js';

/** In force on a guest after `configure`, DRBD's part also after `drbdadm adjust`. */
export interface Settings {
  readonly fencing: 'resource-only' | 'resource-and-stonith';
  /** Each node may cut the other's power, whatever the cables do (power-switch.ts). */
  readonly hasStonith: boolean;
  /** Lines added to ha.cf. */
  readonly haCf: string;
  /** DRBD's timers. */
  readonly net: string;
  /** Debian's drbd-peer-outdater also where the daemon is ours. */
  readonly hasDebianHelper: boolean;
  /** The resource `more` and its group; its first start is in scenarios/several.ts. */
  readonly hasMore: boolean;
}

export const DEFAULTS: Settings = {
  fencing: 'resource-only',
  hasStonith: false,
  haCf: '',
  // DRBD notices a dead peer before Heartbeat calls it dead, as docs/drbd.md wants it; an emulated processor may stand still for 3 s.
  net: `timeout ${20 * SLOW}; ping-int ${2 * SLOW}; ping-timeout ${30 * SLOW}; connect-int ${5 * SLOW};`,
  hasDebianHelper: false,
  hasMore: false,
};

/** Who is not heard is shot, and writes wait for it. */
export const FENCED = {fencing: 'resource-and-stonith', hasStonith: true} as const;

/** The second worked example, to the letter. */
export const HARESOURCES = `data-1-1 IPaddr::${SERVICE_ADDRESS}/24/eth0 drbddisk::data Filesystem::/dev/drbd0::/data::ext4 mysqld\n`;

export const MORE_HARESOURCES =
  'data-1-2 drbddisk::more Filesystem::/dev/drbd1::/more/a::ext4 Filesystem::/dev/drbd2::/more/b::ext4 mysqld::/more/my.cnf\n';

export function drbdConf(outdater: string, settings: Settings): string {
  return `global { usage-count no; }
resource data {
  ${drbdOptions(outdater, settings)}
  on data-1-1 { device /dev/drbd0; disk /dev/lab-lower; address 10.0.10.7:7788; meta-disk internal; }
  on data-1-2 { device /dev/drbd0; disk /dev/lab-lower; address 10.0.10.8:7788; meta-disk internal; }
}
${settings.hasMore ? more(outdater, settings) : ''}`;
}

const more = (outdater: string, settings: Settings): string => `resource more {
  ${drbdOptions(outdater, settings)}
  volume 0 { device /dev/drbd1; disk /dev/lab-more-a; meta-disk internal; }
  volume 1 { device /dev/drbd2; disk /dev/lab-more-b; meta-disk internal; }
  on data-1-1 { address 10.0.10.7:7789; }
  on data-1-2 { address 10.0.10.8:7789; }
}
`;

// c-min-rate 0: at times DRBD takes its own synchronisation for the service's work, and makes way for it at 250 KiB/s.
const drbdOptions = (outdater: string, {fencing, net}: Settings): string => `protocol C;
  disk { fencing ${fencing}; on-io-error detach; resync-rate 60M; c-min-rate 0; }
  net { ${net} }
  handlers { fence-peer "${outdater} -t ${(fencing === 'resource-only' ? 12 : 60) * SLOW}"; }`;

interface Server {
  readonly datadir: string;
  readonly name: string;
  readonly port: number;
  readonly bufferPool: string;
}

const myCnf = ({datadir, name, port, bufferPool}: Server): string => `[mysqld]
user = root
datadir = ${datadir}
socket = /run/${name}.sock
pid-file = /run/${name}.pid
log-error = /var/log/${name}.log
bind-address = 0.0.0.0
port = ${port}
skip-name-resolve
innodb_flush_log_at_trx_commit = 1
innodb_log_file_size = 16M
innodb_buffer_pool_size = ${bufferPool}
innodb_buffer_pool_dump_at_shutdown = off
innodb_buffer_pool_load_at_startup = off
performance_schema = off
[client]
socket = /run/${name}.sock
user = root
`;

export const MY_CNF = myCnf({datadir: '/data/mysql', name: 'mysqld', port: 3306, bufferPool: '32M'});
export const MORE_CNF = myCnf({datadir: '/more/a/mysql', name: 'mysqld-more', port: 3307, bufferPool: '16M'});

// Not realtime: one emulated processor starves while a real-time process starts on it.
export const haCf = (
  peer: number,
  libexec: string,
  {hasStonith, haCf: added}: Settings,
): string => `logfile /var/log/ha-log
debugfile /var/log/ha-debug
keepalive 1
warntime ${4 * SLOW}
deadtime ${8 * SLOW}
initdead ${25 * SLOW}
auto_failback off
realtime off
ucast eth0 10.0.0.${peer + 6}
ucast eth1 10.0.10.${peer + 6}
node data-1-1
node data-1-2
respawn hacluster ${libexec}/dopd
apiauth dopd gid=haclient uid=hacluster
${hasStonith ? 'stonith_host * external/lab data-1-1,data-1-2\n' : ''}${added}`;

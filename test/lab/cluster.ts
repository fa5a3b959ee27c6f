// The cluster of the worked example in two guests: its files, the documented first start of DRBD, the daemon of either kind,
// and what the guests' own kernels say of who is active. Nothing here believes the daemon.

import {spawn} from 'node:child_process';
import {type MinorState, parseProcDrbd} from '../../src/drbd/proc-drbd.js';
import {Writer} from '../../src/lab/client.js';
import {packageRoot} from '../../src/lab/host.js';
import {cacheDirectory, type Guest} from './guest.js';
import {NAMESPACE, SERVICE_ADDRESS} from './network.js';
import {SLOW, until} from './slow.js';

/** What scenarios vary; in force on a guest after `configure`, DRBD's part also after `drbdadm adjust`. */
export interface Settings {
  readonly fencing: 'resource-only' | 'resource-and-stonith';
  /** Each node may cut the other's power, whatever the cables do (stonith.ts). */
  readonly hasStonith: boolean;
  /** Lines added to ha.cf. */
  readonly haCf: string;
  /** DRBD's timers. */
  readonly net: string;
  /** Debian's drbd-peer-outdater also where the daemon is ours. */
  readonly hasDebianHelper: boolean;
}

export const DEFAULTS: Settings = {
  fencing: 'resource-only',
  hasStonith: false,
  haCf: '',
  net: `timeout ${50 * SLOW}; ping-int ${5 * SLOW}; ping-timeout ${30 * SLOW}; connect-int ${5 * SLOW};`,
  hasDebianHelper: false,
};

export type Kind = 'systole' | 'real';

const drbdConf = (outdater: string, {fencing, net}: Settings): string => `global { usage-count no; }
resource data {
  protocol C;
  disk { fencing ${fencing}; on-io-error detach; resync-rate 60M; }
  net { ${net} }
  handlers { fence-peer "${outdater} -t ${12 * SLOW}"; }
  on data-1-1 { device /dev/drbd0; disk /dev/lab-lower; address 10.0.10.7:7788; meta-disk internal; }
  on data-1-2 { device /dev/drbd0; disk /dev/lab-lower; address 10.0.10.8:7788; meta-disk internal; }
}
`;

/** The second worked example, to the letter. */
export const HARESOURCES = `data-1-1 IPaddr::${SERVICE_ADDRESS}/24/eth0 drbddisk::data Filesystem::/dev/drbd0::/data::ext4 mysqld\n`;

const MY_CNF = `[mysqld]
user = root
datadir = /data/mysql
socket = /run/mysqld.sock
pid-file = /run/mysqld.pid
log-error = /var/log/mysqld.log
bind-address = 0.0.0.0
port = 3306
skip-name-resolve
innodb_flush_log_at_trx_commit = 1
innodb_log_file_size = 16M
innodb_buffer_pool_size = 32M
innodb_buffer_pool_dump_at_shutdown = off
innodb_buffer_pool_load_at_startup = off
performance_schema = off
[client]
socket = /run/mysqld.sock
user = root
`;

// Not realtime: one emulated processor starves while a real-time process starts on it.
const haCf = (peer: number, libexec: string, {hasStonith, haCf: more}: Settings): string => `logfile /var/log/ha-log
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
${hasStonith ? 'stonith_host * external/lab data-1-1,data-1-2\n' : ''}${more}`;

interface Programs {
  readonly libexec: string;
  readonly heartbeat: string;
  readonly share: string;
  readonly prepare: string;
}

const PROGRAMS: Readonly<Record<Kind, Programs>> = {
  systole: {
    libexec: `${packageRoot}/bin`,
    heartbeat: `${packageRoot}/bin/heartbeat`,
    share: `${packageRoot}/bin`,
    prepare: 'mkdir -p /run/heartbeat',
  },
  real: {
    libexec: '/usr/libexec/heartbeat',
    heartbeat: '/usr/libexec/heartbeat/heartbeat',
    share: '/usr/share/heartbeat',
    // Debian's dopd runs as hacluster, so DRBD's programs must be setuid; its directories come from systemd-tmpfiles.
    prepare: [
      'cp -a /run/ha.d.debian/. /etc/ha.d/',
      `cp ${packageRoot}/resource.d/mysqld /etc/ha.d/resource.d/ && cp -r ${packageRoot}/resource.d/.lib /etc/ha.d/resource.d/`,
      'mkdir -p /run/heartbeat/ccm /run/heartbeat/crm /run/heartbeat/dopd /run/resource-agents /var/lib/heartbeat/cores/root',
      'chown -R hacluster:haclient /run/heartbeat /var/lib/heartbeat',
      'for p in /sbin/drbdsetup /sbin/drbdmeta /lib/drbd/drbdsetup-84; do chgrp haclient $p && chmod 4754 $p; done',
    ].join('; '),
  },
};

const PLUGINS = '/usr/lib/stonith/plugins/external';
const WATCH_MS = 400;

/** What one guest's kernel says. */
export interface Seen {
  readonly minor: MinorState | undefined;
  readonly isMounted: boolean;
  readonly hasAddress: boolean;
}

export class Cluster {
  readonly guests: readonly [Guest, Guest];
  readonly kinds: readonly [Kind, Kind];
  settings: Settings = DEFAULTS;

  constructor(guests: readonly [Guest, Guest], kinds: readonly [Kind, Kind]) {
    this.guests = guests;
    this.kinds = kinds;
  }

  other(guest: Guest): Guest {
    return guest === this.guests[0] ? this.guests[1] : this.guests[0];
  }

  kindOf(guest: Guest): Kind {
    return this.kinds[guest.number - 1] ?? 'systole';
  }

  #programs(guest: Guest): Programs {
    return PROGRAMS[this.kindOf(guest)];
  }

  /** Writes the configuration, as after every boot: the guest's root is memory. */
  async configure(guest: Guest): Promise<void> {
    const {libexec, prepare} = this.#programs(guest);
    await guest.run(prepare);
    const helpers = this.settings.hasDebianHelper ? PROGRAMS.real.libexec : libexec;
    await guest.write('/etc/drbd.conf', drbdConf(`${helpers}/drbd-peer-outdater`, this.settings));
    await guest.write('/etc/my.cnf', MY_CNF);
    await guest.run(`mkdir -p ${PLUGINS} && install -m 755 ${packageRoot}/test/lab/guest/stonith ${PLUGINS}/lab`);
    await guest.write('/etc/ha.d/ha.cf', haCf(3 - guest.number, libexec, this.settings));
    await guest.write('/etc/ha.d/haresources', HARESOURCES);
    await guest.write('/etc/ha.d/authkeys', 'auth 1\n1 sha1 HA_JACKBILLOW\n', '600');
    // A first run reads everything over 9p, slower than any deadtime; a real machine has warm disks.
    const warm = `cat ${packageRoot}/dist/bundle/*.cjs /usr/sbin/mariadbd /usr/sbin/drbd* /lib/drbd/* /sbin/e2fsck /bin/mount >/dev/null`;
    await guest.run(`mkdir -p /data; ${warm}; ${packageRoot}/bin/cl_status hbstatus; true`, 120_000);
  }

  /** The documented first start from empty disks (docs/drbd.md); leaves both Secondary, synchronising or done. */
  async firstStart(): Promise<void> {
    const [first] = this.guests;
    await both(this.guests, async (guest) => {
      await this.configure(guest);
      await guest.run('drbdadm create-md --force data && drbdadm up data', 120_000);
    });
    await first.run('drbdadm primary --force data');
    // Without discarding: that would end the synchronisation at once and prove nothing of it.
    await first.run('mkfs.ext4 -q -E nodiscard /dev/drbd0 && mount /dev/drbd0 /data', 120_000);
    await first.run(`tar -C /data -xf ${cacheDirectory}/mysql.tar && umount /data && drbdadm secondary data`, 180_000);
  }

  async start(guest: Guest): Promise<void> {
    await guest.run(`env --default-signal=INT,QUIT ${this.#programs(guest).heartbeat}`, 120_000);
  }

  async stop(guest: Guest): Promise<void> {
    await guest.run(`${this.#programs(guest).heartbeat} -k`, 180_000);
  }

  async command(guest: Guest, words: string): Promise<void> {
    await guest.run(`${this.#programs(guest).share}/${words}`, 60_000);
  }

  /** As command, but gives the exit code. */
  async tryCommand(guest: Guest, words: string): Promise<number> {
    return (await guest.exec(`${this.#programs(guest).share}/${words}`, 60_000)).code;
  }

  async see(guest: Guest): Promise<Seen | undefined> {
    if (!guest.isOn || guest.isPaused) return undefined;
    const ran = await guest.exec('@look', 20_000).catch(() => undefined);
    if (!ran) return undefined;
    return {
      minor: parseProcDrbd(ran.stdout)?.minors[0],
      isMounted: /^\/dev\/drbd/m.test(ran.stdout),
      hasAddress: ran.stdout.includes(`local ${SERVICE_ADDRESS}/`),
    };
  }

  /** Both disks good and connected. */
  async synchronised(timeoutMs = 240_000): Promise<void> {
    const isGood = async () => {
      const minor = (await this.see(this.guests[0]))?.minor;
      return minor?.disk === 'UpToDate' && minor.peerDisk === 'UpToDate' && minor.replication === 'Established';
    };
    await until(isGood, {timeoutMs, everyMs: 1000, what: () => 'DRBD does not synchronise'});
  }

  /** Which guest is Primary with the file system mounted and the address; fails when none becomes so in time. */
  async active(timeoutMs: number): Promise<Guest> {
    return until(
      async () => {
        for (const guest of this.guests) {
          const seen = await this.see(guest);
          if (seen?.minor?.role === 'Primary' && seen.isMounted && seen.hasAddress) return guest;
        }
        return undefined;
      },
      {timeoutMs, everyMs: 500, what: () => 'no node becomes active'},
    );
  }

  /** Writes rows through the address from the clients' network. */
  writer(): Promise<Writer> {
    const client = {
      spawn: (program: string, args: readonly string[]) =>
        spawn('nsenter', [`--net=/run/netns/${NAMESPACE}`, program, ...args]),
    };
    return Writer.start(client, {address: SERVICE_ADDRESS, intervalMs: 20, patience: 10 * SLOW});
  }
}

export async function both(guests: readonly Guest[], act: (guest: Guest) => Promise<void>): Promise<void> {
  await Promise.all(guests.map(act));
}

/** Looks at both guests all the time; what must never be is remembered. */
export class Watch {
  readonly violations: string[] = [];
  looks = 0;
  /** Set while a scenario shows what no configuration without fencing can prevent; the looks that saw it are counted. */
  isExcused = false;
  excused = 0;
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(private readonly cluster: Cluster) {
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const seen = await Promise.all(this.cluster.guests.map((guest) => this.cluster.see(guest)));
      // A look without an answer has seen nothing.
      const isWhole = this.cluster.guests.every((guest, at) => seen[at] !== undefined || !guest.isOn || guest.isPaused);
      if (isWhole && seen.some((each) => each !== undefined)) this.looks += 1;
      if (seen.every((each) => each?.minor?.role === 'Primary')) this.#saw('two Primaries');
      if (seen.every((each) => each?.isMounted)) this.#saw('mounted on both');
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
  }

  #saw(what: string): void {
    if (this.isExcused) this.excused += 1;
    else this.violations.push(`${new Date().toISOString()} ${what}`);
  }
}

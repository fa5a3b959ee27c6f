// The cluster of the worked example in two guests: puts its files there (settings.ts), makes the documented first start of DRBD, runs
// the daemon of either kind, and tells what the guests' own kernels say of who is active. Nothing here believes the daemon.

import {spawn} from 'node:child_process';
import {type MinorState, parseProcDrbd} from '../../src/drbd/proc-drbd.js';
import {Writer} from '../../src/lab/client.js';
import {packageRoot} from '../../src/lab/host.js';
import type {Guest} from './guest.js';
import {NAMESPACE, SERVICE_ADDRESS} from './network.js';
import {cacheDirectory} from './qemu.js';
import {DEFAULTS, drbdConf, HARESOURCES, haCf, MORE_CNF, MORE_HARESOURCES, MY_CNF, type Settings} from './settings.js';
import {SLOW, until} from './slow.js';

export type Kind = 'systole' | 'real';

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
    // What a machine with drbd-utils has; ours goes before it.
    prepare:
      'mkdir -p /run/heartbeat /etc/ha.d/resource.d; cp -a /run/ha.d.debian/resource.d/drbddisk /etc/ha.d/resource.d/',
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

/** What one guest's kernel says; `minor` and `isMounted` are those of the worked example, drbd0. */
export interface Seen {
  readonly minor: MinorState | undefined;
  readonly isMounted: boolean;
  readonly hasAddress: boolean;
  readonly minors: readonly MinorState[];
  /** What one node alone may have, as `drbd0 Primary`, `drbd0 mounted`. */
  readonly holds: readonly string[];
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
    const {hasMore} = this.settings;
    // While the file still names it: what no file names can only be taken down by its minors.
    if (!hasMore) await guest.run("! grep -qs '^resource more' /etc/drbd.conf || drbdadm down more", 60_000);
    await guest.write('/etc/drbd.conf', drbdConf(`${helpers}/drbd-peer-outdater`, this.settings));
    await guest.write('/etc/my.cnf', MY_CNF);
    if (hasMore) await guest.write('/more/my.cnf', MORE_CNF);
    if (hasMore) await guest.run('mkdir -p /more/a /more/b');
    await guest.run(`mkdir -p ${PLUGINS} && install -m 755 ${packageRoot}/test/lab/guest/stonith ${PLUGINS}/lab`);
    await guest.write('/etc/ha.d/ha.cf', haCf(3 - guest.number, libexec, this.settings));
    await guest.write('/etc/ha.d/haresources', hasMore ? HARESOURCES + MORE_HARESOURCES : HARESOURCES);
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
    const minors = parseProcDrbd(ran.stdout)?.minors ?? [];
    const primaries = minors.filter(({role}) => role === 'Primary').map(({minor}) => `drbd${minor} Primary`);
    const mounted = [...ran.stdout.matchAll(/^\/dev\/(drbd\d+) /gm)].map(([, device]) => `${device} mounted`);
    return {
      minor: minors.find(({minor}) => minor === 0),
      isMounted: mounted.includes('drbd0 mounted'),
      hasAddress: ran.stdout.includes(`local ${SERVICE_ADDRESS}/`),
      minors,
      holds: [...primaries, ...mounted],
    };
  }

  /** Every volume good on both nodes, and connected. */
  async synchronised(timeoutMs = 240_000): Promise<void> {
    const isGood = ({disk, peerDisk, replication}: MinorState): boolean =>
      disk === 'UpToDate' && peerDisk === 'UpToDate' && replication === 'Established';
    const areGood = async (): Promise<boolean> => {
      const minors = (await this.see(this.guests[0]))?.minors ?? [];
      return minors.length === (this.settings.hasMore ? 3 : 1) && minors.every(isGood);
    };
    await until(areGood, {timeoutMs, everyMs: 1000, what: () => 'DRBD does not synchronise'});
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

/** When one fails, the other is awaited all the same: nothing goes on behind the caller's back. */
export async function both(guests: readonly Guest[], act: (guest: Guest) => Promise<void>): Promise<void> {
  for (const ended of await Promise.allSettled(guests.map(act))) if (ended.status === 'rejected') throw ended.reason;
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
      const [here, there] = seen;
      for (const what of here?.holds ?? []) if (there?.holds.includes(what)) this.#saw(`${what} on both nodes`);
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
  }

  #saw(what: string): void {
    if (this.isExcused) this.excused += 1;
    else this.violations.push(`${new Date().toISOString()} ${what}`);
  }
}

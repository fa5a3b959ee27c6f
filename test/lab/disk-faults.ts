// What is done to a guest's disks, by scenarios and by the soak: its lower device gives errors, its file system has no space; and how
// both are put right. Putting right what is right changes nothing, so that nobody need know what a power cut has put right before:
// the table of the lower device is memory, and whatever fills the file system is on the node that has it mounted by then.

import type {Cluster} from './cluster.js';
import type {Guest} from './guest.js';
import {until} from './slow.js';

const FILL = '/data/fill';
const FILLER = '/data/mysql/demo/filler.ibd';

const load = (target: string): string =>
  `export DM_DISABLE_UDEV=1; dmsetup suspend --noflush --nolockfs lower && dmsetup load lower --table "0 $(blockdev --getsz /dev/lab-drbd) ${target}" && dmsetup resume --noudevsync lower`;

/** Every read and write of the lower device is an error; DRBD detaches it. */
export async function failLower(cluster: Cluster, guest: Guest): Promise<void> {
  await guest.run(load('error'));
  await until(async () => (await cluster.see(guest))?.minor?.disk === 'Diskless', {
    timeoutMs: 60_000,
    everyMs: 200,
    what: () => 'the failing disk is not detached',
  });
}

export async function mendLower(guest: Guest): Promise<void> {
  const attach = 'drbdadm attach data || drbdadm adjust data';
  const mend = `if dmsetup table lower | grep -q error; then { ${load('linear /dev/lab-drbd 0')}; } && { ${attach}; }; fi`;
  await guest.run(mend, 60_000);
}

/** A new disk in the place of the old one, empty; DRBD's resource is down. */
export async function exchangeLower(guest: Guest): Promise<void> {
  await guest.run(
    `dd if=/dev/zero of=/dev/lab-drbd bs=1M oflag=direct 2>/dev/null; ${load('linear /dev/lab-drbd 0')}`,
    120_000,
  );
}

/** As a bad controller would: below DRBD, which does not learn of it. In the middle of the device, away from what changes all the time. */
export async function scribble(guest: Guest): Promise<void> {
  const place = 'bs=4k count=16 seek=$(($(blockdev --getsz /dev/lab-drbd) / 16)) oflag=direct conv=notrunc';
  await guest.run(`dd if=/dev/urandom of=/dev/lab-drbd ${place}`, 60_000);
}

/** The file system first, then the database, until it says so; gives its words. */
export async function fill(guest: Guest): Promise<string> {
  await guest.run(sql('CREATE TABLE filler (b VARCHAR(3000))'), 60_000);
  // All but nothing of the space; then rows until the server says that it is full.
  await guest.run(`dd if=/dev/zero of=${FILL} bs=64k 2>/dev/null; sync; df /data | grep -q 100%`, 240_000);
  // Small rows: MariaDB 10.11 itself ends by an assertion when the space ends in the middle of a BLOB.
  const rows = Array.from({length: 50}, () => `(REPEAT('x', 3000))`).join(',');
  return until(
    async () => {
      const {code, stderr} = await guest.exec(sql(`INSERT INTO filler VALUES ${rows}`), 120_000);
      // The client repeats the whole statement before it.
      return code === 0 ? undefined : (/^ERROR.*/m.exec(stderr)?.[0] ?? stderr);
    },
    {timeoutMs: 180_000, what: () => 'the database is never full'},
  );
}

/** On whichever node has the file system mounted, as soon as one has. */
export async function makeSpace(cluster: Cluster, timeoutMs: number): Promise<void> {
  const free = `grep -q '^/dev/drbd0 ' /proc/mounts && { [ ! -e ${FILL} ] || { rm ${FILL} && sync; }; }`;
  const isFree = async (): Promise<boolean> => {
    for (const guest of cluster.guests)
      if ((await cluster.see(guest))?.isMounted) return (await guest.exec(free)).code === 0;
    return false;
  };
  await until(isFree, {timeoutMs, everyMs: 500, what: () => 'the file system is mounted nowhere'});
}

/** Needs the database, which needs space first. */
export async function dropFiller(active: Guest): Promise<void> {
  await active.run(`[ ! -e ${FILLER} ] || ${sql('DROP TABLE filler')}`, 120_000);
}

function sql(statement: string): string {
  return `mariadb --defaults-file=/etc/my.cnf demo -e "${statement}"`;
}

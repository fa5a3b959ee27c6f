// The shared disk of the lab: an ext4 image behind a loop device that both machines can mount, one after the other.
// Assumes root. Promises that the loop device is gone when this process is, however it ended: the device is marked for
// detaching at once and lives only as long as we hold it open or a machine has it mounted.
// What a power cut means here: the machine's file system is shut down first (EXT4_IOC_SHUTDOWN without flushing), so
// what was not synchronised is lost as on real hardware. What was synchronised is in the host's page cache, which plays
// the disk; the lab says nothing about disks that lie about a completed flush.

import {closeSync, existsSync, openSync, readFileSync, truncateSync} from 'node:fs';
import {host} from './host.js';
import type {Machine} from './machine.js';
import {until} from './wait.js';

/** EXT4_IOC_SHUTDOWN, flag 2: drop what is not on the disk yet. perl-base is on every Debian system. */
const shutdownProgram =
  'for (@ARGV) { open(my $f, "<", $_) or next; my $flag = pack("L", 2); ioctl($f, 0x8004587d, $flag) or die "$_: $!" }';

export interface SharedDisk {
  /** e.g. /dev/loop3, the same on every machine. */
  readonly device: string;
  close(): void;
}

export async function makeDisk(image: string, sizeMb: number): Promise<SharedDisk> {
  closeSync(openSync(image, 'w'));
  truncateSync(image, sizeMb * 1024 * 1024);
  await host('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=1,lazy_journal_init=1', image]);
  const device = (await host('losetup', ['--find', '--show', image])).trim();
  const held = openSync(device, 'r');
  await host('losetup', ['--detach', device]);
  return {device, close: () => closeSync(held)};
}

/** Where this machine has the device mounted. */
export function mountsOf(pid: number, device: string): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .filter((line) => line.includes(` - ext4 ${device} `))
    .map((line) => line.split(' ')[4] ?? '');
}

/** No write of this machine reaches the disk from now on, and unsynchronised ones are lost. */
export async function dropUnsynchronised(machine: Machine, device: string): Promise<void> {
  const mounts = mountsOf(machine.pid, device);
  if (mounts.length === 0) return;
  await host('nsenter', ['-t', `${machine.pid}`, '--mount', 'perl', '-e', shutdownProgram, ...mounts]);
}

/** The kernel takes a mount namespace apart a little after its last process; the other machine must not mount before. */
export async function waitUnmounted(device: string): Promise<void> {
  const mark = `/sys/fs/ext4/${device.replace('/dev/', '')}`;
  await until(() => !existsSync(mark), {timeoutMs: 5000, what: () => `${device} is still mounted`, everyMs: 2});
}

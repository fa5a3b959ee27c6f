// The words that QEMU is started with, and the disks of a guest.

import {readFileSync} from 'node:fs';
import {packageRoot} from '../../src/lab/host.js';
import {type Cable, tapOf} from './network.js';

export const cacheDirectory = process.env['SYSTOLE_LAB_CACHE'] ?? '/var/tmp/systole-vm-lab';

/** The last two are for a second resource (settings.ts); without one they lie there unused. */
export const DISKS_MB = {
  drbd: Number(process.env['SYSTOLE_LAB_DISK_MB'] ?? 256),
  state: 96,
  'more-a': 96,
  'more-b': 16,
} as const;

interface Machine {
  readonly number: number;
  /** Where its disks and sockets lie. */
  readonly directory: string;
}

export function qemuArguments({number, directory: at}: Machine): readonly string[] {
  const version = readFileSync(`${cacheDirectory}/kernel/done`, 'utf8').trim();
  const lab = `lab.number=${number} lab.guest=${packageRoot}/test/lab/guest lab.cache=${cacheDirectory}`;
  const kernel = `console=ttyS0 quiet loglevel=3 mitigations=off random.trust_cpu=on panic=1 net.ifnames=0 nokaslr audit=0 nowatchdog no_timer_check ${lab}`;
  const disk = (name: string) => [
    '-drive',
    `if=none,id=${name},file=${at}/${name}.img,format=raw,cache=writeback`,
    '-device',
    `virtio-blk-pci,drive=${name},serial=${name}`,
  ];
  const port = (name: string, index: number) => [
    '-chardev',
    `socket,id=${name},path=${at}/${name}.sock,server=on,wait=off`,
    '-device',
    `virtserialport,chardev=${name},name=${name},nr=${index}`,
  ];
  const card = (cable: Cable, network: number) => [
    '-netdev',
    `tap,id=${cable},ifname=${tapOf(number, cable)},script=no,downscript=no`,
    '-device',
    `virtio-net-pci,netdev=${cable},mac=52:54:00:00:0${network}:0${number},romfile=`,
  ];
  return [
    ...['-M', 'pc', '-accel', 'tcg,thread=multi,tb-size=192', '-cpu', 'max,la57=off', '-smp', '1', '-m', '1024'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-rtc', 'base=utc,clock=host'],
    ...[
      '-kernel',
      `${cacheDirectory}/kernel/boot/vmlinuz-${version}`,
      '-initrd',
      `${cacheDirectory}/initrd`,
      '-append',
      kernel,
    ],
    ...['-serial', `file:${at}/console.log`, '-qmp', `unix:${at}/qmp.sock,server=on,wait=off`, '-pidfile', `${at}/pid`],
    ...['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    ...['-fsdev', 'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap'],
    ...['-device', 'virtio-9p-pci,fsdev=root,mount_tag=hostroot', '-device', 'virtio-serial-pci,id=vs'],
    ...port('cmd', 1),
    ...port('cli', 2),
    ...port('fence', 3),
    ...Object.keys(DISKS_MB).flatMap(disk),
    ...card('eth0', 0),
    ...card('eth1', 1),
  ];
}

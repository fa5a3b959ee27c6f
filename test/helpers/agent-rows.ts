// What the contract suite needs to know of each agent. SCRATCH stands for the sandbox's directory; `prepare` is a shell
// script run there once. Stand-in programs go to SCRATCH/bin, which comes first in PATH.

import {fileURLToPath} from 'node:url';

export interface Row {
  readonly agent: string;
  readonly args: readonly string[];
  readonly bad: readonly (readonly string[])[];
  readonly prepare?: (scratch: string) => string;
  /** Words of a stopped status, where an old agent has its own. */
  readonly stopped?: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  /** For the killed start. */
  readonly slowArgs?: readonly string[];
  readonly slowEnv?: Readonly<Record<string, string>>;
  readonly killAfterMs?: readonly number[];
  readonly needs?: readonly string[];
}

const fixtures = fileURLToPath(new URL('../../../fixtures', import.meta.url));
const cable = () => `ip link add v0 type veth peer name v1; ip addr add 10.9.0.1/24 dev v0
  ip -6 addr add 2001:db8::1/64 dev v0 nodad; ip link set v0 up; ip link set v1 up`;
const program = (scratch: string, name: string, text: string) =>
  `mkdir -p ${scratch}/bin; cat >${scratch}/bin/${name} <<'END'\n#!/bin/sh\n${text}\nEND\nchmod 755 ${scratch}/bin/${name}`;
const badAddresses = [
  [],
  ['10.9.0'],
  ['10.9.0.256'],
  ['10.9.0.010'],
  ['10.9.0.9/33'],
  ['10.9.0.9/255.0.255.0'],
  ['10.9.0.9/24/v0;reboot'],
  ['10.9.0.9/24/nosuch0'],
  ['10.9.0.9/24/v0/10.9.0'],
  ['172.31.0.1'],
  ['2001', 'db8', '1'],
];

export const rows: readonly Row[] = [
  {agent: 'IPaddr', args: ['10.9.0.9/24/v0'], bad: badAddresses, prepare: cable},
  {agent: 'IPaddr', args: ['2001:db8', '9'], bad: [['2001:db8:::9']], prepare: cable},
  {agent: 'IPaddr2', args: ['10.9.0.9'], bad: badAddresses, prepare: cable},
  {
    agent: 'IPv6addr',
    args: ['2001:db8::9/64/v0'],
    bad: [[], ['10.9.0.9'], ['2001:db8::9/129'], ['20011::1']],
    prepare: cable,
  },
  {
    agent: 'SendArp',
    args: ['10.9.0.1/v0'],
    bad: [[], ['10.9.0.1'], ['10.9.0.99/v0'], ['10.9.0.1/nosuch0']],
    prepare: cable,
  },
  {
    agent: 'Filesystem',
    args: ['SCRATCH/image', 'SCRATCH/data', 'ext4', 'noatime'],
    bad: [
      [],
      ['SCRATCH/image'],
      ['SCRATCH/image', 'data'],
      ['SCRATCH/image', 'SCRATCH/absent'],
      ['nosuch', '/mnt'],
      ['/dev/nosuch', 'SCRATCH/data'],
      ['LABEL=nosuch', 'SCRATCH/data'],
      ['SCRATCH/image', 'SCRATCH/data', 'bogusfs'],
    ],
    prepare: (scratch) => `cd ${scratch}; mkdir data; truncate -s 20M image; mkfs.ext4 -q image`,
  },
  {
    agent: 'mysqld',
    args: ['SCRATCH/my.cnf'],
    bad: [['a', 'b'], ['SCRATCH/absent.cnf'], ['nosense'], ['3999'], ['SCRATCH/empty.cnf'], ['x@SCRATCH/empty']],
    needs: ['mariadbd', 'mariadb-install-db'],
    killAfterMs: [10, 30, 100, 250],
    prepare: (scratch) => `
      mariadb-install-db --no-defaults --datadir=${scratch}/data --auth-root-authentication-method=socket \
        --skip-test-db --user=root --innodb-log-file-size=4M --innodb-buffer-pool-size=8M >/dev/null 2>&1
      mkdir ${scratch}/empty
      printf '[mysqld]\\ndatadir=${scratch}/data\\nsocket=${scratch}/data/mysqld.sock\\nport=33071
innodb_buffer_pool_size=8M\\ninnodb_log_file_size=4M\\n' >${scratch}/my.cnf
      printf '[mysqld]\\ndatadir=${scratch}/empty\\n' >${scratch}/empty.cnf`,
  },
  {
    agent: 'drbddisk',
    args: ['r0'],
    bad: [['r0', 'r1'], ['--force'], ['minor-0'], ['/dev/drbd0']],
    stopped: /^stopped \(Secondary\)/,
    env: {SYSTOLE_DRBD: 'SCRATCH/drbd'},
    prepare: (scratch) => `mkdir -p ${scratch}/bin ${scratch}/drbd; cp ${fixtures}/drbd/bin/* ${scratch}/bin
      sed -i 's/\\bdata\\b/r0/g' ${scratch}/bin/*
      echo up=yes role=Secondary conn=Connected repl=Established disk=UpToDate prole=Secondary pdisk=UpToDate meta=UpToDate >${scratch}/drbd/state`,
  },
  {agent: 'Delay', args: ['0'], slowArgs: ['5'], bad: [[], ['x'], ['1', '2', '3', '4'], ['1.2.3']]},
  {
    agent: 'MailTo',
    args: ['root@localhost', 'Database', 'group'],
    bad: [[], ['-bd'], ['root;reboot']],
    // A mail program that hangs must not matter.
    prepare: (scratch) => program(scratch, 'sendmail', `cat >>${scratch}/mail; exec sleep 2`),
  },
  {
    agent: 'portblock',
    args: ['tcp', '3306,33060-33062', 'block'],
    bad: [
      [],
      ['tcp', '80'],
      ['icmp', '80', 'block'],
      ['tcp', '0', 'block'],
      ['tcp', '80;reboot', 'block'],
      ['tcp', '80', 'x'],
    ],
    needs: ['nft'],
  },
  {
    agent: 'OCF',
    args: ['test:Thing', 'state=SCRATCH/thing'],
    bad: [[], ['../Thing'], ['test:Nosuch'], ['test:Thing', 'nosuch'], ['test:Thing', 'a b=c']],
    env: {OCF_ROOT: '/run/ocf'},
    // Talks nonsense, and starts a daemon that keeps whatever output it is given.
    prepare: () => `mkdir -p /run/ocf/resource.d/test; cat >/run/ocf/resource.d/test/Thing <<'END'
#!/bin/sh
echo 'OK running not running'
case $1 in
start) sleep 0.01; : >"$OCF_RESKEY_state"; sleep 2 & ;;
stop) rm -f "$OCF_RESKEY_state" ;;
monitor) [ -e "$OCF_RESKEY_state" ] || exit 7 ;;
*) exit 3 ;;
esac
END
chmod 755 /run/ocf/resource.d/test/Thing`,
  },
  {
    agent: 'systemd',
    args: ['thing.service'],
    bad: [[], ['a', 'b'], ['--now'], ['a b'], ['nosuch.service']],
    prepare: (scratch) =>
      `mkdir -p /run/systemd/system\n${program(
        scratch,
        'systemctl',
        `cd ${scratch}
[ "$3" = thing.service ] || { echo "Unit $3 not found." >&2; exit 5; }
case $1 in
start) sleep 0.02; : >unit ;;
stop) rm -f unit ;;
is-active) [ -e unit ] && echo active && exit 0; echo inactive; exit 3 ;;
esac`,
      )}`,
  },
];

// Every code a configuration finding can carry, with its severity and the hint used where the finding brings none of
// its own. docs/errors.md has a section for each; a test compares the two both ways. Layers that judge other files
// (drbd.conf, my.cnf) add their rows here.

import type {Severity} from '../model/config.js';

interface Row {
  readonly severity: Severity;
  readonly hint: string;
}

const error = (hint: string): Row => ({severity: 'error', hint});
const warning = (hint: string): Row => ({severity: 'warning', hint});
const notice = (hint: string): Row => ({severity: 'notice', hint});

export const diagnosticCatalogue = {
  HB_CONFIG_MISSING: error('copy ha.d.example/ha.cf and put in your nodes and links'),
  HB_CONFIG_DIRECTIVE: error('directives are case-sensitive; docs/errors.md lists where to find them'),
  HB_CONFIG_UNSUPPORTED: error('use ucast, bcast or mcast'),
  HB_CONFIG_PACEMAKER: error(
    'remove the line, or use Pacemaker itself; this is the haresources way of running a cluster',
  ),
  HB_CONFIG_NOT_BUILT: warning('remove the line if the cluster is meant to do without it'),
  HB_CONFIG_NO_EFFECT: notice('the line may stay'),
  HB_CONFIG_OBSOLETE: warning('write it the present way'),
  HB_CONFIG_NO_VALUE: notice('give a value or remove the line'),
  HB_CONFIG_REPEATED: warning('keep one of them'),
  HB_CONFIG_ONCE: error('keep one of them'),
  HB_CONFIG_TIME: error('a bare number is seconds, decimals allowed; or a number with ms or us directly behind it'),
  HB_CONFIG_BOOLEAN: error('write on or off'),
  HB_CONFIG_NUMBER: error('write a whole number in that range'),
  HB_CONFIG_WORD: error('write one of these words'),
  HB_CONFIG_KEEPALIVE: error('keepalive 1 is usual'),
  HB_CONFIG_DEADTIME: error('deadtime is usually 5 to 10 times keepalive'),
  HB_CONFIG_DEADTIME_SHORT: warning('a busy machine can be silent for that long without being dead'),
  HB_CONFIG_WARNTIME: error('warntime is usually half of deadtime'),
  HB_CONFIG_WARNTIME_LATE: warning('set it below deadtime; half of it is usual'),
  HB_CONFIG_INITDEAD: error('initdead must cover the boot of network and switches: twice deadtime, and 30 s or more'),
  HB_CONFIG_INITDEAD_SHORT: warning('networks may need longer after a reboot, and the node would believe itself alone'),
  HB_CONFIG_DEADPING: error('leave it out, or give it the value of deadtime'),
  HB_CONFIG_LEGACY_FAILBACK: warning('write auto_failback off (stay where it runs) or on (go home when home is back)'),
  HB_CONFIG_PORT: error('a UDP port is 1 to 65535; 694 is the registered one'),
  HB_CONFIG_INTERFACE: error('ip link lists the interfaces'),
  HB_CONFIG_INTERFACE_ABSENT: warning('ip link lists the interfaces; the link stays dead until this one appears'),
  HB_CONFIG_MEDIUM: error('ucast IF ADDRESS; mcast IF GROUP PORT TTL LOOP; bcast IF...'),
  HB_CONFIG_HOST: warning('write the address, or put the name into /etc/hosts; links must not depend on DNS'),
  HB_CONFIG_MEDIUM_OWN: notice('identical files on both nodes are fine: each node skips its own address'),
  HB_CONFIG_MEDIUM_ORDER: notice('put udpport above the links; here it counts for all of them, wherever it stands'),
  HB_CONFIG_NO_MEDIA: error('add one line per link, e.g. ucast eth1 10.0.10.8'),
  HB_CONFIG_ONE_LINK: warning('add a second, independent link: one cut cable must not look like a dead node'),
  HB_CONFIG_SERIAL: error('give the full path of the port, e.g. /dev/ttyS0'),
  HB_CONFIG_NO_NODES: error('add one line per node: node NAME, as uname -n prints it'),
  HB_CONFIG_NODE_SELF: error('node names are those of uname -n, or the first line of the file nodeinfo'),
  HB_CONFIG_NODE_DUPLICATE: warning('name each node once'),
  HB_CONFIG_NODE_COUNT: error('a cluster has at most 100 nodes; two is what this is for'),
  HB_CONFIG_NODE_NAME: error('a node name has at most 99 bytes'),
  HB_CONFIG_LOG_FACILITY: error('daemon and local0 to local7 are usual'),
  HB_CONFIG_LOG_NONE: error('add logfile /var/log/ha-log or logfacility daemon'),
  HB_CONFIG_STONITH: error('stonith TYPE CONFIGFILE, or stonith_host HOST TYPE PARAMETERS'),
  HB_CONFIG_NO_FENCING: notice('with all links cut both nodes start their groups; see stonith_host, and DRBD fencing'),
  HB_CONFIG_CLIENT_USER: error('respawn USER /full/path; the package makes user hacluster'),
  HB_CONFIG_CLIENT_COMMAND: error('respawn USER /full/path of an executable'),
  HB_CONFIG_CLIENT_MOVED: notice('the line may stay as it is'),
  HB_CONFIG_CLIENT_ABSENT: warning('install it or remove the line'),
  HB_CONFIG_IPFAIL_PING: warning('add a ping line with the address of the router, or remove ipfail'),
  HB_CONFIG_APIAUTH: error('apiauth CLIENT uid=USER[,USER...] gid=GROUP[,GROUP...], one of the two at least'),
  HB_CONFIG_AUTOJOIN: error('remove the line: nodes are those named in ha.cf'),
  HB_CONFIG_ENV: error('env NAME=value'),
  HB_CONFIG_COMPRESSION: warning('write compression zlib'),

  HB_AUTHKEYS_MISSING: error('copy ha.d.example/authkeys, put in your own key and chmod 600'),
  HB_AUTHKEYS_MODE: error('chmod 600'),
  HB_AUTHKEYS_LINE: error('a line is `auth N` or `N METHOD KEY`'),
  HB_AUTHKEYS_INDEX: error('0 to 15'),
  HB_AUTHKEYS_METHOD: error('sha1, md5 or crc; sha1 is the one to use'),
  HB_AUTHKEYS_KEY: error('N sha1 KEY, the key one word without blanks; crc has none'),
  HB_AUTHKEYS_TRAILING: warning('a key is one word: replace blanks by another character, on all nodes'),
  HB_AUTHKEYS_NO_AUTH: error('put `auth N` above the line of key N'),
  HB_AUTHKEYS_ORDER: error('`auth N` must come before the line that defines key N'),
  HB_AUTHKEYS_REPEATED: warning('keep one of them'),
  HB_AUTHKEYS_CRC: warning('use sha1 and remove the crc line unless the links are two cables between two machines'),

  HB_HARESOURCES_MISSING: error('copy ha.d.example/haresources; an empty file means that nothing is managed'),
  HB_HARESOURCES_NODE: error(
    'the first word of a line is a node of ha.cf; a line is continued with \\ as its very last character',
  ),
  HB_HARESOURCES_EMPTY_GROUP: error('name at least one resource after the node'),
  HB_HARESOURCES_NO_GROUPS: warning('add a line: NODE RESOURCE...'),
  HB_HARESOURCES_SCRIPT: error('agents are looked up in resource.d, /etc/init.d and among the systemd units'),
  HB_HARESOURCES_EXECUTABLE: error('chmod 755'),
  HB_HARESOURCES_BOOT: warning(
    'only heartbeat may start it: `systemctl disable` (or `update-rc.d NAME disable`) it on both nodes',
  ),
  HB_HARESOURCES_CONTINUATION: error('nothing may follow the backslash, not even a blank or a comment'),
  HB_HARESOURCES_DUPLICATE_KEY: error('the first resource names its group: it must be the only one of that name'),
  HB_HARESOURCES_KEY_MEMBER: error('the first resource names its group and must not appear in another one'),
  HB_HARESOURCES_REPEATED: warning('remove one of them'),
  HB_HARESOURCES_SHARED: warning('two groups can run on two nodes at once: is this resource meant to run on both?'),
  HB_HARESOURCES_LINE_LONG: error('break the line with \\ at its end'),
  HB_HARESOURCES_TOO_MANY: error('join groups, or give them shorter first words'),
  HB_HARESOURCES_INTERFACE: warning('ip link lists the interfaces'),

  SYSTOLE_CONF_UNREADABLE: error('fix its permissions, or remove it: all its values have defaults'),
  SYSTOLE_CONF_LINE: error('lines are [SECTION], KEY = VALUE, comments with # or ;'),
  SYSTOLE_CONF_SECTION: error('sections are [timeouts], [resources] and [agent NAME]'),
  SYSTOLE_CONF_KEY: error('see ha.d.example/systole.conf'),
  SYSTOLE_CONF_VALUE: error('see ha.d.example/systole.conf'),
  SYSTOLE_CONF_REPEATED: warning('keep one of them'),

  DRBD_CONF_FENCING: warning('fencing resource-only; in the section disk with DRBD 8.4, in net with 9'),
  DRBD_CONF_HANDLER: warning('add the fence-peer handler of docs/drbd.md'),
  DRBD_CONF_STONITH: warning('add a stonith_host line to ha.cf, or use fencing resource-only'),
  DRBD_CONF_SPLIT_BRAIN: warning('leave it at disconnect, the default; systole drbd resolve keeps a backup'),
  DRBD_CONF_PROTOCOL: warning('protocol C'),
  DRBD_CONF_TWO_PRIMARIES: warning('remove allow-two-primaries: it is for cluster file systems'),
  DRBD_CONF_CONGESTION: warning('on-congestion block, the default'),
  DRBD_CONF_FLUSHES: warning('leave it at yes, the default, unless the cache of every disk here has a battery'),
  DRBD_CONF_IO_ERROR: warning('on-io-error detach: the service goes on with the disk of the other node'),
  DRBD_CONF_HOSTS: warning('on NAME must be the name of a node in ha.cf, as uname -n prints it'),
} satisfies Record<string, Row>;

export type DiagnosticCode = keyof typeof diagnosticCatalogue;

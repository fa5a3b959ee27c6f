// `heartbeat -D`: the directives of ha.cf that have a default of their own. Names and defaults are those of Heartbeat 3.0.6.

export const DEFAULTS: readonly (readonly [name: string, value: string, about: string])[] = [
  ['cluster', 'linux-ha', 'name of the cluster'],
  ['hopfudge', '1', 'hops allowed above the number of nodes'],
  ['keepalive', '1000ms', 'interval between heartbeats'],
  ['deadtime', '30000ms', 'silence after which a node is dead'],
  ['baud', '19200', 'speed of serial links'],
  ['auto_failback', 'legacy', 'do groups return to their home node?'],
  ['hbgenmethod', 'file', 'where the generation number comes from'],
  ['realtime', 'true', 'run with real-time priority?'],
  ['msgfmt', 'classic', 'form of the packets'],
  ['conn_logd_time', '60', 'seconds between attempts to reach the logging daemon'],
  ['log_badpack', 'true', 'log packets that cannot be read?'],
  ['syslogmsgfmt', 'true', 'write log files in the form of syslog?'],
  ['coredumps', 'true', 'leave a crash file?'],
  ['pacemaker', 'false', 'leave resources to Pacemaker? (must be false)'],
  ['autojoin', 'none', 'may unknown nodes join?'],
  ['uuidfrom', 'file', 'where the node identity comes from'],
  ['compression', 'zlib', 'compression of large messages'],
  ['compression_threshold', '2', 'size in kB above which a message is compressed'],
  ['traditional_compression', 'no', 'compress whole messages instead of fields?'],
  ['max_rexmit_delay', '250', 'longest delay of a retransmission request, ms'],
  ['record_config_changes', 'on', 'Pacemaker only'],
  ['record_pengine_inputs', 'on', 'Pacemaker only'],
  ['enable_config_writes', 'on', 'Pacemaker only'],
  ['memreserve', '6500', 'kB reserved at start (accepted, not needed)'],
];

export function defaultsTable(): string {
  const rows = DEFAULTS.map(([name, value, about]) => `${name.padEnd(24)} ${value.padEnd(9)} ${about}\n`);
  return `Directive                Default   Description\n${'-'.repeat(80)}\n${rows.join('')}`;
}

export function defaultsWiki(version: string): string {
  const rows = DEFAULTS.map(([name, value, about]) => `||${name}||${value}||${about}||\n`);
  return `Directives of ha.cf and their defaults, from {{{heartbeat -DW}}} (version ${version})\n\n||''Directive''||''Default''||''Description''||\n${rows.join('')}`;
}

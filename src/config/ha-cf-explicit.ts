// Directives that are accepted although little or nothing follows from them, and those that are refused although
// Heartbeat knows them. None of this is silent: whoever relies on a line must be told that it does nothing.

/** Directives of the table below whose feature exists; later work adds its own. */
export const BUILT: ReadonlySet<string> = new Set<string>([
  'stonith',
  'stonith_host',
  'watchdog',
  'ping',
  'ping6',
  'ping_group',
]);

/** What will not happen while a directive is not in BUILT. */
export const unbuilt: ReadonlyMap<string, string> = new Map([
  ['serial', 'no heartbeats will be sent over this serial line'],
  ['ucast6', 'no heartbeats will be sent over this IPv6 link'],
  ['mcast6', 'no heartbeats will be sent over this IPv6 link'],
  ['ping', 'this host will not be watched, and a lost network will move nothing'],
  ['ping6', 'this host will not be watched, and a lost network will move nothing'],
  ['ping_group', 'these hosts will not be watched, and a lost network will move nothing'],
  ['stonith', 'the other node will not be reset before a takeover'],
  ['stonith_host', 'the other node will not be reset before a takeover'],
  ['watchdog', 'the watchdog device will not be opened, and a hanging node will not be reset by it'],
]);

/** Whether a directive does what it says. */
export function isBuilt(directive: string): boolean {
  return BUILT.has(directive) || !unbuilt.has(directive);
}

/** Why an accepted directive has no effect. */
export const withoutEffect: ReadonlyMap<string, string> = new Map([
  ['use_logd', 'there is no logging daemon, lines are written directly'],
  ['conn_logd_time', 'there is no logging daemon, lines are written directly'],
  ['use_apphbd', 'there is no application heartbeat daemon to register with'],
  ['memreserve', 'memory is neither reserved nor locked by the runtime'],
  ['coredumps', 'a crash leaves a crash file that can be replayed, not a core'],
  ['coreroot', 'a crash leaves a crash file that can be replayed, not a core'],
  ['quorum_server', 'two nodes have no quorum; Heartbeat itself only stores the name'],
  ['record_config_changes', 'it concerns Pacemaker only'],
  ['record_pengine_inputs', 'it concerns Pacemaker only'],
  ['enable_config_writes', 'it concerns Pacemaker only'],
  ['crm_daemon_dir', 'it concerns Pacemaker only'],
  ['crmd_spawns_pengine', 'it concerns Pacemaker only'],
]);

/** Directives of other builds of Heartbeat: refused as Debian's package does. */
export const foreignDirectives: ReadonlyMap<string, string> = new Map([
  ['tipc', 'use ucast, bcast or mcast: Debian builds Heartbeat without it too'],
  ['rds', 'use ucast, bcast or mcast: Debian builds Heartbeat without it too'],
  ['openib', 'use ucast, bcast or mcast: Debian builds Heartbeat without it too'],
  ['hbaping', 'use ping: Debian builds Heartbeat without it too'],
  ['normalpoll', 'remove the line: Debian builds Heartbeat without it too'],
]);

/** Words that mean `no Pacemaker`, and the words that would start it. */
export const pacemakerWords = ['on', 'yes', 'y', 'true', '1', 'respawn', 'manual', 'minimal', 'ccm-only', 'valgrind'];

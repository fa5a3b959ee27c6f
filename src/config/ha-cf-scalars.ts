// The directives of ha.cf that hold one value: how each is read, and Heartbeat's own text for a bad one. Every word of
// such a line is applied in turn, so the last one counts, on the line and in the file.

import {suggestion} from './nearest.js';
import {anything, boolean, fault, oneOf, parseBoolean, parseWhole, type Reader, time, value, whole} from './values.js';

const ANY = Number.MAX_SAFE_INTEGER;
const FACILITIES = ['auth', 'authpriv', 'cron', 'daemon', 'ftp', 'kern', 'lpr', 'mail', 'news', 'security', 'syslog']
  .concat(['user', 'uucp'])
  .concat(Array.from({length: 8}, (_, index) => `local${index}`));
const BAUDS = [9600, 19200, 38400, 57600, 115200, 230400, 460800].map(String);

/** Boolean words count too: `auto_failback yes` is on. */
const autoFailback: Reader = (text) => {
  const found = parseBoolean(text);
  if (found !== undefined) return value(found ? 'on' : 'off');
  if (text.toLowerCase() === 'legacy') return value('legacy');
  return fault('HB_CONFIG_WORD', `auto_failback [${text}] is not known`, 'write on, off or legacy');
};

const facility: Reader = (text) => {
  if (text === 'none' || FACILITIES.includes(text)) return value(text);
  return fault('HB_CONFIG_LOG_FACILITY', `Log facility(${text}) not valid`, () => suggestion(text, FACILITIES));
};

const keepalive: Reader = (text, name) => {
  const found = time(text, name);
  if (found.ok && found.value === 0) return fault('HB_CONFIG_KEEPALIVE', `keepalive [${text}] must be above 0`);
  return found;
};

const warntime: Reader = (text, name) => {
  const found = time(text, name);
  if (found.ok && found.value === 0) return fault('HB_CONFIG_WARNTIME', `Warn time [${text}] is invalid.`);
  return found;
};

const connLogdTime: Reader = (text, name) => {
  const found = time(text, name);
  return found.ok && found.value === 0 ? fault('HB_CONFIG_TIME', `${name} [${text}] must be above 0`) : found;
};

/** A bare number of milliseconds, not a time. */
const rexmitDelay: Reader = (text) => {
  const found = parseWhole(text);
  const wrong = `Invalid max_rexmit_delay time(${text})`;
  const hint = 'a whole number of milliseconds, 1 to 60000, without a unit';
  return found === undefined || found < 1 || found > 60_000 ? fault('HB_CONFIG_NUMBER', wrong, hint) : value(found);
};

const autojoin: Reader = (text) => {
  if (text.toLowerCase() === 'none') return value('none');
  return fault('HB_CONFIG_AUTOJOIN', 'R1 style resource management conflicts with  autojoin set');
};

export const scalarReaders: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['keepalive', keepalive],
  ['deadtime', time],
  ['warntime', warntime],
  ['initdead', time],
  ['deadping', time],
  ['auto_failback', autoFailback],
  ['nice_failback', boolean],
  ['udpport', whole(1, 65_535, 'HB_CONFIG_PORT', 'invalid port [%] specified.')],
  ['baud', oneOf(BAUDS, 'invalid baudrate [%] specified.')],
  ['logfile', anything],
  ['debugfile', anything],
  ['logfacility', facility],
  ['use_logd', boolean],
  ['conn_logd_time', connLogdTime],
  ['syslogmsgfmt', boolean],
  ['debug', whole(0, 255)],
  ['watchdog', anything],
  ['autojoin', autojoin],
  ['uuidfrom', oneOf(['file', 'nodename'])],
  ['hbgenmethod', oneOf(['file', 'time'], 'Illegal hb generation method [%]')],
  ['hopfudge', whole(0, 255)],
  ['msgfmt', oneOf(['classic', 'netstring'])],
  ['compression', oneOf(['zlib', 'bz2'], 'Compression module(%) not found')],
  ['compression_threshold', whole(1, 1_048_576)],
  ['traditional_compression', boolean],
  ['max_rexmit_delay', rexmitDelay],
  ['realtime', boolean],
  ['rtprio', whole(1, 99, 'HB_CONFIG_NUMBER', 'Illegal realtime priority [%]')],
  ['memreserve', whole(1, ANY)],
  ['coredumps', boolean],
  ['coreroot', anything],
  ['log_badpack', boolean],
  ['use_apphbd', boolean],
  ['cluster', anything],
  ['quorum_server', anything],
  ['record_config_changes', boolean],
  ['record_pengine_inputs', boolean],
  ['enable_config_writes', boolean],
  ['crm_daemon_dir', anything],
  ['crmd_spawns_pengine', boolean],
]);

// Makes HaConfig of a draft that has no errors: defaults filled in, names in lower case, links to ourselves left out, and
// the record of parameters that `hbparameter` and the environment of scripts show.

import type {HaConfig, Medium} from '../model/config.js';
import {isOwn, timesOf} from './ha-cf-check.js';
import {withDefaultAuth} from './ha-cf-clients.js';
import {booleanGiven, type Draft, numberGiven, textGiven} from './ha-cf-draft.js';

const DEFAULT_PORT = 694;
const DEFAULT_BAUD = 19_200;

export function haConfigOf(draft: Draft): HaConfig {
  const facility = textGiven(draft, 'logfacility');
  const anyLog = ['logfile', 'debugfile', 'logfacility'].some((name) => draft.given.has(name));
  return {
    node: draft.facts.nodeName.toLowerCase(),
    nodes: draft.nodes.map(({text}) => text.toLowerCase()),
    media: mediaOf(draft),
    udpPort: portOf(draft),
    ...timesOf(draft),
    autoFailback: wordGiven(draft, 'auto_failback', ['on', 'off', 'legacy']) ?? 'legacy',
    msgfmt: wordGiven(draft, 'msgfmt', ['classic', 'netstring']) ?? 'classic',
    compressionThresholdBytes: (numberGiven(draft, 'compression_threshold') ?? 2) * 1024,
    traditionalCompression: booleanGiven(draft, 'traditional_compression') ?? false,
    maxRexmitDelayMs: numberGiven(draft, 'max_rexmit_delay') ?? 250,
    hopfudge: numberGiven(draft, 'hopfudge') ?? 1,
    generationMethod: wordGiven(draft, 'hbgenmethod', ['file', 'time']) ?? 'file',
    realtime: booleanGiven(draft, 'realtime') ?? true,
    rtprio: numberGiven(draft, 'rtprio'),
    debug: numberGiven(draft, 'debug') ?? 0,
    logBadpack: booleanGiven(draft, 'log_badpack') ?? true,
    logfile: textGiven(draft, 'logfile'),
    debugfile: textGiven(draft, 'debugfile'),
    // Without any log directive Heartbeat's logging daemon would write to syslog: so do we.
    logfacility: facility === 'none' ? undefined : (facility ?? (anyLog ? undefined : 'daemon')),
    syslogmsgfmt: booleanGiven(draft, 'syslogmsgfmt') ?? true,
    watchdog: textGiven(draft, 'watchdog'),
    stonith: draft.stonith,
    respawn: draft.clients.map(({client}) => client),
    apiauth: withDefaultAuth(draft.apiauth),
    env: Object.fromEntries(draft.env),
    parameters: parametersOf(draft),
  };
}

function wordGiven<W extends string>(draft: Draft, name: string, words: readonly W[]): W | undefined {
  const found = textGiven(draft, name);
  return words.find((word) => word === found);
}

function portOf(draft: Draft): number {
  return numberGiven(draft, 'udpport') ?? draft.facts.servicePort() ?? DEFAULT_PORT;
}

function mediaOf(draft: Draft): Medium[] {
  const own = new Set(draft.facts.interfaces.flatMap(({addresses}) => addresses));
  const baud = Number(textGiven(draft, 'baud') ?? DEFAULT_BAUD);
  const media = draft.media.map(({medium}) => (medium.kind === 'serial' ? {...medium, baud} : medium));
  return media.filter((medium) => !isOwn(medium, own));
}

const DEFAULTS: readonly (readonly [string, string])[] = [
  ['cluster', 'linux-ha'],
  ['hopfudge', '1'],
  ['keepalive', '1000ms'],
  ['deadtime', '30000ms'],
  ['baud', '19200'],
  ['auto_failback', 'legacy'],
  ['hbgenmethod', 'file'],
  ['realtime', 'true'],
  ['msgfmt', 'classic'],
  ['conn_logd_time', '60'],
  ['log_badpack', 'true'],
  ['syslogmsgfmt', 'true'],
  ['coredumps', 'true'],
  ['pacemaker', 'false'],
  ['autojoin', 'none'],
  ['uuidfrom', 'file'],
  ['compression', 'zlib'],
  ['compression_threshold', '2'],
  ['traditional_compression', 'no'],
  ['max_rexmit_delay', '250'],
  ['record_config_changes', 'on'],
  ['record_pengine_inputs', 'on'],
  ['enable_config_writes', 'on'],
  ['memreserve', '6500'],
];

/** Values as ha.cf has them, computed defaults in milliseconds, the way the real daemon exports them. */
function parametersOf(draft: Draft): Record<string, string> {
  const times = timesOf(draft);
  const parameters = new Map<string, string>(DEFAULTS);
  parameters.set('udpport', String(portOf(draft)));
  parameters.set('warntime', `${times.warntimeMs}ms`);
  parameters.set('initdead', `${times.initdeadMs}ms`);
  parameters.set('deadping', `${times.deadpingMs}ms`);
  if (draft.given.has('logfacility')) {
    parameters.set('logfile', '/dev/null');
    parameters.set('debugfile', '/dev/null');
  }
  for (const [name, {word}] of draft.given) parameters.set(name, word.text);
  const failback = textGiven(draft, 'auto_failback');
  if (failback !== undefined) parameters.set('auto_failback', failback); // nice_failback may stand behind it.
  for (const [name, text] of draft.env) parameters.set(name, text);
  return Object.fromEntries(parameters);
}

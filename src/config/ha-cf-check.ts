// Judges whether the values of ha.cf fit together: times, nodes, links, logs, companions. Runs once after the whole file
// was read. Texts that Heartbeat has are Heartbeat's, because people search for them.

import {booleanGiven, type Draft, numberGiven, placeOf, textGiven} from './ha-cf-draft.js';
import {isBuilt} from './ha-cf-explicit.js';
import {suggestion} from './nearest.js';
import {wholeFile} from './source.js';
import {formatMs} from './values.js';

export interface Times {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
  readonly deadpingMs: number;
}

const MAX_NODES = 100;
/** Below these a node is likely to be called dead by mistake; measured with and without real-time priority. */
const DEADTIME_SHORT_MS = {realtime: 200, normal: 1000};

/** The five times with Heartbeat's defaults. */
export function timesOf(draft: Draft): Times {
  const deadtimeMs = numberGiven(draft, 'deadtime') ?? 30_000;
  return {
    keepaliveMs: numberGiven(draft, 'keepalive') ?? 1000,
    warntimeMs: numberGiven(draft, 'warntime') ?? Math.floor(deadtimeMs / 2),
    deadtimeMs,
    initdeadMs: numberGiven(draft, 'initdead') ?? defaultInitdead(deadtimeMs),
    deadpingMs: numberGiven(draft, 'deadping') ?? deadtimeMs,
  };
}

function defaultInitdead(deadtimeMs: number): number {
  if (deadtimeMs > 10_000) return deadtimeMs;
  return deadtimeMs < 6000 ? 12_000 : 2 * deadtimeMs;
}

export function checkHaCf(draft: Draft): void {
  checkTimes(draft, timesOf(draft));
  checkShortTimes(draft, timesOf(draft));
  checkNodes(draft);
  checkMedia(draft);
  checkLogs(draft);
  checkFailback(draft);
  checkCompanions(draft);
  if (textGiven(draft, 'compression') === 'bz2') {
    const text = 'compression bz2 is not available: zlib is used, which Heartbeat reads as well';
    draft.report('HB_CONFIG_COMPRESSION', placeOf(draft, 'compression'), text);
  }
}

function checkTimes(draft: Draft, {keepaliveMs, warntimeMs, deadtimeMs, initdeadMs, deadpingMs}: Times): void {
  const keepalive = formatMs(keepaliveMs);
  const deadtime = formatMs(deadtimeMs);
  if (deadtimeMs <= 2 * keepaliveMs) {
    // Where deadtime is a default, keepalive is the value that was chosen.
    const at = placeOf(draft, draft.given.has('deadtime') ? 'deadtime' : 'keepalive');
    draft.report('HB_CONFIG_DEADTIME', at, `deadtime ${deadtime} is not more than twice keepalive ${keepalive}`);
  }
  if (initdeadMs < deadtimeMs) {
    const text = `Initial dead time [${formatMs(initdeadMs)}] is smaller than deadtime [${deadtime}]`;
    draft.report('HB_CONFIG_INITDEAD', placeOf(draft, 'initdead'), text);
  }
  if (draft.given.has('deadping') && deadpingMs <= 2 * keepaliveMs) {
    const text = `Ping dead time [${formatMs(deadpingMs)}] is too small compared to keepalive [${keepalive}]`;
    draft.report('HB_CONFIG_DEADPING', placeOf(draft, 'deadping'), text);
  }
  if (warntimeMs === 0 && !draft.given.has('warntime')) {
    draft.report('HB_CONFIG_WARNTIME', placeOf(draft, 'deadtime'), 'Warn time [0] is invalid.');
  }
  if (draft.given.has('warntime') && warntimeMs >= deadtimeMs) {
    const text = `warntime ${formatMs(warntimeMs)} is not below deadtime ${deadtime}: no warning comes before a death`;
    draft.report('HB_CONFIG_WARNTIME_LATE', placeOf(draft, 'warntime'), text);
  }
}

function checkShortTimes(draft: Draft, {deadtimeMs, initdeadMs}: Times): void {
  const realtime = booleanGiven(draft, 'realtime') ?? true;
  const least = realtime ? DEADTIME_SHORT_MS.realtime : DEADTIME_SHORT_MS.normal;
  if (deadtimeMs < least) {
    const text = `deadtime ${formatMs(deadtimeMs)} is short: below ${formatMs(least)} ${
      realtime ? 'even' : 'without'
    } real-time priority false deaths are likely`;
    draft.report('HB_CONFIG_DEADTIME_SHORT', placeOf(draft, 'deadtime'), text);
  }
  if (draft.given.has('initdead') && initdeadMs < 10_000 && initdeadMs >= deadtimeMs) {
    draft.report('HB_CONFIG_INITDEAD_SHORT', placeOf(draft, 'initdead'), `initdead ${formatMs(initdeadMs)} is short`);
  }
}

function checkNodes(draft: Draft): void {
  const {nodes, facts, report} = draft;
  const own = facts.nodeName.toLowerCase();
  if (nodes.length === 0) {
    report('HB_CONFIG_NO_NODES', wholeFile(draft.file), 'no nodes defined');
    return;
  }
  const extra = nodes[MAX_NODES];
  if (extra !== undefined) report('HB_CONFIG_NODE_COUNT', extra, `${nodes.length} nodes: at most ${MAX_NODES}`);
  if (nodes.some(({text}) => text.toLowerCase() === own)) return;
  const near = suggestion(
    own,
    nodes.map(({text}) => text),
  );
  const hint = near === undefined ? undefined : `${near} Node names are those of uname -n, or of the file nodeinfo`;
  report('HB_CONFIG_NODE_SELF', wholeFile(draft.file), `Current node [${own}] not in configuration!`, hint);
}

function checkMedia(draft: Draft): void {
  const port = draft.given.get('udpport');
  const first = draft.media.find(({medium}) => medium.kind === 'ucast' || medium.kind === 'bcast');
  if (port !== undefined && first !== undefined && first.name.line < port.name.line) {
    draft.report('HB_CONFIG_MEDIUM_ORDER', port.name, 'udpport setting must precede media statements');
  }
  const own = new Set(draft.facts.interfaces.flatMap(({addresses}) => addresses));
  const links = draft.media.filter(({medium}) => medium.kind !== 'ping');
  for (const {medium, name} of links.filter((each) => isOwn(each.medium, own))) {
    const host = medium.kind === 'ucast' || medium.kind === 'ucast6' ? medium.host : '';
    draft.report('HB_CONFIG_MEDIUM_OWN', name, `${host} is an address of this node: the link is skipped here`);
  }
  // A link that is accepted but not built carries nothing: a node with only such links would believe itself alone.
  const others = links.filter(({medium}) => !isOwn(medium, own) && isBuilt(medium.kind));
  if (others.length === 0) draft.report('HB_CONFIG_NO_MEDIA', wholeFile(draft.file), 'No heartbeat media defined');
  const devices = new Set(others.map(({medium}) => (medium.kind === 'ping' ? '' : medium.device)));
  const only = others[0];
  if (devices.size === 1 && only !== undefined) {
    draft.report('HB_CONFIG_ONE_LINK', only.name, `${[...devices][0]} is the only link between the nodes`);
  }
}

/** Two test nodes may share one machine's loopback: there the own address is the other node's as well. */
export function isOwn(medium: {kind: string; host?: string; device?: string}, own: ReadonlySet<string>): boolean {
  if (medium.kind !== 'ucast' && medium.kind !== 'ucast6') return false;
  return medium.device !== 'lo' && own.has(medium.host ?? '');
}

function checkLogs(draft: Draft): void {
  const anyLog = ['logfile', 'debugfile', 'logfacility'].some((name) => draft.given.has(name));
  if (!anyLog && booleanGiven(draft, 'use_logd') === false) {
    const text = 'No log entry found in ha.cf and use_logd is set to off';
    draft.report('HB_CONFIG_LOG_NONE', placeOf(draft, 'use_logd'), text);
  }
}

function checkFailback(draft: Draft): void {
  const given = draft.given.get('auto_failback');
  if (given !== undefined && given.value !== 'legacy') return;
  if (given?.name.text === 'nice_failback') return; // Said already.
  const text = given === undefined ? 'auto_failback defaulted to legacy' : 'auto_failback legacy is deprecated';
  draft.report('HB_CONFIG_LEGACY_FAILBACK', given?.word ?? wholeFile(draft.file), text);
}

function checkCompanions(draft: Draft): void {
  const ipfail = draft.clients.find(({client}) => /\/ipfail(\s|$)/.test(client.command));
  if (ipfail !== undefined && !draft.media.some(({medium}) => medium.kind === 'ping')) {
    draft.report(
      'HB_CONFIG_IPFAIL_PING',
      ipfail.name,
      'ipfail runs, but no ping node is configured: it can do nothing',
    );
  }
  if (draft.stonith === undefined && draft.nodes.length > 1) {
    const text = 'no fencing is configured: nothing proves a silent node harmless before its groups are taken';
    draft.report('HB_CONFIG_NO_FENCING', wholeFile(draft.file), text);
  }
}

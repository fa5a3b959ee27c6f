// What becomes of one authenticated message: wire-protocol.md 3.3, step by step. Whatever arrives, this neither throws
// nor grows the state beyond its bounds. Stricter than Heartbeat 3.0.6 in two points: a numbered packet that comes
// before the status which vouches for its sender's life is not acted on but asked for again, and an unnumbered packet
// of an older generation is a replay too.

import {type LogLevel, log} from '../model/log.js';
import {fieldOf, type Message, parseHex} from '../model/message.js';
import {ackArrived, maybeAck} from './acks.js';
import {linkHeard} from './links.js';
import {announcedStatus, nodeRestarted, nodeReturned, pingAnswered, statusAccepted} from './membership.js';
import {nodesReported, nodesRequested} from './nodes.js';
import {follow, nakArrived, releaseHeld, rememberEarly} from './sequence.js';
import {rexmitRequested} from './serve.js';
import {HELD_MAX, type NodeRecord, nodeOf} from './state.js';
import {change, changeNode, deliver, printable, recordRarely, tell, type Work} from './work.js';

const NO_UUID = '\0'.repeat(16);

interface Packet {
  readonly link: string;
  readonly message: Message;
  readonly type: string;
  readonly seq: number;
  readonly generation: number;
}

export function messageArrived(work: Work, link: string, message: Message): void {
  const src = fieldOf(message, 'src')?.toLowerCase();
  const type = fieldOf(message, 't');
  if (!src || !type || !parseHex(fieldOf(message, 'ts'))) {
    refuse(work, link, ['WARN', 'MESSAGE_INCOMPLETE', `message without src, t or ts on ${link}`]);
    return;
  }
  if (isOurs(work, src, message)) return;
  const node = nodeOf(work.state, src);
  if (!node) {
    const text = `process_status_message: bad node [${printable(src)}] in message`;
    refuse(work, printable(src), ['ERROR', 'NODE_UNKNOWN', text]);
    return;
  }
  if (node.type === 'ping') {
    if (type === 'NS_st' && link === node.name) pingAnswered(work, node, link);
    return;
  }
  if (type.startsWith('NS_')) {
    unnumbered(work, node, {link, message, type});
    return;
  }
  const seq = parseHex(fieldOf(message, 'seq'));
  const generation = parseHex(fieldOf(message, 'hg') ?? '0');
  if (!seq || generation === undefined) {
    refuse(work, src, ['WARN', 'MESSAGE_INCOMPLETE', `message without seq or hg from ${src}`]);
    return;
  }
  numbered(work, node, {link, message, type, seq, generation});
}

/** Our own packets come back on some media. Others must not pass for us. */
function isOurs(work: Work, src: string, message: Message): boolean {
  const {node, uuid} = work.state.start;
  const hasOurUuid = fieldOf(message, 'srcuuid') === uuid;
  if (src === node) {
    if (!hasOurUuid && isRealUuid(fieldOf(message, 'srcuuid'))) {
      refuse(work, 'self', [
        'CRIT',
        'NODE_NAME_TWICE',
        `another machine uses our node name ${node}: its packets are refused`,
      ]);
    }
    return true;
  }
  if (!hasOurUuid) return false;
  const text = `node ${printable(src)} has our own uuid: was this machine cloned? Its packets are refused`;
  const before = work.effects.length;
  refuse(work, printable(src), ['CRIT', 'UUID_CLONED', text]);
  // As rarely as it is logged. Two nodes that refuse each other believe each other dead, and would both serve.
  if (work.effects.length > before && nodeOf(work.state, src)) tell(work, {type: 'uuid-cloned', node: src});
  return true;
}

function unnumbered(work: Work, node: NodeRecord, packet: Omit<Packet, 'seq' | 'generation'>): void {
  const {message, type} = packet;
  const generation = parseHex(fieldOf(message, 'hg'));
  if (generation !== undefined && generation < node.generation) {
    replayed(work, node, generation);
    return;
  }
  if (generation !== undefined && generation > node.generation) return; // Its first status comes first.
  // Nothing vouches for what a node says that we hold dead, or never heard a status of: it may be a recording.
  if (node.tracking.last === 0 || !isForUs(work, message)) return;
  linkHeard(work, node, packet.link);
  const current = nodeOf(work.state, node.name) ?? node;
  if (type === 'NS_ackmsg') {
    ackArrived(work, current, message);
    return;
  }
  if (type === 'NS_rexmit') {
    rexmitRequested(work, current, message);
    return;
  }
  if (type !== 'NS_nak_rexmit') return;
  const seq = parseHex(fieldOf(message, 'firstseq'));
  if (seq) nakArrived(work, current, seq);
  settle(work, node.name);
}

function numbered(work: Work, before: NodeRecord, packet: Packet): void {
  const {generation, seq, message, type} = packet;
  if (generation < before.generation) {
    replayed(work, before, generation);
    return;
  }
  const isStatus = type === 'status';
  if (isStatus && announcedStatus(message) === undefined) {
    refuse(work, before.name, ['WARN', 'STATUS_UNKNOWN', `status of ${before.name} with an unknown st=`]);
    return;
  }
  if (!isStatus && (generation > before.generation || before.tracking.last === 0)) {
    rememberEarly(work, before, {generation, seq});
    return;
  }
  if (isStatus && generation > before.generation) nodeRestarted(work, before, generation);
  else if (isStatus && before.status === 'dead') {
    if (seq <= before.statusSeq) return; // Stale: sent before we declared it dead.
    nodeReturned(work, before);
  }
  learnUuid(work, before, message);
  const node = nodeOf(work.state, before.name) ?? before;
  const novelty = follow(work, node, seq);
  if (novelty !== 'old' && isForUs(work, message)) {
    linkHeard(work, nodeOf(work.state, node.name) ?? node, packet.link);
    if (novelty !== 'duplicate') dispatch(work, packet, nodeOf(work.state, node.name) ?? node);
  }
  settle(work, node.name);
}

/** Once a number was added or struck: what waited for it. */
function settle(work: Work, name: string): void {
  const node = nodeOf(work.state, name);
  if (node) releaseHeld(work, node);
  maybeAck(work, name);
}

function dispatch(work: Work, {message, type, seq}: Packet, node: NodeRecord): void {
  if (type === 'status') {
    statusAccepted(work, node, message, seq);
    return;
  }
  if (type === 'reqnodes') {
    nodesRequested(work, node.name);
    return;
  }
  if (type === 'repnodes') {
    nodesReported(work, message);
    return;
  }
  if (type === 'hbapi-clstat' && node.tracking.missing.length > 0) {
    hold(work, node, message);
    return;
  }
  if (type === 'resource' && fieldOf(message, 'rtype') === 'full') keepReport(work, node, message, seq);
  deliver(work, node.name, message);
}

function keepReport(work: Work, node: NodeRecord, message: Message, seq: number): void {
  const known = node.lastReport ? (parseHex(fieldOf(node.lastReport, 'seq')) ?? 0) : 0;
  if (seq > known) changeNode(work, node.name, {lastReport: message});
}

function hold(work: Work, node: NodeRecord, message: Message): void {
  const [first, ...rest] = [...node.tracking.held, message];
  const isFull = rest.length >= HELD_MAX;
  changeNode(work, node.name, {tracking: {...node.tracking, held: isFull || !first ? rest : [first, ...rest]}});
  if (isFull && first) deliver(work, node.name, first);
}

function isForUs(work: Work, message: Message): boolean {
  const {start} = work.state;
  const destuuid = fieldOf(message, 'destuuid');
  if (isRealUuid(destuuid)) return destuuid === start.uuid;
  const dest = fieldOf(message, 'dest');
  return dest === undefined || dest.toLowerCase() === start.node;
}

function learnUuid(work: Work, node: NodeRecord, message: Message): void {
  const uuid = fieldOf(message, 'srcuuid');
  if (!isRealUuid(uuid) || uuid === node.uuid) return;
  changeNode(work, node.name, {uuid});
  if (node.uuid === '') return;
  const text = `node ${node.name} changed its uuid to ${hex(uuid)}`;
  recordRarely(work, node.name, log('WARN', 'UUID_CHANGED', text, {node: node.name}));
}

function replayed(work: Work, node: NodeRecord, generation: number): void {
  const text = `should_drop_message: attempted replay attack [${node.name}]? [gen = ${generation}, curgen = ${node.generation}]`;
  refuse(work, node.name, ['ERROR', 'REPLAY', text]);
}

function refuse(work: Work, source: string, [level, code, text]: [LogLevel, string, string]): void {
  change(work, {refused: work.state.refused + 1});
  recordRarely(work, source, log(level, code, text, {source}));
}

function isRealUuid(uuid: string | undefined): uuid is string {
  return uuid?.length === 16 && uuid !== NO_UUID;
}

function hex(bytes: string): string {
  return [...bytes].map((each) => each.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

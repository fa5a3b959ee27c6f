// Who is alive: what a status does to a node's record, and the verdict when none came for its dead time. Only statuses
// keep a node alive. Unlike Heartbeat 3.0.6 a late status is never a reason to declare its sender dead: a node that
// just spoke lives (resource-engine.md 2.14 shows the two owners that rule made). The manager learns of a change of
// status before it gets the message that caused it.

import type {NodeStatus} from '../model/cluster.js';
import {type Field, fieldOf, type Message, parseHex} from '../model/message.js';
import {sendStatus} from './beat.js';
import {deathAtMs} from './deadlines.js';
import {creditedMs, wantsSecondLook} from './doubt.js';
import {judgeLinks, linkHeard} from './links.js';
import {forget} from './sequence.js';
import {type NodeRecord, nodeOf, UNTRACKED} from './state.js';
import {change, changeNode, deliver, record, tell, type Work} from './work.js';

/** A peer can ask us to wait for it this long and no longer. */
const DT_MAX_MS = 3_600_000;
const HEADER = new Set('t src srcuuid dest destuuid seq hg ts ld ttl auth'.split(' '));

/** The status word of a peer's `status`; undefined for a word that no peer may use. */
export function announcedStatus(message: Message): 'init' | 'up' | 'active' | undefined {
  const st = fieldOf(message, 'st');
  return st === 'init' || st === 'up' || st === 'active' ? st : undefined;
}

/** A higher generation: forget the old life. */
export function nodeRestarted(work: Work, node: NodeRecord, generation: number): void {
  if (node.generation > 0) {
    record(work, 'WARN', 'NODE_RESTARTED', `Heartbeat restart on node ${node.name}`, {node: node.name, generation});
    tell(work, {type: 'node-restarted', node: node.name});
  }
  // Above all its goodbye: a manager that is told it after the restart would take the new life for gone.
  change(work, {pending: work.state.pending.filter((each) => each.from !== node.name)});
  const fresh = {generation, statusSeq: 0, floor: 0, tracking: UNTRACKED, acked: 0, ackBase: work.state.highest};
  changeNode(work, node.name, {...fresh, lastStatus: null, lastReport: null});
}

/** The life we had declared dead speaks again: the network was cut, or that node was paused. */
export function nodeReturned(work: Work, node: NodeRecord): void {
  const data = {node: node.name};
  record(work, 'CRIT', 'NODE_RETURNED', `Cluster node ${node.name} returning after partition.`, data);
  record(work, 'WARN', 'DEADTIME_SMALL', 'Deadtime value may be too small.', data);
  changeNode(work, node.name, {ackBase: work.state.highest});
  tell(work, {type: 'node-returned', node: node.name});
}

/** An accepted status. Older than the newest one (it was retransmitted): nothing in it is news. */
export function statusAccepted(work: Work, before: NodeRecord, message: Message, seq: number): void {
  const status = announcedStatus(message);
  if (status === undefined || seq <= before.statusSeq) return;
  const {start} = work.state;
  const {lastStatus} = before;
  const heardMs = creditedMs(work, before);
  if (lastStatus) warnIfLate(work, before, heardMs);
  const isNews = !lastStatus || before.status === 'dead' || !isSameContent(lastStatus, message);
  const dt = parseHex(fieldOf(message, 'dt'));
  // A grace that runs goes on: this status may be an old one of many that wait in the socket (doubt.ts).
  const alive = {wasHeard: true, heardMs, graces: 0, hadSecondLook: false};
  changeNode(work, before.name, {
    ...alive,
    status,
    statusSeq: seq,
    dtMs: dt ? Math.min(dt, DT_MAX_MS) : start.deadtimeMs,
    hasFlowControl: fieldOf(message, 'protocol') !== undefined,
    lastStatus: message,
  });
  announceChange(work, before, status);
  // A peer that is new to us should not wait a whole keepalive to hear us.
  if (!lastStatus || before.status === 'dead') sendStatus(work);
  if (isNews) deliver(work, before.name, message);
}

function warnIfLate(work: Work, node: NodeRecord, heardMs: number): void {
  const {warntimeMs, deadtimeMs} = work.state.start;
  const intervalMs = Math.round(heardMs - (node.heardMs ?? heardMs));
  if (intervalMs <= warntimeMs) return;
  const isDeadly = intervalMs > deadtimeMs;
  const text = `Late heartbeat: Node ${node.name}: interval ${intervalMs} ms${isDeadly ? ' (> deadtime)' : ''}`;
  record(work, isDeadly ? 'CRIT' : 'WARN', 'HEARTBEAT_LATE', text, {node: node.name, intervalMs});
}

/** The answer of a ping node, made into a message by the edge (wire-protocol.md 5.7). */
export function pingAnswered(work: Work, node: NodeRecord, link: string): void {
  const heardMs = creditedMs(work, node);
  if (node.heardMs !== null) warnIfLate(work, node, heardMs);
  const alive = {wasHeard: true, heardMs, graces: 0, hadSecondLook: false};
  linkHeard(work, changeNode(work, node.name, {...alive, status: 'ping'}), link);
  announceChange(work, node, 'ping');
}

function announceChange(work: Work, before: NodeRecord, status: NodeStatus): void {
  if (status === before.status) return;
  const {name} = before;
  record(work, 'info', 'NODE_STATUS', `Status update for node ${name}: status ${status}`, {node: name, status});
  tell(work, {type: 'node-changed', node: name, status, previous: before.status, wasHeard: true});
}

/** Declares dead whoever is due. */
export function judgeNodes(work: Work): void {
  const nowMs = work.now.monoMs;
  for (const {name} of work.state.nodes) {
    if (name === work.state.start.node) continue;
    const node = nodeOf(work.state, name)!; // Judging removes no record.
    const deadlineMs = deathAtMs(work.state, node);
    if (nowMs >= deadlineMs && !wantsSecondLook(work, node, deadlineMs)) declareDead(work, node);
    judgeLinks(work, nodeOf(work.state, name)!);
  }
}

function declareDead(work: Work, node: NodeRecord): void {
  const {name, status: previous, wasHeard} = node;
  record(work, 'WARN', 'NODE_DEAD', `node ${name}: is dead`, {node: name, wasHeard});
  forget(work, changeNode(work, name, {status: 'dead'}));
  tell(work, {type: 'node-changed', node: name, status: 'dead', previous, wasHeard});
}

function isSameContent(a: Message, b: Message): boolean {
  const [own, other] = [a.fields.filter(isContent), b.fields.filter(isContent)];
  return own.length === other.length && own.every((each, index) => isSameField(each, other[index]));
}

function isContent({name}: Field): boolean {
  return !HEADER.has(name);
}

function isSameField(a: Field, b: Field | undefined): boolean {
  return a.name === b?.name && a.value === b.value && a.type === b.type;
}

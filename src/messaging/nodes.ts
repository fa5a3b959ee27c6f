// The node table: agreeing on it at start-up (wire-protocol.md 5.3), answering for it, editing it (5.4). It is bounded,
// never loses this node, and loses another node only while that node is dead.

import type {NodeName, NodeType} from '../model/cluster.js';
import {log} from '../model/log.js';
import {fieldOf, type Message, messageOf} from '../model/message.js';
import {sendStatus, setStatus} from './beat.js';
import {send} from './send.js';
import {isLive, type MessagingState, NODES_MAX, type NodeRecord, nodeOf, peersOf, UNTRACKED} from './state.js';
import {change, chooseBetween, printable, record, recordRarely, tell, type Work} from './work.js';

const ASK_AGAIN_MS = 1000;

export function newNode(work: Work, name: NodeName, type: NodeType): NodeRecord {
  const {start} = work.state;
  const links = type === 'ping' ? [name] : name === start.node ? [] : start.links;
  return {
    name,
    type,
    status: 'init',
    uuid: name === start.node ? start.uuid : '',
    wasHeard: false,
    sinceMs: work.now.monoMs,
    heardMs: null,
    dtMs: start.deadtimeMs,
    graceUntilMs: 0,
    graces: 0,
    hadSecondLook: false,
    generation: 0,
    statusSeq: 0,
    floor: 0,
    tracking: UNTRACKED,
    early: {generation: 0, seqs: []},
    hasFlowControl: true,
    ackTrigger: chooseBetween(work, {from: 0, to: 9}),
    acked: 0,
    ackBase: work.state.highest,
    links: links.map((each) => ({name: each, status: 'dead', heardMs: 0})),
    lastStatus: null,
    lastReport: null,
  };
}

/** Once every node was heard or is dead, asks the first live peer for its node list; then communication is up. */
export function seekCommunication(work: Work): void {
  const {state, now} = work;
  if (state.isCommUp || state.isStopped || state.nodes.some((each) => each.status === 'init')) return;
  const peer = peersOf(state).find((each) => isLive(each));
  if (!peer?.hasFlowControl || state.areNodesAgreed) {
    communicationUp(work);
    return;
  }
  if (state.askNodesAtMs !== null && now.monoMs < state.askNodesAtMs) return;
  change(work, {askNodesAtMs: now.monoMs + ASK_AGAIN_MS});
  send(work, messageOf({t: 'reqnodes', dest: peer.name}));
}

function communicationUp(work: Work): void {
  change(work, {isCommUp: true});
  record(work, 'info', 'COMM_UP', 'Comm_now_up(): updating status to active');
  setStatus(work, 'active');
  sendStatus(work);
  tell(work, {type: 'comm-up'});
}

export function nodesRequested(work: Work, from: NodeName): void {
  const nodelist = normalNames(work.state).map((each) => `${each} `);
  const delnodelist = work.state.deleted.map((each) => `${each} `);
  const lists = {nodelist: nodelist.join(''), delnodelist: delnodelist.join('') || ' '};
  send(work, messageOf({dest: from, t: 'repnodes', ...lists}));
}

/** Any `repnodes`, asked for or not, edits the table as it does at a real node. */
export function nodesReported(work: Work, message: Message): void {
  const listed = words(fieldOf(message, 'nodelist'));
  if (listed.length > 0) {
    const known = normalNames(work.state);
    const added = listed.filter((each) => !known.includes(each));
    const missing = known.filter((each) => !listed.includes(each));
    const removed = missing.filter((each) => mayRemove(work, each));
    edit(work, {added, removed});
    change(work, {deleted: words(fieldOf(message, 'delnodelist')).slice(0, NODES_MAX)});
  }
  if (work.state.askNodesAtMs !== null) change(work, {areNodesAgreed: true});
}

function mayRemove(work: Work, name: NodeName): boolean {
  const node = nodeOf(work.state, name);
  if (name !== work.state.start.node && node && !isLive(node)) {
    record(work, 'info', 'NODE_REMOVED', `Removing node [${name}] from configuration.`, {node: name});
    return true;
  }
  const text = `node ${name} is missing in a peer's node list, but it is alive: not removed`;
  recordRarely(work, name, log('ERROR', 'NODE_NOT_REMOVED', text, {node: name}));
  return false;
}

export function addNodes(work: Work, names: readonly NodeName[]): void {
  for (const name of names) {
    if (!nodeOf(work.state, name)) continue;
    record(work, 'ERROR', 'NODE_EXISTS', `node ${printable(name)} is already in the cluster`, {node: printable(name)});
  }
  edit(work, {added: names.filter((each) => !nodeOf(work.state, each)), removed: []});
}

/** Only dead nodes can be deleted, and only while all others are alive: a missing node cannot learn of it. */
export function deleteNodes(work: Work, names: readonly NodeName[]): void {
  const reason = whyNotDelete(work.state, names);
  if (reason !== undefined) {
    record(work, 'ERROR', 'DELETION_FAILED', `deletion failed: ${reason}`);
    return;
  }
  edit(work, {added: [], removed: names});
  change(work, {deleted: [...new Set([...work.state.deleted, ...names])].slice(-NODES_MAX)});
}

function whyNotDelete(state: MessagingState, names: readonly NodeName[]): string | undefined {
  if (names.length === 0) return 'no node named';
  for (const name of names) {
    const node = nodeOf(state, name);
    if (node?.type !== 'normal') return `node ${printable(name)} is not in the cluster`;
    if (node.status !== 'dead') return `node ${name} is not dead`;
  }
  const silent = peersOf(state).find((each) => !names.includes(each.name) && !isLive(each));
  return silent && `node ${silent.name} is not alive`;
}

function edit(work: Work, {added, removed}: {added: readonly NodeName[]; removed: readonly NodeName[]}): void {
  const room = NODES_MAX - work.state.nodes.length;
  const fresh = [...new Set(added)].filter((each) => isName(each) && !nodeOf(work.state, each)).slice(0, room);
  if (fresh.length === 0 && removed.length === 0) return;
  const kept = work.state.nodes.filter((each) => !removed.includes(each.name));
  const made = fresh.map((each) => newNode(work, each, 'normal'));
  // Ping nodes stay behind the normal ones.
  const isPing = (each: NodeRecord) => each.type === 'ping';
  const nodes = [...kept.filter((each) => !isPing(each)), ...made, ...kept.filter(isPing)];
  change(work, {nodes, deleted: work.state.deleted.filter((each) => !fresh.includes(each))});
  for (const name of fresh)
    record(work, 'info', 'NODE_ADDED', `Adding new node[${name}] to configuration.`, {node: name});
  tell(work, {type: 'nodes-edited', nodes: normalNames(work.state)});
}

function normalNames(state: MessagingState): readonly NodeName[] {
  return state.nodes.filter((each) => each.type === 'normal').map((each) => each.name);
}

function words(list: string | undefined): readonly NodeName[] {
  const all = (list ?? '').toLowerCase().split(/\s+/).filter(isName);
  return [...new Set(all)].slice(0, NODES_MAX);
}

function isName(word: string): boolean {
  return /^[\x21-\x7e]{1,99}$/.test(word);
}

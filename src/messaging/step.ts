// The messaging core: keepalives, membership, reliable delivery, and watching over the manager. Pure (style.md section
// 1). Assumes authenticated, decoded messages, links named as in the configuration, and a generation on disk before
// startMessaging. A packet in hand always comes before a deadline of the same instant, so a verdict never overtakes
// the status that contradicts it. The first manager may be there from the start (it gets `ready` at once) or connect
// later (manager-connected gets it `ready` again, and what peers sent meanwhile).

import type {ManagerToMessaging} from '../model/channel.js';
import {log} from '../model/log.js';
import type {MessagingEffect, MessagingEvent, MessagingStart} from '../model/messaging.js';
import type {Now, Step} from '../model/time.js';
import {unreachable} from '../model/unreachable.js';
import {messageArrived} from './accept.js';
import {judgeFlow} from './acks.js';
import {announceDeadtime, beat, sendStatus, setBeacon, setStatus} from './beat.js';
import {wakeAt} from './deadlines.js';
import {doubtOurselves} from './doubt.js';
import {
  judgeLease,
  managerConnected,
  managerLost,
  managerSeen,
  renewLease,
  START_LEASE_MS,
  startManagerWhenDue,
  stopSoon,
  stopWhenDue,
  tellReady,
} from './lease.js';
import {judgeNodes} from './membership.js';
import {addNodes, deleteNodes, newNode, seekCommunication} from './nodes.js';
import {send} from './send.js';
import {askForMissing} from './sequence.js';
import {type MessagingState, NEVER, peersOf} from './state.js';
import {change, printable, record, recordRarely, tell, type Work} from './work.js';

export {wakeAt} from './deadlines.js';
export type {MessagingState} from './state.js';

const BONUS_FOR_MS = 5000;

export function startMessaging(start: MessagingStart, now: Now): Step<MessagingState, MessagingEffect> {
  const work: Work = {state: emptyState(start, now), now, effects: []};
  const names = start.nodes.includes(start.node) ? start.nodes : [start.node, ...start.nodes];
  const nodes = names.map((each) => newNode(work, each, 'normal'));
  change(work, {nodes: [...nodes, ...start.pingNodes.map((each) => newNode(work, each, 'ping'))]});
  sendStatus(work); // The first packet of a life is a status, and says init.
  setStatus(work, 'up');
  sendStatus(work);
  sendStatus(work);
  tellReady(work);
  seekCommunication(work);
  return {state: work.state, effects: work.effects};
}

export function stepMessaging(
  state: MessagingState,
  event: MessagingEvent,
  now: Now,
): Step<MessagingState, MessagingEffect> {
  if (state.isStopped) return {state, effects: []};
  const work: Work = {state, now, effects: []};
  const plannedMs = wakeAt(state);
  if (now.monoMs > plannedMs) doubtOurselves(work, plannedMs);
  take(work, event);
  if (now.monoMs >= plannedMs || event.type !== 'noise-arrived') expire(work);
  judgeFlow(work);
  return {state: work.state, effects: work.effects};
}

function take(work: Work, event: MessagingEvent): void {
  switch (event.type) {
    case 'woke':
      return;
    case 'message-arrived':
      messageArrived(work, event.link, event.message);
      return;
    case 'noise-arrived':
      noiseArrived(work, event);
      return;
    case 'manager-said':
      managerSaid(work, event.message);
      return;
    case 'manager-lost':
      managerLost(work);
      return;
    case 'manager-connected':
      managerConnected(work);
      return;
    case 'load-read':
      change(work, {load: event.text.trim().slice(0, 100)});
      return;
    default:
      unreachable(event);
  }
}

/** Our own keepalive goes first: it must not wait for anybody's verdict. */
function expire(work: Work): void {
  beat(work);
  judgeNodes(work);
  for (const {name} of peersOf(work.state)) {
    const node = work.state.nodes.find((each) => each.name === name);
    if (node) askForMissing(work, node);
  }
  seekCommunication(work);
  startManagerWhenDue(work);
  judgeLease(work);
  stopWhenDue(work);
}

function managerSaid(work: Work, message: ManagerToMessaging): void {
  managerSeen(work);
  switch (message.type) {
    case 'send':
      send(work, message.message);
      if (message.isFromClient) tell(work, {type: 'client-sent'});
      return;
    case 'set-beacon':
      setBeacon(work, message.values);
      return;
    case 'renew-lease':
      renewLease(work, message.forMs);
      return;
    case 'announce-deadtime':
      announceDeadtime(work, message.deadtimeMs);
      return;
    case 'use-keys':
      work.effects.push({type: 'use-keys', keyring: message.keyring});
      return;
    case 'add-nodes':
      addNodes(work, message.nodes);
      return;
    case 'delete-nodes':
      deleteNodes(work, message.nodes);
      return;
    case 'set-debug':
      change(work, {debug: message.level});
      record(work, 'info', 'DEBUG_LEVEL', `debug level is now ${message.level}`);
      return;
    case 'stop':
      stopSoon(work, message.tailMs);
      return;
    default:
      unreachable(message);
  }
}

function noiseArrived(work: Work, {link, fault, from}: Extract<MessagingEvent, {type: 'noise-arrived'}>): void {
  change(work, {refused: work.state.refused + 1});
  const isForged = fault === 'bad-digest' || fault === 'unknown-key' || fault === 'no-auth';
  const source = printable(from).replace(/:\d{1,5}$/, ''); // The port may differ in every packet.
  const text = isForged
    ? `netstring authentication failed: ${fault} in a packet from ${source} on ${link}`
    : `packet from ${source} on ${link} refused: ${fault}`;
  recordRarely(work, source, log(isForged ? 'ERROR' : 'WARN', `NOISE_${fault.toUpperCase()}`, text, {source, link}));
}

function emptyState(start: MessagingStart, {monoMs}: Now): MessagingState {
  const own = {startedMs: monoMs, status: 'init', isCommUp: false, nodes: [], deleted: []} as const;
  const sending = {
    highest: 0,
    history: [],
    recentNaks: [],
    isFlowPaused: false,
    // From the first packet on a Systole peer knows its like, even while the manager has not said what it owns.
    beacon: {sysv: '1'},
    announcedMs: null,
  } as const;
  const manager = {
    isManagerThere: true,
    isManagerUnseen: true,
    lossesMs: [],
    startManagerAtMs: NEVER,
    hasEmergency: false,
    pending: [],
  } as const;
  return {
    start,
    ...own,
    random: start.seed | 0,
    load: '',
    debug: 0,
    ...sending,
    bonusUntilMs: monoMs + BONUS_FOR_MS,
    nextBeatMs: monoMs + start.keepaliveMs,
    askNodesAtMs: null,
    areNodesAgreed: false,
    drainUntilMs: 0,
    ...manager,
    leaseUntilMs: monoMs + START_LEASE_MS,
    stopAtMs: NEVER,
    isStopped: false,
    faults: [],
    refused: 0,
  };
}

// The core of dopd: who asked, whom to ask, what may be answered. Local helpers (`drbd-peer-outdater`) ask for a peer's disk
// to be outdated; the request goes over the heartbeat links to dopd there, whose answer goes to every helper that
// waits for that resource. The other way round, requests of the peer are carried out here, one run a resource at a time.
// The messages are those of Heartbeat 3.0.6 (resource-engine.md 5.1), so either end may be the original.
//
// Promises: every helper gets exactly one answer within `ANSWER_LIMIT_MS`; 5 ("dead") only when the cluster has declared
// the peer dead; 3 and 4 only from the peer's own disk. The original answers 4 without having looked, so its first 4 is
// checked by asking again once DRBD there must have noticed the loss; ours marks its answers with `dop_seen`.

import {fieldOf, type Message, messageOf} from '../model/message.js';
import {unreachable} from '../model/unreachable.js';
import type {FenceAnswer} from './outdate.js';

export const ANSWER_LIMIT_MS = 55_000;
const RESEND_MS = 2000;
const STATUS_MS = 500;
const WAITING_MAX = 64;

interface Ask {
  readonly peer: string;
  readonly resource: string;
  readonly clients: readonly number[];
  readonly startedMs: number;
  readonly nextSendMs: number;
  readonly nextStatusMs: number;
  /** An unproven 4 arrived; after this moment the peer is asked again and then believed. */
  readonly believeAfterMs: number | undefined;
}

export interface DopdState {
  readonly node: string;
  readonly asks: readonly Ask[];
  /** Nodes that wait for an outdate that runs here, by resource. */
  readonly runs: Readonly<Record<string, readonly string[]>>;
  /** How long DRBD takes to notice a lost link. */
  readonly noticeMs: number;
}

export type DopdEvent =
  | {readonly type: 'helper-asked'; readonly client: number; readonly peer: string; readonly resource: string}
  | {readonly type: 'helper-left'; readonly client: number}
  | {readonly type: 'node-seen'; readonly node: string; readonly nodeType: string; readonly status: string}
  /** The cluster has no such node. */
  | {readonly type: 'node-unknown'; readonly node: string}
  | {readonly type: 'message'; readonly message: Message}
  | {readonly type: 'outdate-ended'; readonly resource: string; readonly value: FenceAnswer; readonly why: string}
  | {readonly type: 'woke'};

export type DopdEffect =
  | {readonly type: 'send'; readonly message: Message}
  | {readonly type: 'answer'; readonly client: number; readonly value: number}
  | {readonly type: 'outdate'; readonly resource: string; readonly requester: string}
  | {readonly type: 'ask-status'; readonly node: string}
  | {readonly type: 'log'; readonly level: 'info' | 'WARN' | 'ERROR'; readonly text: string};

export interface DopdStep {
  readonly state: DopdState;
  readonly effects: readonly DopdEffect[];
}

export function startDopd(node: string, noticeMs: number): DopdState {
  return {node: node.toLowerCase(), asks: [], runs: {}, noticeMs};
}

/** The moment at which `woke` is due; undefined: nothing waits. */
export function dopdWakeAt(state: DopdState): number | undefined {
  const dues = state.asks.flatMap((ask) => [ask.nextSendMs, ask.nextStatusMs, ask.startedMs + ANSWER_LIMIT_MS]);
  return dues.length === 0 ? undefined : Math.min(...dues);
}

export function stepDopd(state: DopdState, event: DopdEvent, nowMs: number): DopdStep {
  switch (event.type) {
    case 'helper-asked':
      return asked(state, event, nowMs);
    case 'helper-left':
      return keep({...state, asks: withoutClient(state.asks, event.client)});
    case 'node-seen':
      return nodeSeen(state, event);
    case 'node-unknown':
      return finish(
        state,
        (ask) => ask.peer === event.node,
        20,
        `${event.node} is not a node of this cluster: the host name in drbd.conf must be the node's name`,
      );
    case 'message':
      return received(state, event.message, nowMs);
    case 'outdate-ended':
      return outdateEnded(state, event);
    case 'woke':
      return woke(state, nowMs);
    default:
      return unreachable(event);
  }
}

function asked(state: DopdState, event: Extract<DopdEvent, {type: 'helper-asked'}>, nowMs: number): DopdStep {
  const {client, resource} = event;
  const peer = event.peer.toLowerCase();
  const refuse = (why: string): DopdStep => keep(state, {type: 'log', level: 'ERROR', text: why}, answer(client, 20));
  if (peer === '' || !isResourceName(resource)) return refuse(`a request without a usable peer or resource`);
  if (peer === state.node) return refuse(`asked to outdate ${resource} on this node itself`);
  const same = state.asks.find((ask) => ask.peer === peer && ask.resource === resource);
  if (same) {
    const joined = {...same, clients: [...same.clients, client]};
    return keep({...state, asks: state.asks.map((ask) => (ask === same ? joined : ask))});
  }
  if (state.asks.length >= WAITING_MAX) return refuse('too many requests are waiting');
  const ask: Ask = {
    peer,
    resource,
    clients: [client],
    startedMs: nowMs,
    nextSendMs: nowMs + RESEND_MS,
    nextStatusMs: nowMs + STATUS_MS,
    believeAfterMs: undefined,
  };
  return keep(
    {...state, asks: [...state.asks, ask]},
    {type: 'log', level: 'info', text: `asking ${peer} to outdate ${resource}`},
    // The request goes out at once, whatever the status says: an answer from the peer beats any opinion about it.
    request(ask),
    {type: 'ask-status', node: peer},
  );
}

function nodeSeen(state: DopdState, event: Extract<DopdEvent, {type: 'node-seen'}>): DopdStep {
  const node = event.node.toLowerCase();
  const concerns = (ask: Ask): boolean => ask.peer === node;
  if (event.nodeType !== 'normal') return finish(state, concerns, 20, `${node} is a ${event.nodeType} node`);
  if (event.status === 'dead') return finish(state, concerns, 5, `${node} is dead`);
  return keep(state);
}

function received(state: DopdState, message: Message, nowMs: number): DopdStep {
  const from = fieldOf(message, 'src')?.toLowerCase() ?? '';
  const resource = fieldOf(message, 'dop_res') ?? '';
  if (from === '' || from === state.node) return keep(state);
  switch (fieldOf(message, 't')) {
    case 'start_outdate':
      return wanted(state, from, resource);
    case 'outdate_rc':
      return answered(state, from, resource, message, nowMs);
    case 'status':
      return nodeSeen(state, {type: 'node-seen', node: from, nodeType: 'normal', status: fieldOf(message, 'st') ?? ''});
    default:
      return keep(state);
  }
}

/** The peer wants our disk outdated. A repeated request joins the run that is under way. */
function wanted(state: DopdState, from: string, resource: string): DopdStep {
  if (!isResourceName(resource)) return keep(state, outdateRc(from, resource, 20));
  const waiting = state.runs[resource];
  if (waiting?.includes(from)) return keep(state);
  const runs = {...state.runs, [resource]: [...(waiting ?? []), from]};
  if (waiting) return keep({...state, runs});
  const text = `${from} asks this node to outdate ${resource}`;
  return keep({...state, runs}, {type: 'log', level: 'info', text}, {type: 'outdate', resource, requester: from});
}

function outdateEnded(state: DopdState, event: Extract<DopdEvent, {type: 'outdate-ended'}>): DopdStep {
  const {[event.resource]: askers, ...runs} = state.runs;
  const level = event.value === 20 ? 'ERROR' : 'info';
  const text = `${event.resource}: sending return code: ${event.value} (${event.why})`;
  return keep(
    {...state, runs},
    {type: 'log', level, text},
    ...(askers ?? []).map((to) => outdateRc(to, event.resource, event.value)),
  );
}

function answered(state: DopdState, from: string, resource: string, message: Message, nowMs: number): DopdStep {
  const word = fieldOf(message, 'dop_value') ?? '';
  const value = /^\d{1,3}$/.test(word) ? Number(word) : 20;
  const ask = state.asks.find((each) => each.peer === from && each.resource === resource);
  if (!ask) return keep(state);
  const isSeen = fieldOf(message, 'dop_seen') === '1';
  const believeAfterMs = ask.believeAfterMs ?? ask.startedMs + state.noticeMs;
  if (value === 4 && !isSeen && nowMs < believeAfterMs) {
    const text = `${from} says that ${resource} is outdated, but its dopd does not look: asking again in ${believeAfterMs - nowMs} ms`;
    const patient = {...ask, believeAfterMs, nextSendMs: believeAfterMs};
    const log: DopdEffect[] = ask.believeAfterMs === undefined ? [{type: 'log', level: 'info', text}] : [];
    return keep({...state, asks: state.asks.map((each) => (each === ask ? patient : each))}, ...log);
  }
  return finish(state, (each) => each === ask, value, `${from} answered`);
}

function woke(state: DopdState, nowMs: number): DopdStep {
  const isLate = (ask: Ask): boolean => nowMs >= ask.startedMs + ANSWER_LIMIT_MS;
  const ended = finish(state, isLate, 20, 'no answer, and the node is not known to be dead');
  const effects: DopdEffect[] = [...ended.effects];
  const asks = ended.state.asks.map((ask) => {
    let next = ask;
    if (nowMs >= next.nextSendMs) {
      effects.push(request(next));
      next = {...next, nextSendMs: nowMs + RESEND_MS};
    }
    if (nowMs >= next.nextStatusMs) {
      effects.push({type: 'ask-status', node: next.peer});
      next = {...next, nextStatusMs: nowMs + STATUS_MS};
    }
    return next;
  });
  return {state: {...ended.state, asks}, effects};
}

function finish(state: DopdState, isMeant: (ask: Ask) => boolean, value: number, why: string): DopdStep {
  const ended = state.asks.filter(isMeant);
  const effects = ended.flatMap((ask): DopdEffect[] => [
    {type: 'log', level: value === 20 ? 'ERROR' : 'info', text: `${ask.resource} on ${ask.peer}: ${value} (${why})`},
    ...ask.clients.map((client) => answer(client, value)),
  ]);
  return {state: {...state, asks: state.asks.filter((ask) => !ended.includes(ask))}, effects};
}

function withoutClient(asks: readonly Ask[], client: number): readonly Ask[] {
  return (
    asks
      .map((ask) => ({...ask, clients: ask.clients.filter((each) => each !== client)}))
      // A first 4 that was not proven is followed up even when the helper's time is over: the disk shall be outdated.
      .filter((ask) => ask.clients.length > 0 || ask.believeAfterMs !== undefined)
  );
}

function keep(state: DopdState, ...effects: readonly DopdEffect[]): DopdStep {
  return {state, effects};
}

function answer(client: number, value: number): DopdEffect {
  return {type: 'answer', client, value};
}

function request(ask: Ask): DopdEffect {
  return {type: 'send', message: messageOf({t: 'start_outdate', dop_res: ask.resource, dest: ask.peer})};
}

function outdateRc(to: string, resource: string, value: number): DopdEffect {
  const fields = {t: 'outdate_rc', dop_value: String(value), dop_res: resource, dop_seen: '1', dest: to};
  return {type: 'send', message: messageOf(fields)};
}

/** It becomes an argument of drbdadm. */
export function isResourceName(word: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,126}$/.test(word);
}

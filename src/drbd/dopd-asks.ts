// dopd on the side that asks: helpers here want a peer's disk outdated, its dopd is asked until it answers, and the answer goes to
// every helper that waits for that resource. Promises: one answer a helper within ANSWER_LIMIT_MS; 5 and 7 only when the
// cluster has declared the peer dead; 3 and 4 only from the peer's own disk, for this very request.

import {fieldOf, type Message, messageOf} from '../model/message.js';
import {
  type Ask,
  type DopdEffect,
  type DopdEvent,
  type DopdState,
  type DopdStep,
  isResourceName,
  keep,
  line,
  own,
  type Sent,
} from './dopd-state.js';

export const ANSWER_LIMIT_MS = 55_000;
const RESEND_MS = 2000;
const STATUS_MS = 500;
const WAITING_MAX = 64;
const UNANSWERED_MAX = 64;
const PEER_ANSWERS = ['3', '4', '6', '20'];
/** The handler asks that soon after its call, or another call preceded it. */
const HANDLER_STARTS_MS = 10_000;

type EventOf<T extends DopdEvent['type']> = Extract<DopdEvent, {type: T}>;

/** The moment at which `woke` is due; undefined: nothing waits. */
export function dopdWakeAt(state: DopdState): number | undefined {
  const dues = state.asks.flatMap((ask) => [ask.nextSendMs, ask.nextStatusMs, ask.startedMs + ANSWER_LIMIT_MS]);
  return dues.length === 0 ? undefined : Math.min(...dues);
}

export function helperAsked(state: DopdState, event: EventOf<'helper-asked'>, nowMs: number): DopdStep {
  const {client, resource} = event;
  const peer = event.peer.toLowerCase();
  const refuse = (why: string): DopdStep => keep(state, line('ERROR', why), {type: 'answer', client, value: 20});
  if (peer === '' || !isResourceName(resource)) return refuse('a request without a usable peer or resource');
  if (peer === state.node) return refuse(`asked to outdate ${resource} on this node itself`);
  // Outdating would mean to break a link that works. The kernel never asks then, and ignores what it hears then.
  if (event.isConnected) return refuse(`${resource} is connected to ${peer}: there is nothing to outdate`);
  const same = state.asks.find((ask) => ask.peer === peer && ask.resource === resource);
  if (same) return keep(replace(state, same, {...same, clients: [...same.clients, client]}));
  if (state.asks.length >= WAITING_MAX) return refuse('too many requests are waiting');
  const serial = state.serial + 1;
  const call = own(state.calls, resource);
  const isOfCall = call?.peer === peer && nowMs - call.atMs <= HANDLER_STARTS_MS;
  const ask: Ask = {
    peer,
    resource,
    clients: [client],
    id: `${state.session}-${serial}`,
    startedMs: nowMs,
    lostMs: isOfCall ? call.atMs : nowMs,
    unproven: isOfCall && !call.isAnswered ? 2 : 1,
    answers: 0,
    hasAskedSince: false,
    nextSendMs: nowMs + RESEND_MS,
    nextStatusMs: nowMs + STATUS_MS,
    believeAfterMs: undefined,
    awaitsStonith: false,
  };
  return keep(
    {...state, serial, asks: [...state.asks, ask]},
    line('info', `asking ${peer} to outdate ${resource}`),
    // The request goes out at once, whatever the status says: an answer from the peer beats any opinion about it.
    request(ask),
    askStatus(ask),
  );
}

/** The helper takes a while to start; the peer can begin meanwhile. Whatever it answers to this is not used. */
export function helperCalled(state: DopdState, event: EventOf<'helper-called'>, nowMs: number): DopdStep {
  const peer = event.peer.toLowerCase();
  const {resource} = event;
  if (peer === state.node || !isResourceName(resource)) return keep(state);
  if (state.asks.some((ask) => ask.peer === peer && ask.resource === resource)) return keep(state);
  const serial = state.serial + 1;
  const text = `DRBD calls its fence-peer handler for ${resource}: ${peer} may begin to outdate`;
  const id = `${state.session}-${serial}`;
  const calls = {...state.calls, [resource]: {peer, atMs: nowMs, id, isAnswered: false}};
  return keep({...state, serial, calls}, line('info', text), request({peer, resource, id}, {dop_early: '1'}));
}

/**
 * The kernel takes no notice of an answer once the link has come and gone; the next loss is a new request. What was asked of the peer
 * since the link was lost is taken back only now: as long as it is lost the peer shall go on, by force if its DRBD has not noticed.
 */
export function linkReturned(state: DopdState, resource: string, nowMs: number): DopdStep {
  const isMeant = (sent: Sent): boolean => sent.resource === resource;
  const ended = finish(state, isMeant, {value: 20, why: 'the link works again', level: 'info'});
  const early = own(state.calls, resource);
  const asked = [...ended.state.unanswered.filter(isMeant), ...(early === undefined ? [] : [early])];
  const cancels = asked.map(({peer, id}): DopdEffect => {
    const fields = {t: 'cancel_outdate', dop_res: resource, dop_id: id, dest: peer};
    return {type: 'send', message: messageOf(fields)};
  });
  const {[resource]: _over, ...calls} = ended.state.calls;
  const unanswered = ended.state.unanswered.filter((sent) => !isMeant(sent));
  const returns = {...state.returns, [resource]: nowMs};
  return {state: {...ended.state, calls, unanswered, returns}, effects: [...ended.effects, ...cancels]};
}

export function helperLeft(state: DopdState, client: number): DopdStep {
  const asks = state.asks.map((ask) => ({...ask, clients: ask.clients.filter((each) => each !== client)}));
  // A first 4 that was not proven is followed up even when the helper's time is over: the disk shall be outdated.
  const isOver = (ask: Ask): boolean => ask.clients.length === 0 && ask.believeAfterMs === undefined;
  return keep(remember({...state, asks: asks.filter((ask) => !isOver(ask))}, asks.filter(isOver)));
}

function remember(state: DopdState, sent: readonly Sent[]): DopdState {
  const unanswered = [...state.unanswered, ...sent.map(({peer, resource, id}) => ({peer, resource, id}))];
  return {...state, unanswered: unanswered.slice(-UNANSWERED_MAX)};
}

export function nodeSeen(state: DopdState, event: EventOf<'node-seen'>): DopdStep {
  const node = event.node.toLowerCase();
  const concerns = (ask: Ask): boolean => ask.peer === node;
  if (event.nodeType !== 'normal')
    return finish(state, concerns, {value: 20, why: `${node} is a ${event.nodeType} node`});
  if (event.status !== 'dead') return keep(state);
  return dead(state, event, node);
}

/**
 * Without STONITH dead is all that can be known. With it the manager's verdict decides: until the peer is proven to be off,
 * "dead" would be a guess, and DRBD would let writes go on that a peer which is only out of reach knows nothing of.
 */
function dead(state: DopdState, {stonith, resetMs}: EventOf<'node-seen'>, node: string): DopdStep {
  const concerns = (ask: Ask): boolean => ask.peer === node;
  if (stonith === 'pending' || stonith === 'bad') return awaitStonith(state, concerns, node);
  if (stonith !== 'unneeded' && stonith !== 'OK') return finish(state, concerns, {value: 5, why: `${node} is dead`});
  const isProof = (ask: Ask): boolean => stonith === 'OK' && isRecent(state, ask, resetMs);
  const proven = finish(state, (ask) => concerns(ask) && isProof(ask), {value: 7, why: `${node} was reset by STONITH`});
  const rest = deadUnproven(proven.state, node, stonith === 'OK' ? resetMs : undefined);
  return {state: rest.state, effects: [...proven.effects, ...rest.effects]};
}

/** Since then a node that came up again was connected: it may run, and hold what DRBD had acknowledged up to now. */
function isRecent(state: DopdState, ask: Ask, resetMs: number | undefined): boolean {
  const returnedMs = own(state.returns, ask.resource);
  return returnedMs === undefined || (resetMs !== undefined && resetMs > returnedMs);
}

/** For the groups its death is enough; where DRBD has frozen writes it asks for more. */
function deadUnproven(state: DopdState, node: string, oldMs: number | undefined): DopdStep {
  const concerns = (ask: Ask): boolean => ask.peer === node;
  const freezes = (ask: Ask): boolean | undefined => own(state.freezes, ask.resource);
  const goesOn = (ask: Ask): boolean => concerns(ask) && freezes(ask) === false;
  const others = finish(state, goesOn, {value: 5, why: `${node} is dead`});
  const waiting = awaitStonith(others.state, (ask) => concerns(ask) && freezes(ask) === true, node);
  const isWanted = waiting.state.asks.some((ask) => concerns(ask) && freezes(ask) === true);
  const want = {type: 'want-stonith', node, ...(oldMs !== undefined && {oldMs})} as const;
  return {state: waiting.state, effects: [...others.effects, ...waiting.effects, ...(isWanted ? [want] : [])]};
}

function awaitStonith(state: DopdState, concerns: (ask: Ask) => boolean, node: string): DopdStep {
  const fresh = state.asks.filter((ask) => concerns(ask) && !ask.awaitsStonith);
  const asks = state.asks.map((ask) => (concerns(ask) ? {...ask, awaitsStonith: true} : ask));
  const lines = fresh.map((ask) => line('info', `${ask.resource}: ${node} is dead; waiting for its STONITH`));
  return keep({...state, asks}, ...lines);
}

/** A heartbeat status: of the STONITH it says nothing, so a dead peer is asked about at once. */
export function statusHeard(state: DopdState, node: string, status: string): DopdStep {
  if (status !== 'dead') return keep(state);
  return keep(state, ...state.asks.filter((ask) => ask.peer === node).map(askStatus));
}

export function peerAnswered(state: DopdState, from: string, message: Message, nowMs: number): DopdStep {
  const resource = fieldOf(message, 'dop_res') ?? '';
  const word = fieldOf(message, 'dop_value') ?? '';
  // 5 and 7 are said of a node that is dead: none says so of itself.
  const value = PEER_ANSWERS.includes(word) ? Number(word) : 20;
  const id = fieldOf(message, 'dop_id');
  const ask = state.asks.find((each) => each.peer === from && each.resource === resource);
  if (!ask) return id === undefined ? earlyAnswered(state, from, resource) : lateAnswered(state, from, id);
  if (id !== undefined && id !== ask.id) return lateAnswered(state, from, id);
  const isSeen = id !== undefined && fieldOf(message, 'dop_seen') === '1';
  const believeAfterMs = ask.believeAfterMs ?? ask.lostMs + state.noticeMs;
  const answers = ask.answers + (id === undefined ? 1 : 0);
  const isProven = nowMs >= believeAfterMs && answers > ask.unproven;
  if (value === 4 && !isSeen && !isProven) {
    const text = `${from} says that ${resource} is outdated, but its dopd does not look: asking again in ${Math.max(0, Math.round(believeAfterMs - nowMs))} ms`;
    const nextSendMs = ask.hasAskedSince ? ask.nextSendMs : Math.max(believeAfterMs, nowMs);
    const patient = {...ask, believeAfterMs, answers, nextSendMs};
    return keep(replace(state, ask, patient), ...(ask.believeAfterMs === undefined ? [line('info', text)] : []));
  }
  return finish(state, (each) => each === ask, {value, why: `${from} answered`, isFromPeer: true});
}

/** Nobody waits for it any more; it says that the peer is done with that request. */
function lateAnswered(state: DopdState, from: string, id: string): DopdStep {
  return keep({...state, unanswered: state.unanswered.filter((sent) => sent.peer !== from || sent.id !== id)});
}

/** The handler has not asked yet; its own requests are answered after this one. */
function earlyAnswered(state: DopdState, from: string, resource: string): DopdStep {
  const call = own(state.calls, resource);
  if (call?.peer !== from) return keep(state);
  return keep({...state, calls: {...state.calls, [resource]: {...call, isAnswered: true}}});
}

export function asksWoke(state: DopdState, nowMs: number): DopdStep {
  const isLate = (ask: Ask): boolean => nowMs >= ask.startedMs + ANSWER_LIMIT_MS;
  const ended = finish(state, isLate, {value: 20, why: 'no answer, and the node is not known to be dead'});
  const effects: DopdEffect[] = [...ended.effects];
  const asks = ended.state.asks.map((ask) => {
    let next = ask;
    if (nowMs >= next.nextSendMs) {
      effects.push(request(next));
      const isProof = nowMs >= next.lostMs + state.noticeMs;
      next = {
        ...next,
        nextSendMs: nowMs + RESEND_MS,
        unproven: next.unproven + (isProof ? 0 : 1),
        hasAskedSince: isProof,
      };
    }
    if (nowMs >= next.nextStatusMs) {
      effects.push(askStatus(next));
      next = {...next, nextStatusMs: nowMs + STATUS_MS};
    }
    return next;
  });
  return {state: {...ended.state, asks}, effects};
}

interface Verdict {
  readonly value: number;
  readonly why: string;
  readonly level?: 'info';
  /** The peer has carried the request out, or refused it. */
  readonly isFromPeer?: true;
}

export function finish(state: DopdState, isMeant: (ask: Ask) => boolean, verdict: Verdict): DopdStep {
  const {value, why, level} = verdict;
  const ended = state.asks.filter(isMeant);
  const effects = ended.flatMap((ask): DopdEffect[] => [
    line(level ?? (value === 20 ? 'ERROR' : 'info'), `${ask.resource} on ${ask.peer}: ${value} (${why})`),
    ...ask.clients.map((client): DopdEffect => ({type: 'answer', client, value})),
  ]);
  const rest = {...state, asks: state.asks.filter((ask) => !ended.includes(ask))};
  return {state: verdict.isFromPeer ? rest : remember(rest, ended), effects};
}

function replace(state: DopdState, before: Ask, after: Ask): DopdState {
  return {...state, asks: state.asks.map((each) => (each === before ? after : each))};
}

function request({peer, resource, id}: Sent, more = {}): DopdEffect {
  return {type: 'send', message: messageOf({t: 'start_outdate', dop_res: resource, dop_id: id, ...more, dest: peer})};
}

function askStatus({peer, resource}: Ask): DopdEffect {
  return {type: 'ask-status', node: peer, resource};
}

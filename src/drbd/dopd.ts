// The core of dopd: one switch over what happens. Local helpers (`drbd-peer-outdater`) ask for a peer's disk to be outdated
// (dopd-asks.ts); requests of the peer's dopd are carried out here, one run a resource at a time, and answered to everybody
// who asked meanwhile. The messages are those of Heartbeat 3.0.6 (resource-engine.md 5.1), so either end may be the
// original: it answers 4 without having looked, so its first 4 is checked by asking again; ours marks its answers with
// `dop_seen` and returns the `dop_id` of the request.

import {fieldOf, type Message, messageOf} from '../model/message.js';
import {unreachable} from '../model/unreachable.js';
import {
  asksWoke,
  finish,
  helperAsked,
  helperCalled,
  helperLeft,
  linkReturned,
  nodeSeen,
  peerAnswered,
  statusHeard,
} from './dopd-asks.js';
import {
  type Asker,
  type DopdEffect,
  type DopdEvent,
  type DopdState,
  type DopdStep,
  isResourceName,
  keep,
  line,
  own,
} from './dopd-state.js';

const ID_BYTES_MAX = 64;
const ASKERS_MAX = 64;
/** Resources for which something runs at a time. */
const RUNS_MAX = 32;

export function startDopd(node: string, noticeMs: number, session: string): DopdState {
  const nothing = {serial: 0, asks: [], unanswered: [], returns: {}, runs: {}, calls: {}, freezes: {}};
  return {...nothing, node: node.toLowerCase(), session, noticeMs};
}

export function stepDopd(state: DopdState, event: DopdEvent, nowMs: number): DopdStep {
  switch (event.type) {
    case 'helper-asked':
      return helperAsked(state, event, nowMs);
    case 'helper-left':
      return helperLeft(state, event.client);
    case 'helper-called':
      return helperCalled(state, event, nowMs);
    case 'link-returned':
      return linkReturned(state, event.resource, nowMs);
    case 'node-seen':
      return nodeSeen(state, event);
    case 'node-unknown': {
      const why = `${event.node} is not a node of this cluster: the host name in drbd.conf must be the node's name`;
      return finish(state, (ask) => ask.peer === event.node, {value: 20, why});
    }
    case 'message':
      return received(state, event.message, nowMs);
    case 'outdate-ended':
      return outdateEnded(state, event);
    case 'woke':
      return asksWoke(state, nowMs);
    default:
      return unreachable(event);
  }
}

function received(state: DopdState, message: Message, nowMs: number): DopdStep {
  const from = fieldOf(message, 'src')?.toLowerCase() ?? '';
  if (from === '' || from === state.node) return keep(state);
  switch (fieldOf(message, 't')) {
    case 'start_outdate':
      return wanted(state, from, message);
    case 'cancel_outdate':
      return cancelled(state, from, message);
    case 'outdate_rc':
      return peerAnswered(state, from, message, nowMs);
    case 'status':
      return statusHeard(state, from, fieldOf(message, 'st') ?? '');
    default:
      return keep(state);
  }
}

/** The peer wants our disk outdated. A repeated request joins the run that is under way. */
function wanted(state: DopdState, node: string, message: Message): DopdStep {
  const resource = fieldOf(message, 'dop_res') ?? '';
  const id = fieldOf(message, 'dop_id')?.slice(0, ID_BYTES_MAX);
  const asker: Asker = {node, id, isEarly: fieldOf(message, 'dop_early') === '1'};
  if (!isResourceName(resource)) return keep(state, outdateRc(asker, resource, 20));
  const waiting = own(state.runs, resource);
  if (waiting?.some((each) => each.node === node && each.id === id)) return keep(state);
  if ((waiting?.length ?? 0) >= ASKERS_MAX) return keep(state, outdateRc(asker, resource, 20));
  if (!waiting && Object.keys(state.runs).length >= RUNS_MAX) return keep(state, outdateRc(asker, resource, 20));
  const runs = {...state.runs, [resource]: [...(waiting ?? []), asker]};
  if (waiting) return keep({...state, runs});
  const text = `${node} asks this node to outdate ${resource}`;
  return keep({...state, runs}, line('info', text), {type: 'outdate', resource, requester: node});
}

/** Its link works again: what was begun need not be brought to an end by force. */
function cancelled(state: DopdState, node: string, message: Message): DopdStep {
  const [resource, id] = [fieldOf(message, 'dop_res') ?? '', fieldOf(message, 'dop_id')];
  const waiting = own(state.runs, resource);
  if (waiting === undefined || id === undefined) return keep(state);
  const left = waiting.filter((each) => each.node !== node || each.id !== id);
  return keep({...state, runs: {...state.runs, [resource]: left}});
}

export function wantedOf(state: DopdState, resource: string): 'no' | 'early' | 'yes' {
  const askers = own(state.runs, resource) ?? [];
  if (askers.length === 0) return 'no';
  return askers.every((asker) => asker.isEarly) ? 'early' : 'yes';
}

function outdateEnded(state: DopdState, event: Extract<DopdEvent, {type: 'outdate-ended'}>): DopdStep {
  const {[event.resource]: _, ...runs} = state.runs;
  const askers = own(state.runs, event.resource);
  const isAsked = askers?.some((asker) => !asker.isEarly) ?? false;
  const level = event.value === 20 && isAsked ? 'ERROR' : 'info';
  const text = `${event.resource}: sending return code: ${event.value} (${event.why})`;
  return keep(
    {...state, runs},
    line(level, text),
    ...(askers ?? []).map((asker) => outdateRc(asker, event.resource, event.value)),
  );
}

function outdateRc({node, id}: Asker, resource: string, value: number): DopdEffect {
  const fields = {t: 'outdate_rc', dop_value: String(value), dop_res: resource, dop_seen: '1', dest: node};
  return {type: 'send', message: messageOf(id === undefined ? fields : {...fields, dop_id: id})};
}

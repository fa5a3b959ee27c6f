// Requests of local clients: commands on the control socket, and blocks that scripts write to the FIFO.

import {mirror, type StandbyScope} from '../model/cluster.js';
import type {ControlReply, ControlRequest} from '../model/control.js';
import {parseDecimal} from '../model/message.js';
import {unreachable} from '../model/unreachable.js';
import {giveRefusal, takeRefusal} from './disks.js';
import {type Draft, say, send} from './draft.js';
import {forgive} from './forgive.js';
import {beginLeaving} from './leave.js';
import {fenceHarmless} from './peer.js';
import {inScope, readScope} from './scope.js';
import {beginGiving, givableGroups, hasPartThere, requestRefusal} from './standby.js';
import {statusOf} from './status.js';

/** The peer has this long to accept or refuse. */
const ANSWER_MS = 3_000;
const PENDING_MAX = 32;

export function clientRequested(draft: Draft, id: number, request: ControlRequest): void {
  const reply = answer(draft, id, request);
  if (reply !== undefined) draft.effects.push({type: 'reply', id, reply});
}

function answer(draft: Draft, id: number, request: ControlRequest): ControlReply | undefined {
  switch (request.command) {
    case 'status':
      return {ok: true, text: '', status: statusOf(draft)};
    case 'standby':
      return standby(draft, id, request.scope);
    case 'takeover':
      return takeover(draft, id, request.scope);
    case 'add-nodes':
      draft.effects.push({type: 'tell-messaging', message: {type: 'add-nodes', nodes: request.nodes}});
      send(draft, {t: 'addnode', nodelist: request.nodes.join(' ')});
      return {ok: true, text: `adding ${request.nodes.join(' ')}`};
    case 'delete-nodes':
      return deleteNodes(draft, request.nodes);
    case 'reset':
      return reset(draft, request.keys);
    case 'inject':
      return inject(draft, id, request.fields);
    case 'shutdown':
      beginLeaving(draft, 'requested');
      return {ok: true, text: 'shutting down'};
    case 'reload':
      // The runtime re-reads the files before the core hears of it.
      return {ok: true, text: 'reloading'};
    case 'dump':
      return {ok: true, text: '', dump: dumpOf(draft)};
    default:
      return unreachable(request);
  }
}

function standby(draft: Draft, id: number, scope: StandbyScope): ControlReply | undefined {
  const groups = givableGroups(draft, scope);
  const refused = requestRefusal(draft) ?? giveRefusal(draft, groups);
  if (refused !== undefined) return refused;
  const names = groups.map((group) => group.definition.key);
  if (groups.length > 0 && groups.every((group) => hasPartThere(draft, group))) {
    const text = `${draft.state.peer?.name ?? ''} has a part of ${names.join(', ')} that is not stopped there`;
    return {ok: false, code: 'PEER_HAS_PART', text, hint: 'see systole status on that node, and stop it there'};
  }
  beginGiving(draft, scope, {isSilent: false, isFailback: false});
  const {peer} = draft.state;
  // A real peer answers within half a second when it can and never when it cannot; the client need not wait for that.
  if (peer?.kind !== 'systole')
    return {ok: true, text: `asked ${peer?.name ?? ''} to take ${names.join(', ') || scope}`};
  await_(draft, id, 'standby');
  return undefined;
}

function takeover(draft: Draft, id: number, scope: StandbyScope): ControlReply | undefined {
  const wanted = draft.state.groups.filter((group) => inScope(draft, group, {role: 'giver', scope}));
  const refused = requestRefusal(draft) ?? takeRefusal(draft, wanted);
  if (refused !== undefined) return refused;
  send(draft, {t: 'hb_takeover', rsc_hold: scope});
  const {peer} = draft.state;
  if (peer?.kind !== 'systole') return {ok: true, text: `asked ${peer?.name ?? ''} to give ${mirror(scope)}`};
  await_(draft, id, 'takeover');
  return undefined;
}

function await_(draft: Draft, id: number, kind: 'standby' | 'takeover'): void {
  const request = {id, kind, untilMs: draft.now.monoMs + ANSWER_MS};
  draft.state.pending = [...draft.state.pending, request].slice(-PENDING_MAX);
}

export function expireRequests(draft: Draft): void {
  const {state} = draft;
  for (const request of state.pending) {
    if (draft.now.monoMs < request.untilMs) continue;
    const text = 'the other node did not answer in time; see systole status';
    draft.effects.push({type: 'reply', id: request.id, reply: {ok: false, code: 'NO_REPLY', text}});
  }
  state.pending = state.pending.filter((request) => draft.now.monoMs < request.untilMs);
}

function deleteNodes(draft: Draft, nodes: readonly string[]): ControlReply {
  send(draft, {t: 'delnode', nodelist: nodes.join(' ')});
  if (nodes.includes(draft.state.self)) beginLeaving(draft, 'this node was deleted from the cluster');
  else draft.effects.push({type: 'tell-messaging', message: {type: 'delete-nodes', nodes}});
  return {ok: true, text: `deleting ${nodes.join(' ')}`};
}

function reset(draft: Draft, keys: readonly string[]): ControlReply {
  const groups = draft.state.groups.filter((group) => keys.length === 0 || keys.includes(group.definition.key));
  if (groups.length === 0) {
    const known = draft.state.groups.map((group) => group.definition.key).join(', ');
    return {ok: false, code: 'NO_SUCH_GROUP', text: `no such group: ${keys.join(', ')}`, hint: `groups are: ${known}`};
  }
  for (const group of groups) {
    forgive(group);
    group.failCount = 0;
    group.recoveries = [];
    // A blocked group is tried again at once.
    group.pauseUntilMs = undefined;
  }
  return {ok: true, text: `failures forgotten: ${groups.map((group) => group.definition.key).join(', ')}`};
}

/** Types whose handling is built in: a script's copy of them would act twice. */
const BUILT_IN = ['resource', 'ip-request-resp', 'ip-request', 'starting', 'shutdone', 'status', 'stonith'];

function inject(draft: Draft, id: number, fields: Readonly<Record<string, string>>): ControlReply | undefined {
  const type = fields['t'];
  if (type === undefined || type === '') return {ok: false, code: 'NO_TYPE', text: 'a message needs a t= field'};
  if (type === 'ask_resources' && fields['info'] === 'me') return standby(draft, id, readScope(fields['rsc_hold']));
  if (type === 'hb_takeover') return takeover(draft, id, readScope(takeoverWord(fields['rsc_hold'])));
  const nodes = (fields['nodelist'] ?? '').split(/\s+/).filter((each) => each !== '');
  if (type === 'addnode') return answer(draft, id, {command: 'add-nodes', nodes});
  if (type === 'delnode') return answer(draft, id, {command: 'delete-nodes', nodes});
  if (type === 'want_stonith') return wantStonith(draft, fields);
  if (BUILT_IN.includes(type) || type === 'ask_resources' || type.startsWith('NS_')) {
    say(draft, 'debug', 'INJECT_IGNORED', `message ${type} from a script ignored: this daemon does that itself`);
    return {ok: true, text: 'not needed'};
  }
  send(draft, fields);
  return {ok: true, text: 'sent'};
}

/** dopd asks when DRBD has frozen its writes for want of a proof; of a message to the cluster there is no question. */
function wantStonith(draft: Draft, fields: Readonly<Record<string, string>>): ControlReply {
  const node = fields['node'] ?? '';
  const isBegun = fenceHarmless(draft, node.toLowerCase(), parseDecimal(fields['reset_ms']));
  return {ok: true, text: isBegun ? `resetting ${node}` : 'not needed'};
}

/** hb_takeover failback means: give me what is mine. */
function takeoverWord(word: string | undefined): string | undefined {
  return word === 'failback' ? 'local' : word;
}

/** Everything but the keys. */
function dumpOf(draft: Draft): unknown {
  const {config, ...rest} = draft.state;
  return {...rest, config: {...config, keyring: {signWith: config.keyring.signWith, keys: config.keyring.keys.length}}};
}

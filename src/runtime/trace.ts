// What the debug level adds to ha-debug: which event the core met and what it answered. 1: decisions and scripts; 2: also the
// contents of messages, and status calls; 3: also what comes every second. Promises: one bounded line each, never a key.

import type {ManagerEffect, ManagerEvent} from '../model/manager.js';
import type {Message} from '../model/message.js';
import type {ResourceCall} from '../model/resource.js';

const VALUE_CHARS_MAX = 80;
const MESSAGE_CHARS_MAX = 600;

/** undefined: nothing to say at this level. */
export function traceEvent(event: ManagerEvent, level: number): string | undefined {
  if (level < 1) return undefined;
  switch (event.type) {
    case 'woke':
      return level < 3 ? undefined : 'event: woke';
    case 'messaging-said':
      return traceSaid(event.message, level);
    case 'script-exited': {
      if (event.call.action === 'status' && level < 2) return undefined;
      const {code, tookMs, timedOut, output} = event.exit;
      const end = timedOut ? 'timed out' : code === undefined ? 'ended without a code' : `code ${code}`;
      return `event: ${nameOf(event.call)} ${end}, ${Math.round(tookMs)} ms${output === '' ? '' : `: ${cut(output)}`}`;
    }
    case 'client-requested':
      if (event.request.command === 'status' && level < 3) return undefined;
      return `event: request ${event.id}: ${cut(JSON.stringify(event.request), MESSAGE_CHARS_MAX)}`;
    case 'fencing-finished':
      return `event: fencing of ${event.node} ${event.ok ? 'succeeded' : 'failed'}: ${cut(event.text)}`;
    case 'disks-changed':
      return `event: disks ${event.disks.map(({resource, disk, peerDisk, connection}) => `${resource} ${disk}/${peerDisk} ${connection}`).join(', ')}`;
    case 'messaging-lost':
    case 'config-changed':
      return `event: ${event.type}`;
  }
}

type Said = Extract<ManagerEvent, {type: 'messaging-said'}>['message'];

function traceSaid(said: Said, level: number): string | undefined {
  switch (said.type) {
    case 'log':
      return undefined;
    case 'message-received':
      return level < 2 ? undefined : `event: from ${said.from}: ${textOf(said.message)}`;
    case 'node-changed':
      return `event: node ${said.node}: ${said.previous} -> ${said.status}`;
    case 'link-changed':
      return `event: link ${said.node}:${said.link} ${said.status}`;
    case 'node-restarted':
    case 'node-returned':
      return `event: ${said.type} ${said.node}`;
    default:
      return `event: messaging says ${said.type}`;
  }
}

export function traceEffect(effect: ManagerEffect, level: number): string | undefined {
  if (level < 1) return undefined;
  switch (effect.type) {
    // A log line is its own trace.
    case 'log':
      return undefined;
    case 'feed-watchdog':
      return level < 3 ? undefined : 'effect: feed-watchdog';
    case 'run-script':
      return effect.call.action === 'status' && level < 2
        ? undefined
        : `effect: run ${nameOf(effect.call)}, at most ${effect.call.timeoutMs} ms`;
    case 'tell-messaging':
      return traceTold(effect.message, level);
    case 'reply':
      return level < 2 ? undefined : `effect: reply ${effect.id}: ${effect.reply.ok ? 'ok' : effect.reply.code}`;
    case 'fence':
      return `effect: fence ${effect.node}`;
    case 'publish':
      return level < 2 ? undefined : `effect: publish ${textOf(effect.message)}`;
    default:
      return `effect: ${effect.type}`;
  }
}

type Told = Extract<ManagerEffect, {type: 'tell-messaging'}>['message'];

function traceTold(told: Told, level: number): string | undefined {
  switch (told.type) {
    case 'renew-lease':
      return level < 3 ? undefined : `effect: renew-lease for ${told.forMs} ms`;
    case 'set-beacon':
      return `effect: beacon ${cut(JSON.stringify(told.values), MESSAGE_CHARS_MAX)}`;
    case 'send':
      return level < 2 ? `effect: send ${typeOf(told.message)}` : `effect: send ${textOf(told.message)}`;
    default:
      return `effect: tell messaging ${told.type}`;
  }
}

function nameOf({group, resource, action}: ResourceCall): string {
  return `${group}: ${resource.word} ${action}`;
}

function typeOf({fields}: Message): string {
  return `t=${fields.find(({name}) => name === 't')?.value ?? ''}`;
}

function textOf({fields}: Message): string {
  const words = fields.filter(({type, name}) => type === 0 && name !== 'auth');
  return cut(words.map(({name, value}) => `${name}=${cut(value)}`).join(' '), MESSAGE_CHARS_MAX);
}

function cut(text: string, charsMax = VALUE_CHARS_MAX): string {
  const plain = text.trim();
  return plain.length <= charsMax ? plain : `${plain.slice(0, charsMax)}...`;
}

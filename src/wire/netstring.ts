// Netstring framing, what 3.0.6 puts on UDP whatever `msgfmt` says (wire-protocol.md 1.2): each field carries its
// length, so a value may hold any byte. Assumes nothing about the bytes; promises to be total, to read each byte of a
// level once, and that every struct it hands out (type 2) is itself well formed, to DEPTH_MAX levels.

import type {Field, Message} from '../model/message.js';
import {bytesOf, DEPTH_MAX, type Decoded, type Fault, fieldTypeOf, isFieldName, refuse} from './fields.js';

export const NETSTRING_START = '###\n';
export const NETSTRING_END = '%%%\n';

/** A message with its end mark, without trailer. Fields whose name cannot be written are left out. */
export function encodeNetstring(message: Message): Buffer {
  return bytesOf(netstringText(message));
}

export function netstringText(message: Message): string {
  let text = NETSTRING_START;
  for (const {name, type, value} of message.fields) {
    if (isFieldName(name)) text += `${name.length + value.length + 4}:(${type})${name}=${value},`;
  }
  return text + NETSTRING_END;
}

/** Reads exactly one message without trailer. */
export function decodeNetstring(bytes: Buffer): Decoded {
  return decodeNetstringText(bytes.toString('latin1'));
}

export function decodeNetstringText(text: string, depth = 0): Decoded {
  const parsed = parseNetstring(text, depth);
  if (!parsed.ok) return parsed;
  return parsed.end === text.length ? {ok: true, message: parsed.message} : refuse('no-end');
}

/** Reads one message from the start of the text; `end` is the index behind its end mark. */
export function parseNetstring(
  text: string,
  depth = 0,
): {readonly ok: true; readonly message: Message; readonly end: number} | Fault {
  if (!text.startsWith(NETSTRING_START)) return refuse('no-start');
  const fields: Field[] = [];
  let at = NETSTRING_START.length;
  while (!text.startsWith(NETSTRING_END, at)) {
    if (at >= text.length) return refuse('no-end');
    const body = readNetstring(text, at);
    if (!body) return refuse('bad-length');
    const field = readField(text, body.from, body.to, depth);
    if (!field) return refuse('bad-field');
    fields.push(field);
    at = body.to + 1;
  }
  return {ok: true, message: {fields}, end: at + NETSTRING_END.length};
}

/** The bounds of `LENGTH:body,` at that place; undefined when the length is odd, overruns, or the comma is missing. */
export function readNetstring(text: string, at: number): {readonly from: number; readonly to: number} | undefined {
  let from = at;
  let length = 0;
  // Seven digits are more than any message; more are hostile.
  for (; from - at < 7; from++) {
    const digit = text.charCodeAt(from) - 48;
    if (!(digit >= 0 && digit <= 9)) break;
    length = length * 10 + digit;
  }
  if (from === at || text[from] !== ':' || (text[at] === '0' && from > at + 1)) return undefined;
  from++;
  const to = from + length;
  return text[to] === ',' ? {from, to} : undefined;
}

function readField(text: string, from: number, to: number, depth: number): Field | undefined {
  const type = fieldTypeOf(text[from + 1]);
  if (type === undefined || text[from] !== '(' || text[from + 2] !== ')') return undefined;
  const equals = text.indexOf('=', from + 3);
  if (equals < 0 || equals >= to) return undefined;
  const name = text.slice(from + 3, equals);
  const value = text.slice(equals + 1, to);
  if (!isFieldName(name)) return undefined;
  if (type === 2 && (depth >= DEPTH_MAX || !decodeNetstringText(value, depth + 1).ok)) return undefined;
  return {name, type, value};
}

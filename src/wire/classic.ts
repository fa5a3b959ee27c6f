// Classic framing: lines of name=value between `>>>` and `<<<`, for serial lines, the control FIFO, local clients, and
// legal on UDP (wire-protocol.md 1.3). Assumes nothing about the bytes; decoding is total and bounded by its input.
// Encoding is total too, but not all values survive it: `isClassicSafe` tells. Byte 0x13 comes back as a newline, text
// behind a NUL is cut, and a struct that cannot be written is left out, so that no value can ever break the framing.

import type {Field, FieldType, Message} from '../model/message.js';
import {
  bytesOf,
  DEPTH_MAX,
  type Decoded,
  fieldTypeOf,
  isFieldName,
  type Opened,
  refuse,
  withoutAuth,
} from './fields.js';
import {type KeySet, sign, verify} from './keys.js';
import {decodeNetstringText, netstringText} from './netstring.js';

export const CLASSIC_START = '>>>\n';
export const CLASSIC_END = '<<<\n';
const NEWLINE = '\x13';
// A struct's newlines become this byte, by its depth. Witness: the nested example of wire-protocol.md 1.3.
const SEPARATORS = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 15, 16, 17, 18].map((code) =>
  String.fromCharCode(code),
);

/** The block of lines, without NUL. */
export function encodeClassic(message: Message): Buffer {
  return bytesOf(CLASSIC_START + classicBody(message) + CLASSIC_END);
}

/** Reads one block, with or without a final NUL. */
export function decodeClassic(bytes: Buffer): Decoded {
  return decodeText(bytes.toString('latin1'), 0);
}

/** For serial lines: the block with a fresh `auth` field, whatever `msgfmt` says. */
export function sealClassic(message: Message, keys: KeySet): Buffer {
  return encodeClassic(withAuth(message, keys));
}

/** Checks the last `auth` field of a decoded block; for blocks that came through a block reader. */
export function verifyClassic(message: Message, keys: KeySet): Opened {
  const auth = message.fields.findLast((field) => field.name === 'auth');
  if (!auth) return refuse('no-auth');
  const result = verify(bytesOf(classicBody(withoutAuth(message))), auth.value, keys, 'classic');
  return typeof result === 'number' ? {ok: true, message, authIndex: result} : refuse(result);
}

/** The message with its inner signature as last field; an older one is dropped. */
export function withAuth(message: Message, keys: KeySet): Message {
  const bare = withoutAuth(message);
  const value = sign(bytesOf(classicBody(bare)), keys);
  return {fields: [...bare.fields, {name: 'auth', type: 0, value}]};
}

/** Whether decoding gives the same message back. */
export function isClassicSafe(message: Message): boolean {
  return message.fields.every((field) => isFieldName(field.name)) && isSafeAt(message, 0);
}

function isSafeAt(message: Message, depth: number): boolean {
  return message.fields.every(({type, value}) => {
    if (type === 0 || type === 3) return !value.includes(NEWLINE) && !value.includes('\0');
    if (type !== 2) return true;
    const inner = decodeNetstringText(value, depth + 1);
    return inner.ok && encodeStruct(value, depth) !== undefined && isSafeAt(inner.message, depth + 1);
  });
}

/** The lines between the marks: what the inner signature covers, once `auth` is taken out. */
export function classicBody(message: Message, depth = 0): string {
  let text = '';
  for (const {name, type, value} of message.fields) {
    const encoded = encodeValue(type, value, depth);
    if (encoded !== undefined && isFieldName(name)) text += `${type === 0 ? '' : `(${type})`}${name}=${encoded}\n`;
  }
  return text;
}

function encodeValue(type: FieldType, value: string, depth: number): string | undefined {
  if (type === 1 || type === 4) return bytesOf(value).toString('base64');
  if (type === 2) return encodeStruct(value, depth);
  const end = value.indexOf('\0');
  const text = end < 0 ? value : value.slice(0, end);
  return text.includes('\n') ? text.replaceAll('\n', NEWLINE) : text;
}

function encodeStruct(value: string, depth: number): string | undefined {
  const separator = SEPARATORS[depth];
  const inner = decodeNetstringText(value, depth + 1);
  if (separator === undefined || !inner.ok) return undefined;
  const text = CLASSIC_START + classicBody(inner.message, depth + 1) + CLASSIC_END;
  // A value that holds the separator would come back as two lines, that is as a forged field.
  return text.includes(separator) ? undefined : text.replaceAll('\n', separator);
}

function decodeText(text: string, depth: number): Decoded {
  if (!text.startsWith(CLASSIC_START)) return refuse('no-start');
  // A NUL ends a message, marked or not; behind it there may be nothing.
  const nul = text.indexOf('\0');
  if (nul >= 0 && nul !== text.length - 1) return refuse('no-end');
  const end = nul < 0 ? text.length : nul;
  const fields: Field[] = [];
  let at = CLASSIC_START.length;
  while (at < end) {
    const newline = text.indexOf('\n', at);
    const stop = newline < 0 || newline > end ? end : newline;
    const line = text.slice(at, stop);
    at = stop + 1;
    if (line === '<<<') return at >= end ? {ok: true, message: {fields}} : refuse('no-end');
    if (line === '') continue;
    const field = readLine(line, depth);
    if (!field) return refuse('bad-field');
    fields.push(field);
  }
  return nul >= 0 ? {ok: true, message: {fields}} : refuse('no-end');
}

function readLine(line: string, depth: number): Field | undefined {
  const isTyped = line.startsWith('(');
  const type = isTyped ? fieldTypeOf(line[1]) : 0;
  if (type === undefined || (isTyped && line[2] !== ')')) return undefined;
  const equals = line.indexOf('=');
  const name = line.slice(isTyped ? 3 : 0, Math.max(equals, 0));
  if (!isFieldName(name)) return undefined;
  const value = decodeValue(type, line.slice(equals + 1), depth);
  return value === undefined ? undefined : {name, type, value};
}

function decodeValue(type: FieldType, value: string, depth: number): string | undefined {
  if (type === 1 || type === 4) {
    const bytes = Buffer.from(value, 'base64');
    return bytes.toString('base64') === value ? bytes.toString('latin1') : undefined;
  }
  if (type !== 2) return value.includes(NEWLINE) ? value.replaceAll(NEWLINE, '\n') : value;
  const separator = SEPARATORS[depth];
  if (separator === undefined || depth >= DEPTH_MAX) return undefined;
  const inner = decodeText(value.replaceAll(separator, '\n'), depth + 1);
  return inner.ok ? netstringText(inner.message) : undefined;
}

// What both framings share: results, limits, and the rules for what can be written at all. Assumes values are latin1
// text, one character per byte (model/message.ts); promises that text which is not becomes `?` instead of other bytes.

import type {FieldType, Message} from '../model/message.js';
import type {WireFault} from '../model/messaging.js';

export interface Fault {
  readonly ok: false;
  readonly fault: WireFault;
}
export type Decoded = {readonly ok: true; readonly message: Message} | Fault;
export type Opened = {readonly ok: true; readonly message: Message; readonly authIndex: number} | Fault;

/** Heartbeat's MAXMSG: the largest message that may travel, and the largest we read from a local client. */
export const MESSAGE_BYTES_MAX = 262_144;
/** Structs inside structs; classic framing has a separator byte for each level and no more. */
export const DEPTH_MAX = 16;

export function refuse(fault: WireFault): Fault {
  return {ok: false, fault};
}

// A leading parenthesis would read as a type in classic framing, `=` ends a name, control bytes break the lines.
const NAME = /^[^\x00-\x1f=(][^\x00-\x1f=]*$/;

export function isFieldName(name: string): boolean {
  return NAME.test(name);
}

/** One digit 0-4. Type 5 exists only inside a sender and is refused, as by 3.0.6. */
export function fieldTypeOf(digit: string | undefined): FieldType | undefined {
  const code = digit === undefined ? -1 : '01234'.indexOf(digit);
  return code < 0 || digit?.length !== 1 ? undefined : (code as FieldType);
}

/** Such messages never travel in classic framing on UDP, and never get an inner signature. */
export function hasStruct(message: Message): boolean {
  return message.fields.some((field) => field.type === 2 || field.type === 4);
}

export function withoutAuth(message: Message): Message {
  if (!message.fields.some((field) => field.name === 'auth')) return message;
  return {fields: message.fields.filter((field) => field.name !== 'auth')};
}

/** Text beyond latin1 must not turn into other bytes: U+010A cut to eight bits would be a newline, thus a new field. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(/[^\x00-\xff]/.test(text) ? text.replace(/[^\x00-\xff]/g, '?') : text, 'latin1');
}

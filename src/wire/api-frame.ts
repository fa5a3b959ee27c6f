// Frames of the client API socket, the same both ways (resource-engine.md 7.6): eight bytes of header, then one message
// without signature. Assumes a stream in any pieces; promises bounded memory, and that after one fault nothing more is
// read: a stream that lost its frame cannot find it again, so the connection must be closed.

import type {Message} from '../model/message.js';
import type {WireFault} from '../model/messaging.js';
import {decodeClassic, encodeClassic, isClassicSafe} from './classic.js';
import {type Decoded, hasStruct, MESSAGE_BYTES_MAX, refuse} from './fields.js';
import {encodeNetstring, NETSTRING_START, parseNetstring} from './netstring.js';

const HEADER_BYTES = 8;
const MAGIC = 0xabcd;
// A netstring payload may end with the mark itself, with a trailer that nobody checks here, or with a NUL.
const REST = /^(?:\d{1,2}:[0-9]{1,2} [0-9a-f]{1,40},)?\0?$/;

/** Plain data; give each state back exactly once. */
export interface ApiState {
  readonly pending: string;
  /** Nothing is looked at before so many bytes are pending. */
  readonly needed: number;
  readonly fault: WireFault | undefined;
}

export interface ApiRead {
  readonly state: ApiState;
  readonly messages: readonly Message[];
  /** Close the connection, after handling the messages before it. */
  readonly fault: WireFault | undefined;
}

export const EMPTY_API: ApiState = {pending: '', needed: HEADER_BYTES, fault: undefined};

/**
 * Classic text with a final NUL; netstring where that would lose something or the message holds raw bytes. Debian's
 * cl_status 3.0.6 reads both, the netstring one without trailer and NUL.
 */
export function encodeApiFrame(message: Message): Buffer {
  const isRaw = hasStruct(message) || message.fields.some((field) => field.type === 1) || !isClassicSafe(message);
  const payload = isRaw ? encodeNetstring(message) : Buffer.concat([encodeClassic(message), Buffer.alloc(1)]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(MAGIC, 4);
  return Buffer.concat([header, payload]);
}

export function readApiFrames(state: ApiState, chunk: Buffer): ApiRead {
  if (state.fault) return {state, messages: [], fault: state.fault};
  // Appending to a string copies nothing until somebody looks inside; so single bytes stay cheap.
  const text = state.pending + chunk.toString('latin1');
  const messages: Message[] = [];
  let at = 0;
  let needed = state.needed;
  while (text.length - at >= needed) {
    const length = payloadLength(text, at);
    if (length === undefined) return broken('bad-length', messages);
    needed = HEADER_BYTES + length;
    if (text.length - at < needed) break;
    const decoded = decodePayload(Buffer.from(text.slice(at + HEADER_BYTES, at + needed), 'latin1'));
    if (!decoded.ok) return broken(decoded.fault, messages);
    messages.push(decoded.message);
    at += needed;
    needed = HEADER_BYTES;
  }
  const pending = at === 0 ? text : text.slice(at);
  return {state: {pending, needed, fault: undefined}, messages, fault: undefined};
}

function broken(fault: WireFault, messages: readonly Message[]): ApiRead {
  return {state: {...EMPTY_API, fault}, messages, fault};
}

function payloadLength(text: string, at: number): number | undefined {
  const header = Buffer.from(text.slice(at, at + HEADER_BYTES), 'latin1');
  const length = header.readUInt32LE(0);
  return header.readUInt32LE(4) === MAGIC && length <= MESSAGE_BYTES_MAX ? length : undefined;
}

function decodePayload(payload: Buffer): Decoded {
  if (payload.toString('latin1', 0, 4) !== NETSTRING_START) return decodeClassic(payload);
  const text = payload.toString('latin1');
  const parsed = parseNetstring(text);
  if (!parsed.ok) return parsed;
  return REST.test(text.slice(parsed.end)) ? {ok: true, message: parsed.message} : refuse('no-end');
}

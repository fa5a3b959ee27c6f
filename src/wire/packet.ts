// Datagrams: bytes to a message that one of our keys signed, and back (wire-protocol.md 1.5, 1.6, 2). Assumes nothing
// about received bytes; promises to be total, to parse netstring fields only after the signature over them held, to
// inflate at most INFLATED_BYTES_MAX, and to write what 3.0.6 writes, byte for byte, compression apart.

import {deflateSync, inflateSync} from 'node:zlib';
import {fieldOf, type Message} from '../model/message.js';
import {CLASSIC_START, decodeClassic, encodeClassic, verifyClassic, withAuth} from './classic.js';
import {type Decoded, hasStruct, MESSAGE_BYTES_MAX, type Opened, refuse, withoutAuth} from './fields.js';
import {type KeySet, sign, verify} from './keys.js';
import {decodeNetstring, encodeNetstring, NETSTRING_END, NETSTRING_START, readNetstring} from './netstring.js';

/** The largest UDP payload. A message that seals to more must never get a sequence number: it cannot be sent. */
export const SEALED_BYTES_MAX = 65_507;
/** Heartbeat's MAXUNCOMPRESSED. */
export const INFLATED_BYTES_MAX = 2 * 1024 * 1024;
/** The real daemon's receive buffer is one byte short of MAXMSG. */
const DATAGRAM_BYTES_MAX = MESSAGE_BYTES_MAX - 1;
/** `42:15 <40 hex digits>,` is 47 bytes. */
const TRAILER_BYTES_MAX = 64;

export interface SealOptions {
  readonly msgfmt: 'classic' | 'netstring';
  /** Compress above this encoded size; undefined: only where Heartbeat always does, from 256 KiB on. */
  readonly compressAboveBytes: number | undefined;
}

/** Decodes one datagram of either framing. A compressed message comes back as what was inside. */
export function openPacket(bytes: Buffer, keys: KeySet): Opened {
  if (bytes.length > DATAGRAM_BYTES_MAX) return refuse('too-long');
  const start = bytes.toString('latin1', 0, 4);
  if (start === NETSTRING_START) return uncompressed(openNetstring(bytes, keys));
  if (start !== CLASSIC_START) return refuse('no-start');
  const decoded = decodeClassic(bytes);
  return decoded.ok ? uncompressed(verifyClassic(decoded.message, keys)) : decoded;
}

/** What goes on UDP: netstring framing, for `msgfmt classic` with an inner signature too. An old `auth` is dropped. */
export function sealPacket(message: Message, keys: KeySet, options: SealOptions): Buffer {
  const bare = withoutAuth(message);
  const isClassic = options.msgfmt === 'classic' && !hasStruct(bare);
  const inner = isClassic ? withAuth(bare, keys) : bare;
  const plain = encodeNetstring(inner);
  const isLarge = plain.length >= MESSAGE_BYTES_MAX || plain.length > (options.compressAboveBytes ?? Infinity);
  const local = isLarge ? compressed(isClassic ? withNul(encodeClassic(inner)) : plain) : undefined;
  return withTrailer(local && local.length < plain.length ? local : plain, keys);
}

function openNetstring(bytes: Buffer, keys: KeySet): Opened {
  // The trailer holds no `%`, so the last end mark is the end of what was signed.
  const mark = bytes.lastIndexOf(NETSTRING_END, bytes.length, 'latin1');
  const signedLength = mark + NETSTRING_END.length;
  if (mark < 0 || bytes.length - signedLength > TRAILER_BYTES_MAX) return refuse('no-end');
  const auth = readTrailer(bytes.toString('latin1', signedLength));
  if (auth === undefined) return refuse('no-auth');
  const signed = bytes.subarray(0, signedLength);
  const authIndex = verify(signed, auth, keys, 'netstring');
  if (typeof authIndex !== 'number') return refuse(authIndex);
  const decoded = decodeNetstring(signed);
  return decoded.ok ? {ok: true, message: decoded.message, authIndex} : decoded;
}

function readTrailer(text: string): string | undefined {
  const body = readNetstring(text, 0);
  return body && body.to + 1 === text.length ? text.slice(body.from, body.to) : undefined;
}

function withTrailer(signed: Buffer, keys: KeySet): Buffer {
  const auth = sign(signed, keys);
  return Buffer.concat([signed, Buffer.from(`${auth.length}:${auth},`, 'latin1')]);
}

// Once, not in a loop: a message inside a compressed one is taken as it is, so that nesting costs nothing.
function uncompressed(opened: Opened): Opened {
  if (!opened.ok || !opened.message.fields.some((field) => field.name === '_compressed_payload')) return opened;
  const inner = inflate(opened.message);
  return inner.ok ? {ok: true, message: inner.message, authIndex: opened.authIndex} : inner;
}

function inflate(envelope: Message): Decoded {
  const payload = fieldOf(envelope, '_compressed_payload') ?? '';
  // Heartbeat can also be built to send bz2; it never does so by itself and Node cannot read it.
  if (fieldOf(envelope, '_compression_algorithm') !== 'zlib') return refuse('bad-compression');
  try {
    const bytes = inflateSync(Buffer.from(payload, 'latin1'), {maxOutputLength: INFLATED_BYTES_MAX});
    return bytes.toString('latin1', 0, 4) === NETSTRING_START ? decodeNetstring(bytes) : decodeClassic(bytes);
  } catch {
    return refuse('bad-compression');
  }
}

function compressed(local: Buffer): Buffer | undefined {
  if (local.length > INFLATED_BYTES_MAX) return undefined;
  const payload = deflateSync(local, {level: 6}).toString('latin1');
  return encodeNetstring({
    fields: [
      {name: '_compressed_payload', type: 1, value: payload},
      {name: '_compression_algorithm', type: 0, value: 'zlib'},
    ],
  });
}

function withNul(classic: Buffer): Buffer {
  return Buffer.concat([classic, Buffer.alloc(1)]);
}

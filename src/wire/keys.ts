// Signing and checking with the keys of /etc/ha.d/authkeys (wire-protocol.md 2.2, 2.3). Assumes a keyring that
// src/config accepted; promises that key material never leaves the set, that a signature is compared in constant time,
// and that nothing read from the network throws.

import {createHmac, createSecretKey, type KeyObject, timingSafeEqual} from 'node:crypto';
import type {AuthMethod, Keyring} from '../model/config.js';
import type {WireFault} from '../model/messaging.js';
import {crcHex} from './crc.js';

interface PreparedKey {
  readonly index: number;
  readonly method: AuthMethod;
  /** Undefined for crc, which has none. */
  readonly secret: KeyObject | undefined;
}

const inside = Symbol('keys');

/** Opaque: made once per reading of authkeys, given to openPacket, sealPacket and their serial sisters. */
export interface KeySet {
  readonly [inside]: {readonly sending: PreparedKey; readonly byIndex: ReadonlyMap<number, PreparedKey>};
}

/** How the received bytes were framed: 3.0.6 chooses the key differently for the two. */
export type Framing = 'netstring' | 'classic';

export function prepareKeys(keyring: Keyring): KeySet {
  const byIndex = new Map<number, PreparedKey>();
  for (const {index, method, key} of keyring.keys) {
    const secret = method === 'crc' ? undefined : createSecretKey(Buffer.from(key, 'latin1'));
    byIndex.set(index, {index, method, secret});
  }
  const sending = byIndex.get(keyring.signWith);
  if (!sending) throw new Error(`keyring without the key it signs with (${keyring.signWith})`);
  return {[inside]: {sending, byIndex}};
}

/** The text of an `auth` field or of a trailer: `1 9e1e214d...`. */
export function sign(bytes: Uint8Array, keys: KeySet): string {
  const {sending} = keys[inside];
  return `${sending.index} ${digest(bytes, sending.method, sending.secret)}`;
}

// No leading zeros, so that no two texts name the same signature.
const AUTH = /^(0|[1-9][0-9]?) ([0-9a-f]{1,40})$/;

/** The index that the signature names, when it is ours; else the fault. */
export function verify(bytes: Uint8Array, auth: string, keys: KeySet, framing: Framing): number | WireFault {
  const [, index, hex] = AUTH.exec(auth) ?? [];
  if (index === undefined || hex === undefined) return 'no-auth';
  const {sending, byIndex} = keys[inside];
  const named = byIndex.get(Number(index));
  if (!named) return 'unknown-key';
  if (isEqual(hex, digest(bytes, named.method, named.secret))) return named.index;
  // For netstring framing 3.0.6 takes only the algorithm from the named index and the key from its own `auth` line. A
  // peer that counts on it is accepted too. With crc on either side there is no second key to try.
  if (framing === 'classic' || named === sending || named.secret === undefined || sending.secret === undefined)
    return 'bad-digest';
  return isEqual(hex, digest(bytes, named.method, sending.secret)) ? named.index : 'bad-digest';
}

function digest(bytes: Uint8Array, method: AuthMethod, secret: KeyObject | undefined): string {
  return secret === undefined ? crcHex(bytes) : createHmac(method, secret).update(bytes).digest('hex');
}

function isEqual(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one, 'latin1'), Buffer.from(other, 'latin1'));
}

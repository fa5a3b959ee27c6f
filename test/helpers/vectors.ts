// fixtures/wire/vectors.json: 107 packets of Debian's heartbeat 3.0.6, with everything an implementation must agree on.
import {readFileSync} from 'node:fs';
import type {Field, FieldType, Message} from '../../src/model/message.js';
import {encodeNetstring} from '../../src/wire/netstring.js';

interface RawField {
  readonly type: FieldType;
  readonly name: string;
  readonly value: string | readonly (string | RawField)[];
}

export interface Vector {
  readonly name: string;
  readonly transport: string;
  readonly authkeys: string;
  readonly framing: 'netstring' | 'classic';
  readonly length: number;
  readonly hex: string;
  readonly decoded: {
    readonly fields: readonly RawField[];
    readonly outerFields?: readonly RawField[];
    readonly trailerAuth: string | null;
  };
  readonly signedLength: number;
  readonly innerAuthSignsText?: string;
  readonly signedHex?: string;
}

// Jest runs at the root of the repository.
export const vectors: readonly Vector[] = JSON.parse(readFileSync('fixtures/wire/vectors.json', 'utf8'));

export function bytesOfVector(vector: Vector): Buffer {
  return Buffer.from(vector.hex, 'hex');
}

/** The message a vector says it holds, in our model: bytes as latin1, structs as netstring text. */
export function messageOfVector(fields: readonly RawField[]): Message {
  return {fields: fields.map(fieldOfVector)};
}

function fieldOfVector({type, name, value}: RawField): Field {
  if (type === 1) return {type, name, value: Buffer.from(String(value), 'hex').toString('latin1')};
  if (type === 2) {
    const inner = messageOfVector(value as readonly RawField[]);
    return {type, name, value: encodeNetstring(inner).toString('latin1')};
  }
  if (type === 3) {
    return {type, name, value: (value as readonly string[]).map((each) => `${each.length}:${each},`).join('')};
  }
  return {type, name, value: String(value)};
}

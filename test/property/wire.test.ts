// Goal: no bytes from outside make the codec throw, grow, or believe something nobody signed.
// Method: fast-check makes arbitrary bytes, mutated real packets, arbitrary messages, and arbitrary ways to cut a stream.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import fc from 'fast-check';
import type {Field, Message} from '../../src/model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';
import {EMPTY_BLOCKS, FIFO_LIMITS, readBlocks, SERIAL_LIMITS} from '../../src/wire/blocks.js';
import {decodeClassic, encodeClassic, isClassicSafe, sealClassic, verifyClassic} from '../../src/wire/classic.js';
import {withoutAuth} from '../../src/wire/fields.js';
import {prepareKeys, sign} from '../../src/wire/keys.js';
import {decodeNetstring, encodeNetstring} from '../../src/wire/netstring.js';
import {openPacket, sealPacket} from '../../src/wire/packet.js';
import {readAuthkeys} from '../helpers/authkeys.js';
import {bytesOfVector, vectors} from '../helpers/vectors.js';

const keys = prepareKeys(readAuthkeys('auth 1\n1 sha1 secret\n2 md5 other'));
const packets = vectors.map((vector) => ({
  bytes: bytesOfVector(vector),
  keys: prepareKeys(readAuthkeys(vector.authkeys)),
  framing: vector.framing,
}));

// Bytes that mean something to one of the parsers come often, all others sometimes.
const piece = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...'>>>\n|<<<\n|###\n|%%%\n|6:(0)a=1,|\n|\0|(2)s=|(1)b=|auth=1 00|a=1\n|,|:|0'.split('|'),
    ),
  },
  {weight: 1, arbitrary: fc.uint8Array({maxLength: 12}).map((bytes) => Buffer.from(bytes).toString('latin1'))},
);
const soup = fc.array(piece, {maxLength: 40}).map((pieces) => Buffer.from(pieces.join(''), 'latin1'));
const anyBytes = fc.oneof(
  soup,
  fc.uint8Array({maxLength: 600}).map((bytes) => Buffer.from(bytes)),
);

const latin1Text = (constraints: {maxLength: number}) =>
  fc.uint8Array(constraints).map((bytes) => Buffer.from(bytes).toString('latin1'));
const plainText = fc.oneof(fc.string({maxLength: 40}), fc.constantFrom('', 'status', 'a\nb', '=', '%%%\n', '<<<', ','));
const plainObjects = {noNullPrototype: true};
const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_.()-]{0,12}$/);
const {message: anyMessage, plain: plainMessage} = fc.letrec<{
  message: Message;
  plain: Message;
  field: Field;
  soft: Field;
}>((tie) => ({
  message: fc.array(tie('field'), {maxLength: 8}).map((fields) => ({fields})),
  plain: fc.array(tie('soft'), {maxLength: 8}).map((fields) => ({fields})),
  field: fc.oneof(
    {depthSize: 'small', withCrossShrink: true},
    fc.record(
      {name, type: fc.constantFrom(0, 1, 3, 4), value: latin1Text({maxLength: 40})},
      plainObjects,
    ) as fc.Arbitrary<Field>,
    fc.record({name, type: fc.constant(2), value: tie('message').map(textOf)}, plainObjects) as fc.Arbitrary<Field>,
  ),
  soft: fc.oneof(
    {depthSize: 'small', withCrossShrink: true},
    fc.record({name, type: fc.constantFrom(0, 3), value: plainText}, plainObjects) as fc.Arbitrary<Field>,
    fc.record(
      {name, type: fc.constantFrom(1, 4), value: latin1Text({maxLength: 40})},
      plainObjects,
    ) as fc.Arbitrary<Field>,
    fc.record({name, type: fc.constant(2), value: tie('plain').map(textOf)}, plainObjects) as fc.Arbitrary<Field>,
  ),
}));

function textOf(message: Message): string {
  return encodeNetstring(message).toString('latin1');
}

/** Cuts the bytes at these places, in any order given. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((one, other) => one - other);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index]));
}
const cuts = fc.array(fc.nat(100_000), {maxLength: 30});

test('any bytes are refused or read, never thrown at', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      assert.equal(openPacket(bytes, keys).ok, false);
      decodeNetstring(bytes);
      decodeClassic(bytes);
      readBlocks(EMPTY_BLOCKS, bytes);
      readApiFrames(EMPTY_API, bytes);
    }),
    {numRuns: 2000},
  );
});

test('any bytes behind a start mark, even signed ones, are refused or read', () => {
  fc.assert(
    fc.property(soup, (bytes) => {
      const body = Buffer.concat([Buffer.from('###\n'), bytes, Buffer.from('%%%\n')]);
      const auth = sign(body, keys);
      const opened = openPacket(Buffer.concat([body, Buffer.from(`${auth.length}:${auth},`)]), keys);
      if (opened.ok) assert.deepEqual(encodeNetstring(opened.message), body);
      const classic = decodeClassic(Buffer.concat([Buffer.from('>>>\n'), bytes, Buffer.from('<<<\n')]));
      if (classic.ok) assert.ok(decodeClassic(encodeClassic(classic.message)).ok);
    }),
    {numRuns: 2000},
  );
});

const mutation = fc.record({
  at: fc.nat(10_000),
  remove: fc.nat(3),
  insert: fc.oneof(
    fc.uint8Array({maxLength: 3}).map((bytes) => Buffer.from(bytes)),
    piece.map((text) => Buffer.from(text, 'latin1')),
  ),
});

test('a changed packet never verifies as another message', () => {
  fc.assert(
    fc.property(fc.constantFrom(...packets), mutation, (packet, {at, remove, insert}) => {
      const place = at % (packet.bytes.length + 1);
      const tail = packet.bytes.subarray(place + remove);
      const bytes = Buffer.concat([packet.bytes.subarray(0, place), insert, tail]);
      if (bytes.equals(packet.bytes)) return;
      const opened = openPacket(bytes, packet.keys);
      if (packet.framing === 'netstring') return assert.equal(opened.ok, false);
      if (!opened.ok) return;
      // Classic text has several spellings (blank lines, a NUL, `(0)`); they must all mean the message that was signed.
      const original = openPacket(packet.bytes, packet.keys);
      assert.ok(original.ok);
      assert.deepEqual(withoutAuth(opened.message), withoutAuth(original.message));
    }),
    {numRuns: 5000},
  );
});

test('every single flipped bit of a netstring packet is noticed', () => {
  const {bytes, keys: own} = packets[0]!;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Buffer.from(bytes);
    copy[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(openPacket(copy, own).ok, false, `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(openPacket(bytes.subarray(0, length), own).ok, false, `length ${length}`);
  }
});

test('netstring framing gives every message back', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      assert.deepEqual(decodeNetstring(encodeNetstring(message)), {ok: true, message});
    }),
    {numRuns: 1000},
  );
});

test('classic framing gives every safe message back, and the others break nothing', () => {
  let safe = 0;
  const check = (message: Message) => {
    const decoded = decodeClassic(encodeClassic(message));
    assert.ok(decoded.ok);
    if (!isClassicSafe(message)) return;
    safe++;
    assert.deepEqual(decoded.message, message);
  };
  fc.assert(fc.property(anyMessage, check), {numRuns: 500});
  fc.assert(fc.property(plainMessage, check), {numRuns: 1000});
  assert.ok(safe > 500, `only ${safe} safe messages were made`);
});

test('what is sealed opens, in both formats, compressed and on serial lines', () => {
  const options = fc.record({
    msgfmt: fc.constantFrom('classic' as const, 'netstring' as const),
    compressAboveBytes: fc.constantFrom(undefined, 0, 100),
  });
  fc.assert(
    fc.property(plainMessage, options, (any, how) => {
      const message = withoutAuth(any);
      const opened = openPacket(sealPacket(message, keys, how), keys);
      assert.ok(opened.ok);
      assert.deepEqual(withoutAuth(opened.message), message);
      const serial = openPacket(sealClassic(message, keys), keys);
      assert.ok(serial.ok, JSON.stringify(serial));
      const [again] = readBlocks(EMPTY_BLOCKS, sealClassic(message, keys), SERIAL_LIMITS).messages;
      assert.ok(again && verifyClassic(again, keys).ok);
    }),
    {numRuns: 1000},
  );
});

test('blocks do not depend on how the stream was cut', () => {
  const stream = fc.array(fc.oneof(soup, plainMessage.map(encodeClassic)), {maxLength: 6}).map(Buffer.concat);
  const limits = fc.constantFrom(FIFO_LIMITS, SERIAL_LIMITS, {lineBytesMax: 8, blockBytesMax: 30});
  fc.assert(
    fc.property(stream, cuts, limits, (bytes, places, limit) => {
      const whole = readBlocks(EMPTY_BLOCKS, bytes, limit);
      let state = EMPTY_BLOCKS;
      const messages: Message[] = [];
      const faults: string[] = [];
      for (const part of pieces(bytes, places)) {
        const result = readBlocks(state, part, limit);
        state = result.state;
        messages.push(...result.messages);
        faults.push(...result.faults);
        assert.ok(state.line.length <= limit.lineBytesMax + 1);
        assert.ok((state.block?.length ?? 0) <= limit.blockBytesMax + 4);
      }
      assert.deepEqual({state, messages, faults}, whole);
    }),
    {numRuns: 1500},
  );
});

test('API frames do not depend on how the stream was cut', () => {
  const stream = fc
    .tuple(fc.array(anyMessage.map(encodeApiFrame), {maxLength: 4}), fc.oneof(fc.constant(Buffer.alloc(0)), anyBytes))
    .map(([frames, rest]) => Buffer.concat([...frames, rest]));
  fc.assert(
    fc.property(stream, cuts, (bytes, places) => {
      const whole = readApiFrames(EMPTY_API, bytes);
      let state = EMPTY_API;
      const messages: Message[] = [];
      for (const part of pieces(bytes, places)) {
        const result = readApiFrames(state, part);
        state = result.state;
        messages.push(...result.messages);
      }
      assert.deepEqual([state, messages], [whole.state, whole.messages]);
    }),
    {numRuns: 1000},
  );
});

test('API frames carry every message', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anyMessage, plainMessage), {maxLength: 4}), (messages) => {
      const result = readApiFrames(EMPTY_API, Buffer.concat(messages.map(encodeApiFrame)));
      assert.deepEqual([result.messages, result.fault], [messages, undefined]);
    }),
    {numRuns: 500},
  );
});

test('hostile nesting and long lengths cost time in proportion to their size', () => {
  const layer = (text: string) => textOf({fields: [{name: 's', type: 2, value: text}]});
  let nested = '###\n%%%\n';
  while (nested.length < 60_000) nested = layer(nested);
  const inputs = [
    nested,
    `###\n${'('.repeat(60_000)}%%%\n`,
    `###\n${'9'.repeat(60_000)}%%%\n`,
    `###\n${'3:(0),'.repeat(10_000)}%%%\n`,
    `>>>\n${'\n'.repeat(60_000)}<<<\n`,
    `>>>\n(2)a=${'>>>\x14(2)a='.repeat(6000)}\n<<<\n`,
    `>>>\n${'a=\n'.repeat(20_000)}<<<\n`,
  ];
  const before = process.hrtime.bigint();
  for (const text of inputs) {
    const bytes = Buffer.from(text, 'latin1');
    for (let round = 0; round < 10; round++) {
      decodeNetstring(bytes);
      decodeClassic(bytes);
    }
  }
  // Some 40 ms here; the limit is for a loaded machine, a quadratic parser needs minutes.
  assert.ok(Number(process.hrtime.bigint() - before) / 1e6 < 5000);
});

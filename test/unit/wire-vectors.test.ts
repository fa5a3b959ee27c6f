// Goal: every captured packet is read, verified and written again exactly as the real daemon did.
// Method: each vector's own description (fields, signed text, signatures) is compared with what the codec makes of it.
import assert from 'node:assert/strict';
import {inflateSync} from 'node:zlib';
import {describe, test} from '@jest/globals';
import {fieldOf} from '../../src/model/message.js';
import {EMPTY_BLOCKS, readBlocks} from '../../src/wire/blocks.js';
import {classicBody, decodeClassic, encodeClassic, sealClassic, verifyClassic} from '../../src/wire/classic.js';
import {withoutAuth} from '../../src/wire/fields.js';
import {prepareKeys, sign} from '../../src/wire/keys.js';
import {decodeNetstring, encodeNetstring} from '../../src/wire/netstring.js';
import {openPacket, sealPacket} from '../../src/wire/packet.js';
import {readAuthkeys} from '../helpers/authkeys.js';
import {bytesOfVector, messageOfVector, type Vector, vectors} from '../helpers/vectors.js';

const keysOf = (vector: Vector) => prepareKeys(readAuthkeys(vector.authkeys));
const isCompressed = (vector: Vector) => vector.decoded.outerFields !== undefined;

test('all 107 vectors are here', () => {
  assert.equal(vectors.length, 107);
  assert.equal(vectors.filter((vector) => vector.framing === 'classic').length, 27);
  assert.equal(vectors.filter((vector) => vector.transport.startsWith('ICMP')).length, 2);
  assert.equal(vectors.filter((vector) => vector.innerAuthSignsText).length, 47);
  assert.equal(vectors.filter(isCompressed).length, 1);
});

describe.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
  const keys = keysOf(vector);
  const bytes = bytesOfVector(vector);
  const message = messageOfVector(vector.decoded.fields);

  test('opens to the message described', () => {
    assert.equal(bytes.length, vector.length);
    const opened = openPacket(bytes, keys);
    assert.ok(opened.ok, JSON.stringify(opened));
    assert.deepEqual(opened.message, message);
    assert.equal(opened.authIndex, Number(vector.authkeys.slice(5).split('\n')[0]));
  });

  test('both signatures recompute', () => {
    if (vector.framing === 'netstring') {
      const signed = bytes.subarray(0, vector.signedLength);
      assert.equal(sign(signed, keys), vector.decoded.trailerAuth);
      assert.equal(
        bytes.toString('latin1', vector.signedLength),
        `${vector.decoded.trailerAuth?.length}:${vector.decoded.trailerAuth},`,
      );
    }
    const text = vector.innerAuthSignsText ?? Buffer.from(vector.signedHex ?? '', 'hex').toString('latin1');
    if (text === '') return;
    assert.equal(classicBody(withoutAuth(message)), text);
    assert.equal(sign(Buffer.from(text, 'latin1'), keys), fieldOf(message, 'auth'));
  });

  test('is written again byte for byte', () => {
    if (vector.framing === 'classic') {
      assert.equal(encodeClassic(message).toString('hex'), vector.hex);
      assert.equal(sealClassic(withoutAuth(message), keys).toString('hex'), vector.hex);
    } else if (vector.decoded.outerFields) {
      const signed = bytes.subarray(0, vector.signedLength);
      const envelope = decodeNetstring(signed);
      assert.ok(envelope.ok);
      assert.deepEqual(encodeNetstring(envelope.message), signed);
    } else {
      const msgfmt = fieldOf(message, 'auth') === undefined ? 'netstring' : 'classic';
      const sealed = sealPacket(withoutAuth(message), keys, {msgfmt, compressAboveBytes: undefined});
      assert.equal(sealed.toString('hex'), vector.hex);
    }
  });

  test('survives the other framing', () => {
    const decoded = decodeClassic(encodeClassic(message));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.message, message);
    const serial = readBlocks(EMPTY_BLOCKS, sealClassic(message, keys));
    assert.equal(serial.messages.length, 1);
    assert.ok(verifyClassic(serial.messages[0]!, keys).ok);
  });

  test('another key refuses it', () => {
    if (vector.authkeys.includes('crc')) return;
    const other = prepareKeys(readAuthkeys(vector.authkeys.replace(/\S+$/, 'another')));
    assert.deepEqual(openPacket(bytes, other), {ok: false, fault: 'bad-digest'});
  });
});

test('the compressed message is sealed to the same envelope, around the same bytes', () => {
  const vector = vectors.find(isCompressed)!;
  const keys = keysOf(vector);
  const message = messageOfVector(vector.decoded.fields);
  const sealed = sealPacket(message, keys, {msgfmt: 'classic', compressAboveBytes: 2048});
  const [ours, theirs] = [sealed, bytesOfVector(vector)].map((bytes) => {
    const envelope = decodeNetstring(bytes.subarray(0, bytes.lastIndexOf('%%%\n') + 4));
    assert.ok(envelope.ok);
    const [payload, ...rest] = envelope.message.fields;
    const inflated = inflateSync(Buffer.from(payload?.value ?? '', 'latin1')).toString('latin1');
    return {name: payload?.name, type: payload?.type, inflated, rest};
  });
  // Deflate streams differ between zlib builds; what is inside must not.
  assert.deepEqual(ours, theirs);
  const opened = openPacket(sealed, keys);
  assert.ok(opened.ok);
  assert.deepEqual(opened.message, message);
});

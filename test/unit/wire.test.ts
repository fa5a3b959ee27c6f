import assert from 'node:assert/strict';
import {deflateSync} from 'node:zlib';
import {describe, test} from '@jest/globals';
import {type Message, messageOf} from '../../src/model/message.js';
import type {WireFault} from '../../src/model/messaging.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';
import {EMPTY_BLOCKS, readBlocks, SERIAL_LIMITS} from '../../src/wire/blocks.js';
import {decodeClassic, encodeClassic, isClassicSafe, sealClassic} from '../../src/wire/classic.js';
import {crcHex} from '../../src/wire/crc.js';
import {type KeySet, prepareKeys, sign} from '../../src/wire/keys.js';
import {decodeNetstring, encodeNetstring} from '../../src/wire/netstring.js';
import {openPacket, SEALED_BYTES_MAX, sealPacket} from '../../src/wire/packet.js';
import {readAuthkeys} from '../helpers/authkeys.js';

const keys = prepareKeys(readAuthkeys('auth 1\n1 sha1 secret'));
const classic = {msgfmt: 'classic', compressAboveBytes: undefined} as const;
const netstring = {msgfmt: 'netstring', compressAboveBytes: undefined} as const;
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const keysOf = (text: string) => prepareKeys(readAuthkeys(text));

/** Any text as a datagram with a good trailer: what only a holder of the key could send. */
function signed(text: string, with_: KeySet = keys): Buffer {
  const auth = sign(latin1(text), with_);
  return latin1(`${text}${auth.length}:${auth},`);
}

test('crc has no zero padding and does not append the length', () => {
  assert.equal(crcHex(latin1('')), 'ffffffff');
  // The check value of CRC-32/CKSUM without length is what catalogues list for this string.
  assert.equal(crcHex(latin1('123456789')), '765e7680');
  const short = Array.from({length: 4096}, (_, index) => crcHex(latin1(`n${index}`))).filter((hex) => hex.length < 8);
  assert.ok(short.length > 0);
  assert.ok(short.every((hex) => !hex.startsWith('0')));
});

describe('which key counts', () => {
  const message = messageOf({t: 'status', src: 'a'});
  const sealWith = (authkeys: string, options: Parameters<typeof sealPacket>[2] = classic) =>
    sealPacket(message, keysOf(authkeys), options);
  const verdict = (bytes: Buffer, authkeys: string): WireFault | number => {
    const opened = openPacket(bytes, keysOf(authkeys));
    return opened.ok ? opened.authIndex : opened.fault;
  };

  test('a listed key that is not the sending one is accepted, unlike in 3.0.6', () => {
    assert.equal(verdict(sealWith('auth 2\n2 sha1 two'), 'auth 1\n1 sha1 one\n2 sha1 two'), 2);
  });

  test('the sending key with the algorithm of the named index is accepted, as in 3.0.6', () => {
    assert.equal(verdict(sealWith('auth 5\n5 md5 one'), 'auth 1\n1 sha1 one\n5 md5 other'), 5);
  });

  test('an index that is not listed is refused, crc too', () => {
    assert.equal(verdict(sealWith('auth 5\n5 sha1 one'), 'auth 1\n1 sha1 one'), 'unknown-key');
    assert.equal(verdict(sealWith('auth 2\n2 crc'), 'auth 1\n1 sha1 one'), 'unknown-key');
    assert.equal(verdict(sealWith('auth 2\n2 crc'), 'auth 1\n1 sha1 one\n2 crc'), 2);
  });

  test('a crc sending entry is no key for an index with another method', () => {
    assert.equal(verdict(sealWith('auth 1\n1 sha1 x'), 'auth 2\n2 crc\n1 sha1 other'), 'bad-digest');
    const text = encodeNetstring(message).toString('latin1');
    const auth = `1 ${crcHex(latin1(text))}`;
    assert.equal(verdict(latin1(`${text}${auth.length}:${auth},`), 'auth 2\n2 crc\n1 sha1 other'), 'bad-digest');
  });

  test('on classic framing only the named key counts', () => {
    const serial = (authkeys: string) => sealClassic(message, keysOf(authkeys));
    assert.equal(verdict(serial('auth 2\n2 sha1 two'), 'auth 1\n1 sha1 one\n2 sha1 two'), 2);
    assert.equal(verdict(serial('auth 5\n5 md5 one'), 'auth 1\n1 sha1 one\n5 md5 other'), 'bad-digest');
  });

  test('the text of a signature is compared exactly', () => {
    const good = sealWith('auth 1\n1 sha1 one').toString('latin1');
    const at = good.lastIndexOf('%%%\n') + 4;
    const changed = (change: (trailer: string) => string) =>
      verdict(latin1(good.slice(0, at) + change(good.slice(at))), 'auth 1\n1 sha1 one');
    assert.equal(
      changed((trailer) => trailer),
      1,
    );
    assert.equal(
      changed((trailer) => trailer.toUpperCase()),
      'no-auth',
    );
    assert.equal(
      changed((trailer) => trailer.replace('42:1 ', '43:01 ')),
      'no-auth',
    );
    assert.equal(
      changed((trailer) => `0${trailer}`),
      'no-auth',
    );
    assert.equal(
      changed((trailer) => `${trailer}\0`),
      'no-auth',
    );
    assert.equal(
      changed(() => ''),
      'no-auth',
    );
    assert.equal(
      changed(() => '2:1 ,'),
      'no-auth',
    );
  });

  test('a keyring that cannot sign is a mistake of the caller', () => {
    assert.throws(() => prepareKeys({signWith: 1, keys: []}));
  });
});

describe('netstring framing', () => {
  test.each<[string, WireFault]>([
    ['', 'no-start'],
    ['###', 'no-start'],
    ['###\n6:(0)a=1,', 'no-end'],
    ['###\n%%%\nx', 'no-end'],
    ['###\n60:(0)a=1,%%%\n', 'bad-length'],
    ['###\n06:(0)a=1,%%%\n', 'bad-length'],
    ['###\n99999999999999999999:(0)a=1,%%%\n', 'bad-length'],
    ['###\n6:(0)a=1;%%%\n', 'bad-length'],
    ['###\n-6:(0)a=1,%%%\n', 'bad-length'],
    ['###\n:(0)a=1,%%%\n', 'bad-length'],
    ['###\n6:(5)a=1,%%%\n', 'bad-field'],
    ['###\n7:(00)a=1,%%%\n', 'bad-field'],
    ['###\n4:(0)a,%%%\n', 'bad-field'],
    ['###\n4:(0)=,%%%\n', 'bad-field'],
    ['###\n3:(0),6:(0)a=1,%%%\n', 'bad-field'],
    ['###\n8:(0)a\nb=1,%%%\n', 'bad-field'],
    ['###\n6:(2)a=1,%%%\n', 'bad-field'],
  ])('%j is refused as %s', (text, fault) => {
    assert.deepEqual(decodeNetstring(latin1(text)), {ok: false, fault});
    assert.equal(openPacket(signed(text), keys).ok, false);
  });

  test('the end mark inside a value is a value', () => {
    const message = messageOf({t: 'x', a: '%%%\n', b: '###\n6:(0)a=1,%%%\n'});
    const opened = openPacket(sealPacket(message, keys, netstring), keys);
    assert.ok(opened.ok);
    assert.deepEqual(opened.message, message);
  });

  test('a message signed twice or followed by anything is refused', () => {
    const bytes = sealPacket(messageOf({t: 'x'}), keys, classic);
    assert.equal(openPacket(Buffer.concat([bytes, bytes]), keys).ok, false);
    assert.equal(openPacket(Buffer.concat([bytes, latin1('\n')]), keys).ok, false);
  });

  test('structs nest sixteen deep and no deeper', () => {
    const nest = (levels: number): Message => ({
      fields: [levels === 0 ? {name: 'z', type: 0, value: '9'} : {name: 's', type: 2, value: textOf(nest(levels - 1))}],
    });
    const textOf = (message: Message) => encodeNetstring(message).toString('latin1');
    assert.ok(decodeNetstring(encodeNetstring(nest(16))).ok);
    assert.deepEqual(decodeNetstring(encodeNetstring(nest(17))), {ok: false, fault: 'bad-field'});
    const opened = openPacket(sealClassic(nest(16), keys), keys);
    assert.ok(opened.ok);
    assert.deepEqual(opened.message.fields[0], nest(16).fields[0]);
    assert.ok(isClassicSafe(nest(16)));
    assert.equal(isClassicSafe(nest(17)), false);
  });
});

describe('classic framing', () => {
  test('the nested example of the specification', () => {
    const text = '>>>\n(2)body=>>>\x14a=1\x14(2)deep=>>>\x15z=9\x15<<<\x15\x14<<<\x14\n<<<\n';
    const decoded = decodeClassic(latin1(text));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.message.fields, [
      {name: 'body', type: 2, value: '###\n6:(0)a=1,25:(2)deep=###\n6:(0)z=9,%%%\n,%%%\n'},
    ]);
    assert.equal(encodeClassic(decoded.message).toString('latin1'), text);
  });

  test.each([
    '>>>\na=1\n<<<\n',
    '>>>\na=1\n<<<\n\0',
    '>>>\na=1\n<<<',
    '>>>\n\na=1\n\n<<<\n',
    '>>>\na=1\n\0',
    '>>>\na=1\0',
    '>>>\n(0)a=1\n<<<\n',
  ])('%j is one field', (text) => {
    assert.deepEqual(decodeClassic(latin1(text)), {ok: true, message: messageOf({a: '1'})});
  });

  test.each<[string, WireFault]>([
    ['', 'no-start'],
    ['>>>', 'no-start'],
    ['>>>\na=1\n', 'no-end'],
    ['>>>\na=1\n<<<\nb=2\n', 'no-end'],
    ['>>>\na=1\0b=2\n<<<\n', 'no-end'],
    ['>>>\na\n<<<\n', 'bad-field'],
    ['>>>\n=1\n<<<\n', 'bad-field'],
    ['>>>\n(5)a=1\n<<<\n', 'bad-field'],
    ['>>>\n(0a=1\n<<<\n', 'bad-field'],
    ['>>>\n(1)a=AQ\n<<<\n', 'bad-field'],
    ['>>>\n(1)a=A*==\n<<<\n', 'bad-field'],
    ['>>>\n(1)a=AR==\n<<<\n', 'bad-field'],
    ['>>>\n(2)a=1\n<<<\n', 'bad-field'],
  ])('%j is refused as %s', (text, fault) => {
    assert.deepEqual(decodeClassic(latin1(text)), {ok: false, fault});
  });

  test('no value breaks the lines, whatever its characters', () => {
    const evil = messageOf({
      a: '1\nst=dead',
      b: '2\u010ast=dead',
      c: '3\0st=dead',
      'd\ne': '4',
      '(1)f': '5',
      'g=h': '6',
    });
    const decoded = decodeClassic(encodeClassic(evil));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.message, messageOf({a: '1\nst=dead', b: '2?st=dead', c: '3'}));
    assert.equal(isClassicSafe(evil), false);
  });

  test('the last auth field counts, and it covers all the others', () => {
    const good = sealClassic(messageOf({t: 'x'}), keys).toString('latin1');
    assert.ok(openPacket(latin1(good), keys).ok);
    assert.ok(openPacket(latin1(good.replace('auth=', 'auth=1 00\nauth=')), keys).ok);
    assert.deepEqual(openPacket(latin1(good.replace('<<<', 'auth=1 00\n<<<')), keys), {ok: false, fault: 'bad-digest'});
    assert.deepEqual(openPacket(latin1(good.replace('<<<', 'st=dead\n<<<')), keys), {ok: false, fault: 'bad-digest'});
    assert.deepEqual(openPacket(latin1('>>>\nt=x\n<<<\n'), keys), {ok: false, fault: 'no-auth'});
  });
});

describe('sealing', () => {
  test('an old auth field is replaced, or dropped where none belongs', () => {
    const old = messageOf({auth: '1 00', t: 'x'});
    const fresh = messageOf({t: 'x'});
    for (const options of [classic, netstring]) {
      assert.deepEqual(sealPacket(old, keys, options), sealPacket(fresh, keys, options));
    }
    assert.deepEqual(sealClassic(old, keys), sealClassic(fresh, keys));
  });

  test('above the limit of UDP the size tells, and nothing throws', () => {
    const message = messageOf({t: 'x', a: 'a'.repeat(70_000)});
    assert.ok(sealPacket(message, keys, classic).length > SEALED_BYTES_MAX);
    assert.ok(sealPacket(message, keys, {msgfmt: 'classic', compressAboveBytes: 2048}).length < 2048);
    // From 256 KiB on Heartbeat compresses without being asked.
    assert.ok(sealPacket(messageOf({t: 'x', a: 'a'.repeat(300_000)}), keys, classic).length < 4096);
    // Nobody would inflate this one.
    assert.ok(sealPacket(messageOf({t: 'x', a: 'a'.repeat(3_000_000)}), keys, classic).length > SEALED_BYTES_MAX);
  });

  test('what compression makes larger stays as it is', () => {
    const message = messageOf({t: 'x'});
    assert.deepEqual(
      sealPacket(message, keys, {msgfmt: 'classic', compressAboveBytes: 0}),
      sealPacket(message, keys, classic),
    );
  });
});

describe('compressed packets', () => {
  const envelope = (payload: Buffer, algorithm = 'zlib') =>
    signed(
      encodeNetstring({
        fields: [
          {name: '_compressed_payload', type: 1, value: payload.toString('latin1')},
          {name: '_compression_algorithm', type: 0, value: algorithm},
        ],
      }).toString('latin1'),
    );

  test.each(['>>>\nt=x\n<<<\n\0', '>>>\nt=x\n<<<\n', '###\n6:(0)t=x,%%%\n'])('%j inside is found', (text) => {
    const opened = openPacket(envelope(deflateSync(latin1(text))), keys);
    assert.ok(opened.ok);
    assert.deepEqual(opened.message, messageOf({t: 'x'}));
  });

  test('bz2, unknown and broken payloads are a fault', () => {
    const good = deflateSync(latin1('>>>\nt=x\n<<<\n'));
    const fault = {ok: false, fault: 'bad-compression'};
    assert.deepEqual(openPacket(envelope(good, 'bz2'), keys), fault);
    assert.deepEqual(openPacket(envelope(good, ''), keys), fault);
    assert.deepEqual(openPacket(envelope(good.subarray(0, 6)), keys), fault);
    assert.deepEqual(openPacket(envelope(latin1('no zlib')), keys), fault);
    assert.deepEqual(openPacket(envelope(Buffer.alloc(0)), keys), fault);
  });

  test('a bomb stops at two MiB', () => {
    const bomb = deflateSync(Buffer.alloc(40 * 1024 * 1024, 'a'), {level: 9});
    assert.ok(bomb.length < SEALED_BYTES_MAX);
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 5; round++) {
      assert.deepEqual(openPacket(envelope(bomb), keys), {ok: false, fault: 'bad-compression'});
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 20 * 1024 * 1024);
  });

  test('a compressed message inside a compressed message is not unpacked again', () => {
    const inner = envelope(deflateSync(latin1('>>>\nt=x\n<<<\n'))).toString('latin1');
    const opened = openPacket(envelope(deflateSync(latin1(inner.slice(0, inner.lastIndexOf('%%%\n') + 4)))), keys);
    assert.ok(opened.ok);
    assert.equal(opened.message.fields[0]?.name, '_compressed_payload');
  });
});

test('datagrams beyond the receive buffer are refused unread', () => {
  assert.deepEqual(openPacket(Buffer.alloc(262_144, '#'), keys), {ok: false, fault: 'too-long'});
});

describe('blocks from a stream', () => {
  const read = (text: string, limits?: typeof SERIAL_LIMITS) => {
    const {messages, faults} = readBlocks(EMPTY_BLOCKS, latin1(text), limits);
    return {messages, faults};
  };
  const block = (fields: string) => `>>>\n${fields}\n<<<\n`;

  test('noise between and NULs behind blocks are skipped', () => {
    const two = [messageOf({a: '1'}), messageOf({b: '2'})];
    assert.deepEqual(read(`noise\n${block('a=1')}\0x=y\n\n<<<\n${block('b=2')}`), {messages: two, faults: []});
  });

  test('a line of 511 bytes passes, one of 512 costs its block only', () => {
    const fits = `a=${'x'.repeat(509)}`;
    assert.equal(read(block(fits)).messages.length, 1);
    const long = read(block(`${fits}x`) + block('b=2'));
    assert.deepEqual(long, {messages: [messageOf({b: '2'})], faults: ['too-long']});
    assert.equal(read(block(`${fits}x`), SERIAL_LIMITS).messages.length, 1);
  });

  test('an unfinished block is given up for the next', () => {
    const {messages, faults} = read(`>>>\na=1\n${block('b=2')}`);
    assert.deepEqual([messages, faults], [[messageOf({b: '2'})], ['no-end']]);
  });

  test('a bad line costs its block', () => {
    assert.deepEqual(read(block('nonsense') + block('b=2')), {messages: [messageOf({b: '2'})], faults: ['bad-field']});
  });

  test('memory stays bounded without line or block ends', () => {
    let state = EMPTY_BLOCKS;
    const faults: WireFault[] = [];
    const feed = (text: string) => {
      const result = readBlocks(state, latin1(text));
      state = result.state;
      faults.push(...result.faults);
      assert.ok(state.line.length + (state.block?.length ?? 0) <= 512 + 65_536);
    };
    feed('>>>\n');
    for (let round = 0; round < 200; round++) feed(`a=${'x'.repeat(500)}\n`);
    for (let round = 0; round < 200; round++) feed('y'.repeat(1000));
    assert.deepEqual(faults, ['too-long']);
    assert.equal(state.line.length, 512);
  });
});

describe('frames of the client API', () => {
  const message = messageOf({t: 'hbapi-req', reqtype: 'signon'});

  test('header, text, NUL', () => {
    const frame = encodeApiFrame(message);
    const text = '>>>\nt=hbapi-req\nreqtype=signon\n<<<\n\0';
    assert.deepEqual(frame, Buffer.concat([Buffer.from([text.length, 0, 0, 0, 0xcd, 0xab, 0, 0]), latin1(text)]));
  });

  test('netstring for raw bytes, structs, and what classic would lose', () => {
    const raws: Message[] = [
      {fields: [...message.fields, {name: 'uuid', type: 1, value: '\x00\xff'}]},
      {fields: [...message.fields, {name: 's', type: 2, value: '###\n6:(0)a=1,%%%\n'}]},
      messageOf({t: 'x', a: '\x13'}),
    ];
    for (const raw of raws) {
      const frame = encodeApiFrame(raw);
      assert.equal(frame.toString('latin1', 8, 12), '###\n');
      assert.deepEqual(readApiFrames(EMPTY_API, frame).messages, [raw]);
    }
  });

  test.each(['', '\0', '42:1 2589aff64bb8790aa953501420b0bddba5227545,', '10:2 bd2a6556,\0'])(
    'a netstring payload may end with %j',
    (rest) => {
      const payload = latin1(`###\n6:(0)t=x,%%%\n${rest}`);
      const header = Buffer.from([payload.length, 0, 0, 0, 0xcd, 0xab, 0, 0]);
      const result = readApiFrames(EMPTY_API, Buffer.concat([header, payload]));
      assert.deepEqual(result.messages, [messageOf({t: 'x'})]);
    },
  );

  test.each<[string, number[], WireFault]>([
    ['a wrong magic number', [4, 0, 0, 0, 0xcd, 0xac, 0, 0], 'bad-length'],
    ['a length beyond the limit', [1, 0, 4, 0, 0xcd, 0xab, 0, 0], 'bad-length'],
    ['an empty payload', [0, 0, 0, 0, 0xcd, 0xab, 0, 0], 'no-start'],
  ])('%s ends the stream, keeping what came before', (_, header, fault) => {
    const bytes = Buffer.concat([encodeApiFrame(message), Buffer.from(header), encodeApiFrame(message)]);
    const result = readApiFrames(EMPTY_API, bytes);
    assert.deepEqual([result.messages, result.fault], [[message], fault]);
    const later = readApiFrames(result.state, encodeApiFrame(message));
    assert.deepEqual([later.messages, later.fault], [[], fault]);
  });

  test('a frame in single bytes is cheap', () => {
    const large = messageOf({t: 'x', a: 'a'.repeat(200_000)});
    let state = EMPTY_API;
    let found: readonly Message[] = [];
    for (const byte of encodeApiFrame(large)) {
      const result = readApiFrames(state, Buffer.from([byte]));
      state = result.state;
      found = result.messages;
    }
    assert.deepEqual(found, [large]);
  });
});

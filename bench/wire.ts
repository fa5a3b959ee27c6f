// What authentication and codec cost per packet, as ratios against one plain HMAC-SHA1 over the same bytes, so that the
// numbers mean something on any machine. Usage: node dist/bench/wire.js [ROUNDS]
import {createHmac, createSecretKey} from 'node:crypto';
import {messageOf} from '../src/model/message.js';
import {prepareKeys} from '../src/wire/keys.js';
import {encodeNetstring} from '../src/wire/netstring.js';
import {openPacket, sealPacket} from '../src/wire/packet.js';

const rounds = Number(process.argv[2] ?? 20_000);
const keys = prepareKeys({signWith: 1, keys: [{index: 1, method: 'sha1', key: 'heartbeat-secret'}]});
const secret = createSecretKey(Buffer.from('heartbeat-secret'));
const message = {
  fields: [
    ...messageOf({t: 'status', st: 'active', dt: '1388', protocol: '1', src: 'ha1'}).fields,
    {name: 'srcuuid', type: 1 as const, value: '\xf9\xdf\x99Vk\xebB+\xb8\xa1\x08\xc7\xdc\x85\x9a\x8d'},
    ...messageOf({seq: '1', hg: '6b0166aa', ts: '6b0166a9', ld: '0.75 0.52 0.29 1/112 15', ttl: '3'}).fields,
  ],
};
const classic = {msgfmt: 'classic', compressAboveBytes: undefined} as const;
const netstring = {msgfmt: 'netstring', compressAboveBytes: undefined} as const;
const packet = sealPacket(message, keys, classic);
const body = encodeNetstring(message);

const works: readonly (readonly [string, () => unknown])[] = [
  ['plain HMAC of the same bytes', () => createHmac('sha1', secret).update(body).digest('hex')],
  ['verify + parse', () => openPacket(packet, keys)],
  ['build + sign, msgfmt netstring (one signature)', () => sealPacket(message, keys, netstring)],
  ['build + sign, msgfmt classic (two signatures)', () => sealPacket(message, keys, classic)],
  ['refuse a forged packet', () => openPacket(packet, strangers)],
  ['refuse noise', () => openPacket(noise, keys)],
];
const strangers = prepareKeys({signWith: 1, keys: [{index: 1, method: 'sha1', key: 'other'}]});
const noise = Buffer.alloc(300, 'x');

// Five rounds in turn, the best of each: other work on the machine only ever makes a round slower.
const best = works.map(() => Number.POSITIVE_INFINITY);
for (let turn = 0; turn < 5; turn++) {
  works.forEach(([, work], index) => {
    const before = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) work();
    best[index] = Math.min(best[index]!, Number(process.hrtime.bigint() - before) / rounds / 1000);
  });
}
process.stdout.write(`${packet.length} bytes a packet, ${rounds} rounds, best of 5\n`);
works.forEach(([name], index) => {
  const us = best[index]!;
  process.stdout.write(`${name.padEnd(50)} ${us.toFixed(2).padStart(7)} us  x${(us / best[0]!).toFixed(2)}\n`);
});

// Floods an address with packets that must not count, at a given rate: plain garbage, a packet signed with a wrong key that
// claims to be a node of the cluster, one with an absurd length, and a fragment. Prints how many were sent.
// Arguments: address, port, packets a second, seconds, the node to be.

import {createSocket} from 'node:dgram';
import {messageOf} from '../../src/model/message.js';
import {prepareKeys} from '../../src/wire/keys.js';
import {sealPacket} from '../../src/wire/packet.js';

const [address = '', port = '', rate = '', seconds = '', node = ''] = process.argv.slice(2);
const BURST_MS = 5;

const keys = prepareKeys({signWith: 1, keys: [{index: 1, method: 'sha1', key: 'not the key'}]});
const claim = messageOf({t: 'status', st: 'dead', src: node, ts: '65000000', seq: '7fffffff', hg: '7fffffff', dt: '1'});
const forged = sealPacket(claim, keys, {msgfmt: 'classic', compressAboveBytes: undefined});
const packets = [
  forged,
  Buffer.alloc(300, 'x'),
  Buffer.from('###\n99999999999999:(0)t=status,%%%\n', 'latin1'),
  forged.subarray(0, forged.length / 2),
  Buffer.alloc(0),
];

const socket = createSocket('udp4');
socket.on('error', () => {});
const startMs = performance.now();
let sent = 0;
socket.connect(Number(port), address, burst);

function burst(): void {
  const elapsedMs = performance.now() - startMs;
  const due = Math.floor((Math.min(elapsedMs, Number(seconds) * 1000) * Number(rate)) / 1000);
  for (; sent < due; sent += 1) socket.send(packets[sent % packets.length] as Buffer, () => {});
  if (elapsedMs < Number(seconds) * 1000) setTimeout(burst, BURST_MS);
  else socket.close(() => process.stdout.write(`${sent}\n`));
}

// Runs on each node: answers every probe with the node's name. Whoever carries the service address answers for it, so
// the client sees owners and outages from the outside. Arguments: port, name. Ends with its input.

import {createSocket} from 'node:dgram';

const port = Number(process.argv[2]);
const name = process.argv[3] ?? '';
const socket = createSocket('udp4');
socket.on('message', (_probe, from) => {
  socket.send(name, from.port, from.address, () => {}); // Interface down: no answer.
});
socket.bind(port, () => process.stdout.write('ready\n'));
process.stdin.on('end', () => process.exit(0)).resume();

// The embedded demo's database: a TCP server that appends each numbered row to a shared file, synchronises it, and only
// then acknowledges with its node's name. Arguments: address, port, file, node, pid file (written once it listens).

import {fdatasyncSync, openSync, rmSync, writeFileSync, writeSync} from 'node:fs';
import {createServer} from 'node:net';
import {createInterface} from 'node:readline';

const [address = '', port = '', file = '', node = '', pidFile = ''] = process.argv.slice(2);
const rows = openSync(file, 'a');
const server = createServer((client) => {
  client.on('error', () => {}); // The client gave up on us; its row is written or not, and not acknowledged.
  createInterface({input: client}).on('line', (row) => {
    writeSync(rows, `${row}\n`);
    fdatasyncSync(rows);
    client.write(`${row} ${node}\n`);
  });
});
// Only one process can listen on the address, so two owners would show as a failed start.
server.listen({host: address, port: Number(port)}, () => writeFileSync(pidFile, `${process.pid}\n`));
process.on('SIGTERM', () => {
  rmSync(pidFile, {force: true});
  process.exit(0);
});

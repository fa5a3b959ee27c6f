// A client of Heartbeat's API that does what it is told, as a program: one JSON object a line on standard input is a message to
// send (its fields), one on standard output a message that came. Words between dollar signs are filled in: $pid, $uid,
// $gid. Other keys: {"close": true} ends it, {"stop": true} makes it deaf for good. It ends with its input.
// Arguments: path of the socket; user and group id to run as, if not root's.

import {connect} from 'node:net';
import {createInterface} from 'node:readline';
import {messageOf} from '../../src/model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';

const [socketPath = '/run/heartbeat/register', uid, gid] = process.argv.slice(2);
if (uid !== undefined && gid !== undefined) {
  process.setgroups?.([Number(gid)]);
  process.setgid?.(Number(gid));
  process.setuid?.(Number(uid));
}
const own: Readonly<Record<string, number | undefined>> = {
  $pid: process.pid,
  $uid: process.getuid?.(),
  $gid: process.getgid?.(),
};
let state = EMPTY_API;
const socket = connect(socketPath);
const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
socket.on('connect', () => say({connected: true, pid: process.pid}));
socket.on('error', (error) => say({error: error.message}));
socket.on('close', () => {
  say({closed: true});
  process.exit(0);
});
socket.on('data', (chunk: Buffer) => {
  const read = readApiFrames(state, chunk);
  state = read.state;
  for (const {fields} of read.messages)
    say(Object.fromEntries(fields.map(({name, type, value}) => [type === 0 ? name : `${type}:${name}`, value])));
  if (read.fault !== undefined) say({fault: read.fault});
});
createInterface({input: process.stdin})
  .on('line', (line) => {
    const told = JSON.parse(line) as Record<string, string>;
    if ('close' in told) socket.destroy();
    else if ('stop' in told) socket.pause();
    else {
      const fields = Object.entries(told).map(([name, value]) => [name, String(own[value] ?? value)]);
      socket.write(encodeApiFrame(messageOf(Object.fromEntries(fields))));
    }
  })
  .on('close', () => process.exit(0));

import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {connect, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {askDaemon} from '../../src/control/client.js';
import type {ControlRequest} from '../../src/model/control.js';
import {type ControlServer, type ControlServerOptions, startControlServer} from '../../src/runtime/control-server.js';

let dir = '';
let path = '';
let server: ControlServer | undefined;
let asked: {id: number; request: ControlRequest}[] = [];
const sockets: Socket[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-control-'));
  path = join(dir, 'run/systole');
  asked = [];
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
  rmSync(dir, {recursive: true, force: true});
});

/** Answers everything at once but `dump`, which stays open. */
async function serve(more: Partial<ControlServerOptions> = {}): Promise<void> {
  let lastId = 100;
  server = await startControlServer({
    socketPath: path,
    nextId: () => ++lastId,
    onRequest: (id, request) => {
      asked.push({id, request});
      if (request.command !== 'dump') server?.reply(id, {ok: true, text: `did ${request.command}`});
    },
    ...more,
  });
}

async function dial(): Promise<Socket> {
  const socket = connect(path);
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Everything the server says until it hangs up. */
async function allOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  await once(socket, 'close');
  return text;
}

test('a question is answered; the socket is for root and its group only', async () => {
  await serve();
  const reply = await askDaemon(path, {command: 'standby', scope: 'all'}, {timeoutMs: 2000});
  assert.deepEqual(reply, {ok: true, text: 'did standby'});
  assert.deepEqual(asked[0]?.request, {command: 'standby', scope: 'all'});
  assert.equal(statSync(path).mode & 0o777, 0o660);
});

test('no daemon, a dead socket, a silent daemon, a daemon that hangs up: each has its code', async () => {
  const code = async (at: string) => {
    const reply = await askDaemon(at, {command: 'dump'}, {timeoutMs: 100});
    return reply.ok ? 'ok' : reply.code;
  };
  assert.equal(await code(join(dir, 'nothing')), 'NOT_RUNNING');
  writeFileSync(join(dir, 'file'), '');
  assert.equal(await code(join(dir, 'file')), 'NOT_RUNNING');
  await serve();
  assert.equal(await code(path), 'NO_ANSWER');
  const answers = [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.end('nonsense\n')];
  const rude = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume();
    answers.shift()?.(socket);
  }).listen(join(dir, 'rude'));
  await once(rude, 'listening');
  assert.equal(await code(join(dir, 'rude')), 'CONNECTION_LOST');
  assert.equal(await code(join(dir, 'rude')), 'BAD_ANSWER');
  rude.close();
  await once(rude, 'close');
});

test('garbage is refused with a reply and reaches nobody', async () => {
  await serve();
  const lines = [
    'hello',
    '[]',
    '{"id":7}',
    '{"id":7,"request":{"command":"format-disk"}}',
    '{"id":7,"request":{"command":"standby","scope":"everything"}}',
    '{"id":7,"request":{"command":"inject","fields":{"t":"x","a":"b\\nc"}}}',
    '{"id":7,"request":{"command":"inject","fields":{"a":"b"}}}',
    '{"id":7,"request":{"command":"add-nodes","nodes":["a b"]}}',
  ];
  const socket = await dial();
  socket.end(`${lines.join('\n')}\n`);
  const replies = (await allOf(socket))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(replies.length, lines.length);
  assert.ok(replies.every((each) => each.reply.code === 'BAD_REQUEST'));
  assert.deepEqual(
    replies.map((each) => each.id),
    [0, 0, 7, 7, 7, 7, 7, 7],
  );
  assert.deepEqual(asked, []);
});

test('a line without end costs the connection, not memory', async () => {
  await serve();
  const socket = await dial();
  const answer = allOf(socket);
  socket.write('x'.repeat(100_000));
  assert.match(await answer, /at most 65536 bytes/);
  assert.equal((await askDaemon(path, {command: 'status'}, {timeoutMs: 2000})).ok, true);
});

test('a client that sends nothing is dropped; one that waits for its answer is not', async () => {
  await serve({idleMs: 60, answerMs: 300});
  const idle = await dial();
  const waiting = askDaemon(path, {command: 'dump'}, {timeoutMs: 5000});
  await once(idle, 'close');
  const reply = await waiting;
  assert.equal(reply.ok ? '' : reply.code, 'NO_ANSWER');
});

test('clients and open requests are bounded', async () => {
  await serve({clientsMax: 5, requestsPerClientMax: 2});
  const held = await Promise.all(Array.from({length: 5}, dial));
  const extra = connect(path);
  sockets.push(extra);
  extra.on('error', () => {});
  await once(extra, 'close');
  const greedy = held[0];
  assert.ok(greedy);
  const answer = once(greedy, 'data');
  greedy.write('{"id":1,"request":{"command":"dump"}}\n'.repeat(3));
  assert.match(String((await answer)[0]), /TOO_MANY_REQUESTS/);
  assert.equal(asked.length, 2);
});

test('a reply to a client that has gone is ignored, closing answers those who wait', async () => {
  await serve();
  const socket = await dial();
  socket.write('{"id":1,"request":{"command":"dump"}}\n');
  const other = askDaemon(path, {command: 'dump'}, {timeoutMs: 5000});
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  for (const {id} of asked.slice(0, 1)) server?.reply(id + 1000, {ok: true, text: ''});
  await server?.close();
  server = undefined;
  const reply = await other;
  assert.equal(reply.ok ? '' : reply.code, 'SHUTTING_DOWN');
  assert.throws(() => statSync(path));
});

test('a stale socket is replaced', async () => {
  await serve();
  // A second server over the same path is what a restart after a crash sees: the file is there.
  const first = server;
  await serve();
  assert.equal((await askDaemon(path, {command: 'status'}, {timeoutMs: 2000})).ok, true);
  await first?.close();
});

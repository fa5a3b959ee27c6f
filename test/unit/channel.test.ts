import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {connect, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Duplex} from 'node:stream';
import {afterEach, test} from '@jest/globals';
import fc from 'fast-check';
import {type ChannelEnd, openChannel} from '../../src/runtime/channel.js';

interface Note {
  readonly type: string;
  readonly text: string;
}

let closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers) close();
  closers = [];
});

async function pair(): Promise<[Socket, Socket]> {
  const dir = mkdtempSync(join(tmpdir(), 'systole-channel-'));
  const server = createServer();
  server.listen(join(dir, 's'));
  await once(server, 'listening');
  const one = connect(join(dir, 's'));
  const [two] = (await once(server, 'connection')) as [Socket];
  closers.push(() => {
    one.destroy();
    two.destroy();
    server.close();
    rmSync(dir, {recursive: true, force: true});
  });
  return [one, two];
}

/** A stream whose readable side is fed by hand. */
function handFed(): Duplex {
  return new Duplex({read: () => undefined, write: (_chunk, _encoding, done) => done()});
}

test('messages arrive whole and in order, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string({unit: 'binary'}), {maxLength: 20}), fc.array(fc.nat(200)), (texts, cuts) => {
      const socket = handFed();
      const got: string[] = [];
      openChannel<Note, Note>(socket, {onMessage: (each) => got.push(each.text), onEnd: () => undefined});
      const bytes = Buffer.from(texts.map((text) => `${JSON.stringify({type: 'note', text})}\n`).join(''));
      let at = 0;
      for (const cut of cuts) {
        socket.emit('data', bytes.subarray(at, at + cut));
        at += cut;
      }
      socket.emit('data', bytes.subarray(at));
      assert.deepEqual(got, texts);
    }),
  );
});

test('garbage is a mistake of ours: it asserts, and never hangs', () => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 300}), (noise) => {
      const socket = handFed();
      openChannel<Note, Note>(socket, {
        onMessage: (each) => assert.equal(typeof each.type, 'string'),
        onEnd: () => undefined,
      });
      try {
        socket.emit('data', Buffer.from([...noise, 10]));
      } catch (error) {
        assert.equal((error as Error).name, 'AssertionError');
      }
    }),
  );
  for (const line of ['nonsense\n', 'null\n', '[]\n', '{"type":7}\n']) {
    const socket = handFed();
    openChannel<Note, Note>(socket, {onMessage: () => undefined, onEnd: () => undefined});
    assert.throws(() => socket.emit('data', Buffer.from(line)), {name: 'AssertionError'});
  }
});

test('an endless line asserts before it fills the memory', () => {
  const socket = handFed();
  openChannel<Note, Note>(socket, {onMessage: () => undefined, onEnd: () => undefined});
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  assert.throws(() => {
    for (let each = 0; each < 5; each++) socket.emit('data', chunk);
  }, /too long/);
});

test('a reader that stops costs log lines first, then the channel', async () => {
  const [one, two] = await pair();
  two.pause();
  const ends: ChannelEnd[] = [];
  const channel = openChannel<Note, Note>(one, {onMessage: () => undefined, onEnd: (end) => ends.push(end)});
  const text = 'x'.repeat(100_000);
  while (channel.send({type: 'log', text})) assert.equal(ends.length, 0);
  assert.equal(channel.droppedLogs, 1);
  assert.deepEqual(ends, []);
  let sent = 0;
  while (channel.send({type: 'note', text})) sent += 1;
  assert(sent > 100 && sent < 200, `${sent} messages of 100 kB were queued`);
  assert.deepEqual(ends, ['overflow']);
});

test('the end of the other process is told once', async () => {
  const [one, two] = await pair();
  const ended = new Promise<ChannelEnd>((resolve) =>
    openChannel<Note, Note>(one, {onMessage: () => undefined, onEnd: resolve}),
  );
  two.destroy();
  assert.equal(await ended, 'ended');
});

test('what was sent before close still arrives', async () => {
  const [one, two] = await pair();
  const got: string[] = [];
  const done = new Promise<void>((resolve) =>
    openChannel<Note, Note>(two, {onMessage: (each) => got.push(each.text), onEnd: () => resolve()}),
  );
  const channel = openChannel<Note, Note>(one, {onMessage: () => undefined, onEnd: () => undefined});
  for (const text of ['a', 'b', 'c']) channel.send({type: 'note', text});
  channel.close();
  await done;
  assert.deepEqual(got, ['a', 'b', 'c']);
});

// Goal: an answer that comes too late is never taken for the answer to the next question. Method: a client against a socket that
// this test answers by hand.
import assert from 'node:assert/strict';
import {chmodSync, mkdtempSync, rmSync} from 'node:fs';
import {createServer, type Server, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {ApiMember} from '../../src/commands/lib/api-member.js';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';

let dir = '';
let server: Server;
let daemon: Socket | undefined;
let asked: Message[] = [];
let ended: string[] = [];
let member: ApiMember;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'systole-api-'));
  chmodSync(dir, 0o755);
  asked = [];
  ended = [];
  server = createServer((socket) => {
    daemon = socket;
    let state = EMPTY_API;
    socket.on('data', (chunk: Buffer) => {
      const read = readApiFrames(state, chunk);
      state = read.state;
      for (const message of read.messages)
        if (fieldOf(message, 'reqtype') === 'signon') answer('signon', {node: 'n1'});
        else asked.push(message);
    });
  });
  const path = join(dir, 'register');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o777);
  const onEnd = (reason: string): void => void ended.push(reason);
  member = await ApiMember.signOn({path, name: 'dopd', onMessage: () => {}, onEnd, answerMs: 100, silentMs: 400});
});

afterEach(async () => {
  member.signOff();
  daemon?.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, {recursive: true, force: true});
});

function answer(reqtype: string, fields: Record<string, string>): void {
  daemon?.write(encodeApiFrame(messageOf({t: 'hbapi-resp', reqtype, result: 'OK', ...fields})));
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 1000, 'it never became true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('while an answer is overdue nothing is asked, and afterwards each question gets its own', async () => {
  assert.equal(await member.ask('nodestatus', {node: 'n2'}), undefined);
  assert.equal(await member.ask('nodestatus', {node: 'n2'}), undefined);
  assert.equal(asked.length, 1, 'asked although an answer was due');
  answer('nodestatus', {st: 'old'});
  // Until the old one was read nothing is asked, so there is nothing to be mistaken for it.
  let status: string | undefined;
  await until(() => {
    void member.ask('nodestatus', {node: 'n2'}).then((found) => {
      if (found !== undefined) status ??= fieldOf(found, 'st');
    });
    if (asked.length > 1) answer('nodestatus', {st: 'new'});
    return status !== undefined;
  });
  assert.equal(status, 'new');
});

test('a daemon that owes an answer for long is given up', async () => {
  assert.equal(await member.ask('nodestatus', {node: 'n2'}), undefined);
  await until(() => {
    void member.ask('nodestatus', {node: 'n2'});
    return ended.length > 0;
  });
  assert.deepEqual(ended, ['no answer to nodestatus in 0.4 s']);
});

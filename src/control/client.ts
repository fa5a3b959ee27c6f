// Asks the running daemon one question over its control socket. Loads node:net only: commands that scripts call in loops
// must start in a few ten milliseconds. Never throws for a daemon that is absent, silent or gone: that is an answer too,
// with a code of its own.

import {connect} from 'node:net';
import type {ControlReply, ControlReplyLine, ControlRequest} from '../model/control.js';

/** A dump of the whole state is one line. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024;

export interface AskOptions {
  readonly timeoutMs: number;
}

/** Codes beside the daemon's own: NOT_RUNNING, NO_PERMISSION, NO_ANSWER, CONNECTION_LOST, BAD_ANSWER. */
export function askDaemon(socketPath: string, request: ControlRequest, options: AskOptions): Promise<ControlReply> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (reply: ControlReply): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(() => finish(noAnswer(options.timeoutMs)), options.timeoutMs);
    socket.on('connect', () => socket.write(`${JSON.stringify({id: 1, request})}\n`));
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      const end = chunk.indexOf(10);
      chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
      if (end >= 0) finish(readReply(Buffer.concat(chunks).toString('utf8')));
      else if (bytes > REPLY_BYTES_MAX) finish(badAnswer());
    });
    socket.on('error', (error: NodeJS.ErrnoException) => finish(explain(error, socketPath)));
    socket.on('close', () => finish(lost()));
  });
}

function readReply(line: string): ControlReply {
  try {
    const found = JSON.parse(line) as ControlReplyLine;
    return typeof found?.reply?.ok === 'boolean' && typeof found.reply.text === 'string' ? found.reply : badAnswer();
  } catch {
    return badAnswer();
  }
}

function explain(error: NodeJS.ErrnoException, socketPath: string): ControlReply {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTSOCK') {
    const hint = 'start it with `heartbeat`, or with `systemctl start heartbeat`';
    return {ok: false, code: 'NOT_RUNNING', text: 'heartbeat is not running on this machine', hint};
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    const hint = 'run it as root, or as a member of group haclient';
    return {ok: false, code: 'NO_PERMISSION', text: `no permission to use ${socketPath}`, hint};
  }
  return error.code === 'ECONNRESET' || error.code === 'EPIPE'
    ? lost()
    : {ok: false, code: 'NOT_RUNNING', text: `cannot reach the daemon at ${socketPath}: ${error.message}`};
}

function noAnswer(timeoutMs: number): ControlReply {
  const text = `the daemon gave no answer within ${timeoutMs} ms`;
  return {ok: false, code: 'NO_ANSWER', text, hint: 'the request may still take effect; see `systole status`'};
}

function lost(): ControlReply {
  return {ok: false, code: 'CONNECTION_LOST', text: 'the daemon closed the connection without an answer'};
}

function badAnswer(): ControlReply {
  return {ok: false, code: 'BAD_ANSWER', text: 'the daemon sent an answer this program does not understand'};
}

// drbd-peer-outdater: DRBD's fence-peer handler. Asks dopd to have the peer's disk outdated and ends with dopd's answer, which
// is DRBD's own convention (3 inconsistent, 4 outdated, 5 dead, 6 primary). Names come from options or from the variables of
// 8.4 (DRBD_PEER, DRBD_PEERS) and 9 (DRBD_PEERS, DRBD_PEER_NODE_ID with DRBD_NODE_ID_n). A dopd that is being started again is
// waited for; "dead" is said only when dopd says it, because the kernel then counts the peer as outdated.

import {connect as connectSocket} from 'node:net';
import {peerFromEnvironment} from '../drbd/handler-env.js';
import {fieldOf, messageOf} from '../model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../wire/api-frame.js';
import {calledAs, Exit, paths, run, version} from './lib/program.js';

/** DRBD's kernel calls anything but 3 to 7 a broken helper: the peer is not counted as fenced. */
const NOT_FENCED = 20;
const RETRY_MS = 200;

interface Request {
  readonly resource: string;
  readonly peer: string;
  readonly timeoutMs: number;
}

void run(async (words) => {
  const request = parse(words);
  const socket = `${paths().runDir}/dopd/outdater`;
  const endMs = performance.now() + request.timeoutMs;
  let why = '';
  while (performance.now() < endMs) {
    const outcome = await ask(socket, request, endMs - performance.now());
    if (typeof outcome === 'number') return outcome;
    why = outcome;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  process.stderr.write(`drbd-peer-outdater: ${request.resource}: nothing is known of ${request.peer}: ${why}\n`);
  return NOT_FENCED;
});

function usage(): string {
  return [
    `usage: ${calledAs()} [-r resource] [-p peer] [-t timeout_in_seconds]`,
    '\t-r\tthe DRBD resource (else $DRBD_RESOURCE)',
    '\t-p\tthe node whose disk is to be outdated (else $DRBD_PEERS or $DRBD_PEER)',
    '\t-t\thow long to wait for an answer (60)',
    '\t-V\tversion\n\t-h\tthis text',
  ].join('\n');
}

function parse(words: readonly string[]): Request {
  const values: Record<string, string> = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '-h' || word === '--help') throw new Exit(0, usage());
    if (word === '-V' || word === '--version') throw new Exit(0, version());
    const [, letter, glued] = /^-([rpt])(.*)$/.exec(word) ?? [];
    if (letter === undefined) throw new Exit(1, usage());
    if (glued === '') at += 1;
    values[letter] = glued === '' ? (words[at] ?? '') : (glued ?? '');
  }
  const resource = values['r'] || process.env['DRBD_RESOURCE'];
  const peer = values['p'] || peerFromEnvironment(process.env);
  const seconds = values['t'] ?? '60';
  if (!resource || !peer || !/^\d{1,6}$/.test(seconds)) throw new Exit(1, usage());
  return {resource, peer: peer.toLowerCase(), timeoutMs: Number(seconds) * 1000};
}

/** The answer, or why there is none. */
function ask(path: string, {peer, resource}: Request, timeoutMs: number): Promise<number | string> {
  return new Promise((resolve) => {
    const socket = connectSocket(path);
    let state = EMPTY_API;
    const timer = setTimeout(() => over('no answer in time'), timeoutMs);
    const over = (outcome: number | string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const fields = {t: 'outdater', src: 'drbd-peer-outdater', outdater_peer: peer, outdater_res: resource};
    socket.on('connect', () => socket.write(encodeApiFrame(messageOf(fields))));
    socket.on('data', (chunk: Buffer) => {
      const read = readApiFrames(state, chunk);
      state = read.state;
      const answer = read.messages.find((message) => fieldOf(message, 't') === 'outdater_rc');
      if (answer) over(numberIn(fieldOf(answer, 'dop_value')));
      else if (read.fault) over('dopd answered nonsense');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => over(`dopd does not answer (${error.code})`));
    socket.on('close', () => over('dopd closed the connection'));
  });
}

function numberIn(word: string | undefined): number {
  return word !== undefined && /^\d{1,3}$/.test(word) ? Number(word) & 255 : NOT_FENCED;
}

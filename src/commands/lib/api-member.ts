// A named client of the API socket (resource-engine.md 7.6), as dopd is one: it asks, sends to the cluster in its name and hears
// what is addressed to that name. Works against our daemon and against Heartbeat 3.0.6, which both look at the user and
// group of the process that signs on. Answers come in order, so one queue is enough; every wait is bounded.

import {connect as connectSocket, type Socket} from 'node:net';
import {hostname} from 'node:os';
import {fieldOf, type Message, messageOf} from '../../model/message.js';
import {groupId, userAccount} from '../../runtime/accounts.js';
import {type ApiState, EMPTY_API, encodeApiFrame, readApiFrames} from '../../wire/api-frame.js';
import {EXIT, Exit} from './program.js';

const ANSWER_MS = 10_000;
/** An answer that is due so long: the daemon hangs. */
const SILENT_MS = 30_000;

export interface MemberOptions {
  readonly path: string;
  readonly name: string;
  readonly onMessage: (message: Message) => void;
  /** Once, when the daemon is gone. */
  readonly onEnd: (reason: string) => void;
  /** How long an answer is waited for, and after how long the daemon is given up. */
  readonly answerMs?: number;
  readonly silentMs?: number;
}

interface Waiting {
  readonly reqtype: string;
  readonly askedMs: number;
  readonly resolve: (answer: Message) => void;
  readonly timer: NodeJS.Timeout;
  isLate: boolean;
}

export class ApiMember {
  readonly node: string;
  readonly #socket: Socket;
  readonly #options: MemberOptions;
  #state: ApiState;
  readonly #waiting: Waiting[] = [];
  #isEnded = false;

  private constructor(socket: Socket, options: MemberOptions, node: string, state: ApiState) {
    this.node = node;
    this.#socket = socket;
    this.#options = options;
    this.#state = state;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => this.#end('the daemon closed the connection'));
  }

  static async signOn(options: MemberOptions): Promise<ApiMember> {
    const back = becomeClusterUser();
    try {
      const socket = await open(options.path);
      const early: Message[] = [];
      const {answer, state} = await signon(socket, options.name, early);
      if (fieldOf(answer, 'result') !== 'OK') {
        // Left open it would keep this process alive, and end it by an unhandled error when the daemon hangs up.
        socket.on('error', () => {});
        socket.destroy();
        throw new Exit(EXIT.refused, refusalText(options.name, answer));
      }
      const member = new ApiMember(socket, options, (fieldOf(answer, 'node') ?? localName()).toLowerCase(), state);
      for (const message of early) options.onMessage(message);
      return member;
    } finally {
      back();
    }
  }

  /**
   * undefined: no answer in time, or a refusal. While an answer is overdue nothing more is asked: it would be taken for the
   * answer to the next question, and be old.
   */
  async ask(reqtype: string, fields: Readonly<Record<string, string>> = {}): Promise<Message | undefined> {
    if (this.#isOverdue()) return undefined;
    const answer = new Promise<Message | undefined>((resolve) => {
      const timer = setTimeout(() => {
        waiting.isLate = true;
        resolve(undefined);
      }, this.#options.answerMs ?? ANSWER_MS);
      const waiting: Waiting = {reqtype, askedMs: performance.now(), resolve, timer, isLate: false};
      this.#waiting.push(waiting);
    });
    this.#write(request(reqtype, this.#options.name, this.node, fields));
    const found = await answer;
    return found !== undefined && fieldOf(found, 'result') === 'OK' ? found : undefined;
  }

  send(message: Message): void {
    this.#write(message);
  }

  signOff(): void {
    if (this.#isEnded) return;
    this.#write(request('signoff', this.#options.name, this.node, {}));
    this.#isEnded = true;
    for (const each of this.#waiting) clearTimeout(each.timer);
    this.#socket.destroySoon();
  }

  #isOverdue(): boolean {
    const [oldest] = this.#waiting;
    const silentMs = this.#options.silentMs ?? SILENT_MS;
    if (oldest?.isLate && performance.now() - oldest.askedMs > silentMs)
      this.#end(`no answer to ${oldest.reqtype} in ${silentMs / 1000} s`);
    return this.#isEnded || oldest?.isLate === true;
  }

  #write(message: Message): void {
    if (!this.#isEnded) this.#socket.write(encodeApiFrame(message));
  }

  #read(chunk: Buffer): void {
    const {state, messages, fault} = readApiFrames(this.#state, chunk);
    this.#state = state;
    for (const message of messages) this.#handle(message);
    if (fault) this.#end(`an unreadable answer (${fault})`);
  }

  #handle(message: Message): void {
    if (fieldOf(message, 't') !== 'hbapi-resp') {
      this.#options.onMessage(message);
      return;
    }
    const at = this.#waiting.findIndex((each) => each.reqtype === fieldOf(message, 'reqtype'));
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    waiting.resolve(message);
  }

  #end(reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const each of this.#waiting) clearTimeout(each.timer);
    this.#socket.destroy();
    this.#options.onEnd(reason);
  }
}

function request(reqtype: string, name: string, node: string, fields: Readonly<Record<string, string>>): Message {
  return messageOf({t: 'hbapi-req', reqtype, dest: node, pid: String(process.pid), from_id: name, ...fields});
}

function refusalText(name: string, answer: Message): string {
  const why = fieldOf(answer, 'info') ?? fieldOf(answer, 'result') ?? 'no reason given';
  return `heartbeat refuses ${name}: ${why}; see the apiauth line of ha.cf`;
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    const failed = (error: NodeJS.ErrnoException): void => {
      const isAbsent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      const why = isAbsent ? 'heartbeat is not running' : 'heartbeat cannot be reached';
      reject(new Exit(isAbsent ? EXIT.notRunning : EXIT.unreachable, `${why} (${path}: ${error.code})`));
    };
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
    socket.once('error', failed);
  });
}

function signon(
  socket: Socket,
  name: string,
  early: Message[],
): Promise<{readonly answer: Message; readonly state: ApiState}> {
  const ids = {uid: String(process.geteuid?.() ?? 0), gid: String(process.getegid?.() ?? 0)};
  return new Promise((resolve, reject) => {
    let state = EMPTY_API;
    const timer = setTimeout(() => over(new Error('no answer to the signon')), ANSWER_MS);
    const over = (outcome: Error | Message): void => {
      clearTimeout(timer);
      for (const event of ['data', 'error', 'close']) socket.removeAllListeners(event);
      if (outcome instanceof Error) {
        socket.on('error', () => {});
        socket.destroy();
        reject(outcome);
      } else resolve({answer: outcome, state});
    };
    socket.on('data', (chunk: Buffer) => {
      const read = readApiFrames(state, chunk);
      state = read.state;
      const isAnswer = (each: Message): boolean => fieldOf(each, 'reqtype') === 'signon';
      early.push(...read.messages.filter((each) => fieldOf(each, 't') !== 'hbapi-resp'));
      const answer = read.messages.find(isAnswer);
      if (answer) over(answer);
    });
    socket.on('error', over);
    socket.on('close', () => over(new Error('the daemon closed the connection')));
    socket.write(encodeApiFrame(request('signon', name, localName(), ids)));
  });
}

/**
 * `apiauth dopd gid=haclient uid=hacluster` is what every ha.cf says, and DRBD's tools need root. So a client that runs as
 * root signs on as the cluster's user, which the daemon checks at that moment, and is root again afterwards.
 */
function becomeClusterUser(): () => void {
  const user = userAccount('hacluster');
  const group = groupId('haclient');
  if (process.geteuid?.() !== 0 || user === undefined) return () => {};
  const formerGroup = process.getegid?.() ?? 0;
  process.setegid?.(group ?? user.gid);
  process.seteuid?.(user.uid);
  return () => {
    process.seteuid?.(0);
    process.setegid?.(formerGroup);
  };
}

function localName(): string {
  return (process.env['HA_CURHOST'] ?? hostname()).toLowerCase();
}

// A casual client of the API socket (resource-engine.md 7.6), as cl_status is one: sign on, ask, sign off. Works against our
// daemon and against Heartbeat 3.0.6. Answers come in order, so one queue is enough. Every wait is bounded by the time given.

import {connect as connectSocket, type Socket} from 'node:net';
import {hostname} from 'node:os';
import {fieldOf, type Message, messageOf} from '../../model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../wire/api-frame.js';

/** The socket is absent or nobody listens; the text is the one API clients know. */
export class SignonError extends Error {}
export class ApiTimeout extends Error {}
/** The daemon answered `result=badreq` or the like; `reason` is its `info` field, often empty. */
export class ApiRefusal extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

export interface Signon {
  readonly node: string;
  readonly version: string;
  readonly deadtimeMs: number;
  readonly keepaliveMs: number;
}

const CANNOT_CONNECT = "hb_api_signon: Can't initiate connection to heartbeat";
const ANSWER_MS = 5000; // cl_status has always given up after five seconds.

export class ApiClient {
  #state = EMPTY_API;
  #answers: Message[] = [];
  #waiting: (() => void) | undefined;
  #ended: Error | undefined;
  #signon: Signon | undefined;
  #signonAnswer: Message = {fields: []};

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new SignonError('hb_api_signon: connection closed by heartbeat')));
  }

  static async signOn(path: string): Promise<ApiClient> {
    const client = new ApiClient(await open(path));
    const uid = String(process.getuid?.() ?? 0);
    const gid = String(process.getgid?.() ?? 0);
    client.#send({reqtype: 'signon', uid, gid});
    const answer = await client.#next('signon', ANSWER_MS);
    if (fieldOf(answer, 'result') !== 'OK')
      throw new SignonError(`hb_api_signon: ${fieldOf(answer, 'info') ?? 'refused'}`);
    client.#signonAnswer = answer;
    client.#signon = {
      node: fieldOf(answer, 'node') ?? '',
      version: fieldOf(answer, 'hbversion') ?? '',
      deadtimeMs: Number.parseInt(fieldOf(answer, 'deadtime') ?? '0', 16),
      keepaliveMs: Number.parseInt(fieldOf(answer, 'keepalive') ?? '0', 16),
    };
    return client;
  }

  get signonAnswer(): Message {
    return this.#signonAnswer;
  }

  get signon(): Signon {
    if (!this.#signon) throw new SignonError(CANNOT_CONNECT);
    return this.#signon;
  }

  /** Of a client elsewhere the other node's daemon answers, in a form of its own. */
  async clientStatus(node: string, client: string, timeoutMs: number): Promise<string> {
    this.#send({reqtype: 'clientstatus', node, cn: client});
    const isRelayed = (each: Message) => fieldOf(each, 't') === 'respond-cstatus' && fieldOf(each, 'cn') === client;
    const answer = await this.#next('clientstatus', timeoutMs, isRelayed);
    if (fieldOf(answer, 'result') !== 'OK') throw new ApiRefusal(fieldOf(answer, 'info') ?? '');
    return fieldOf(answer, 'cs') ?? '';
  }

  /** One request with one answer. */
  async ask(reqtype: string, fields: Readonly<Record<string, string>> = {}, timeoutMs = ANSWER_MS): Promise<Message> {
    this.#send({reqtype, ...fields});
    const answer = await this.#next(reqtype, timeoutMs);
    if (fieldOf(answer, 'result') !== 'OK') throw new ApiRefusal(fieldOf(answer, 'info') ?? '');
    return answer;
  }

  /** One request with an answer for each item: `ok/more` until the last. */
  async list(reqtype: string, fields: Readonly<Record<string, string>> = {}): Promise<Message[]> {
    this.#send({reqtype, ...fields});
    const found: Message[] = [];
    for (;;) {
      const answer = await this.#next(reqtype, ANSWER_MS);
      const result = fieldOf(answer, 'result');
      if (result !== 'OK' && result !== 'ok/more') throw new ApiRefusal(fieldOf(answer, 'info') ?? '');
      found.push(answer);
      if (result === 'OK') return found;
    }
  }

  signOff(): void {
    if (!this.#ended) this.#send({reqtype: 'signoff'});
    this.socket.removeAllListeners();
    this.socket.on('error', () => undefined);
    this.socket.destroySoon();
  }

  #send(fields: Readonly<Record<string, string>>): void {
    const {reqtype, ...rest} = fields;
    const pid = String(process.pid);
    // The real daemon wants the node name as dest, but before signon only it knows how it is called; ours does not care.
    const dest = this.#signon?.node ?? localName();
    this.socket.write(encodeApiFrame(messageOf({t: 'hbapi-req', reqtype, dest, pid, from_id: pid, ...rest})));
  }

  /** The next answer of that type; messages of the cluster, which every client is sent, are passed over. */
  async #next(
    reqtype: string,
    timeoutMs: number,
    isToo: (message: Message) => boolean = () => false,
  ): Promise<Message> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const answer = this.#answers.shift();
      const isAnswer = answer && fieldOf(answer, 't') === 'hbapi-resp' && fieldOf(answer, 'reqtype') === reqtype;
      if (answer && (isAnswer || isToo(answer))) return answer;
      if (answer) continue;
      if (this.#ended) throw this.#ended;
      await this.#wait(deadline - performance.now());
    }
  }

  #wait(remainingMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new ApiTimeout('No timely response.')), Math.max(0, remainingMs));
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #read(chunk: Buffer): void {
    const {state, messages, fault} = readApiFrames(this.#state, chunk);
    this.#state = state;
    this.#answers.push(...messages);
    if (fault) this.#end(new SignonError(`hb_api: unreadable answer from heartbeat (${fault})`));
    else this.#waiting?.();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.socket.destroy();
    this.#waiting?.();
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    const fail = () => reject(new SignonError(CANNOT_CONNECT));
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
    socket.once('error', fail);
  });
}

function localName(): string {
  return (process.env['HA_CURHOST'] ?? hostname()).toLowerCase();
}

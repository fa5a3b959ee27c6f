// The server of Heartbeat's client API, HA_RUNDIR/register (resource-engine.md 7.6): unmodified 3.0.6 clients (cl_status, ipfail,
// dopd, ...) sign on, ask, receive the cluster's messages and send their own.
//
// The manager calls `deliver` for every message its node accepted from the cluster and for those it sends itself, with
// treatment 1; ifstat and the like too. It passes on what `send` gets to messaging. What a client sends, and that it came or
// left, also reaches the local clients, as the real daemon loops its own messages back; this is done here.
//
// Promises: a client can neither block nor fill the daemon (bounded queues, connections, frames); a casual client (its
// id is its pid) can only ask; one client of a name at a time. What Node cannot check is named in client-api-auth.ts.

import {chmodSync, chownSync, unlinkSync} from 'node:fs';
import {createServer, type Server} from 'node:net';
import type {ApiAuth} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {fieldOf, type Message, messageOf, parseDecimal, parseHex, withField} from '../model/message.js';
import {type Accounts, isAlive, isHarmlessSignal, type Refusal, refusal} from './client-api-auth.js';
import {Connection, type SignedOn} from './client-api-connection.js';
import {type Answering, answer, answerUuid, refused, reply} from './client-api-requests.js';

export interface ClientApiOptions extends Answering {
  readonly path: string;
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  readonly apiauth: readonly ApiAuth[];
  readonly accounts: Accounts;
  /** To the cluster; header fields are added there. */
  readonly send: (message: Message) => void;
  readonly onLog: (record: LogRecord) => void;
  /** What `cl_status hbstatus -v` shows. */
  readonly version?: string;
}

export interface ClientApi {
  /** Treatment bits: 1 accepted; 2 unchanged status, 4 dropped, 8 duplicate, 0x10 API call, 0x20 protocol. */
  deliver(message: Message, treatment?: number): void;
  /** Flow control: nothing is read from clients while the cluster cannot keep up. */
  setPaused(isPaused: boolean): void;
  clients(): readonly SignedOn[];
  close(): Promise<void>;
}

const connectionsMax = 100;
const clientNameMax = 31;
const rootOnlyFilter = 0x3e;
const treatments = {accepted: 1, apiCall: 0x10} as const;

export async function startClientApi(options: ClientApiOptions): Promise<ClientApi> {
  const api = new Api(options);
  await api.listen();
  return api;
}

class Api implements ClientApi {
  private readonly connections = new Set<Connection>();
  private readonly generations = new Map<string, number>();
  private readonly server: Server;
  private isPaused = false;

  constructor(private readonly options: ClientApiOptions) {
    this.server = createServer({allowHalfOpen: false}, (socket) => {
      const connection = new Connection(
        socket,
        (from, message) => this.received(from, message),
        (gone, reason) => this.ended(gone, reason),
      );
      this.connections.add(connection);
      if (this.connections.size > connectionsMax) connection.close('too many clients');
      else connection.pause(this.isPaused);
    });
  }

  async listen(): Promise<void> {
    const {path} = this.options;
    try {
      unlinkSync(path); // Left by a daemon that was killed; the pid file says that none runs.
    } catch {
      // None there.
    }
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(path, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    this.server.on('error', (error) => this.options.onLog(log('ERROR', 'API_SOCKET', `${path}: ${error.message}`)));
    this.restrict(path);
  }

  /**
   * Not open to all as the real daemon's: whoever reaches this socket can claim to be another process, so it must not depend
   * on the directory alone who does.
   */
  private restrict(path: string): void {
    const gid = this.options.accounts.gidOf('haclient');
    chmodSync(path, 0o600);
    if (gid === undefined || process.geteuid?.() !== 0) return;
    chownSync(path, 0, gid);
    chmodSync(path, 0o660);
  }

  deliver(message: Message, treatment: number = treatments.accepted): void {
    if (fieldOf(message, 't') === 'query-cstatus') this.answerPeer(message);
    else for (const connection of this.connections) connection.deliver(message, treatment);
  }

  setPaused(isPaused: boolean): void {
    if (this.isPaused === isPaused) return;
    this.isPaused = isPaused;
    for (const connection of this.connections) connection.pause(isPaused);
  }

  clients(): readonly SignedOn[] {
    return [...this.connections].flatMap((each) => (each.client === undefined ? [] : [each.client]));
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const connection of [...this.connections]) connection.close('shutdown');
    await closed;
  }

  private received(from: Connection, message: Message): void {
    const {client} = from;
    const isRequest = fieldOf(message, 't') === 'hbapi-req';
    const type = fieldOf(message, 'reqtype') ?? '';
    if (client === undefined) {
      if (isRequest && type === 'signon') this.signOn(from, message);
      else from.close('a message before signon');
    } else if (!isRequest) this.forward(from, client, message);
    else if (fieldOf(message, 'from_id') !== client.id) from.close('a request in another name');
    else {
      this.deliver(message, treatments.apiCall);
      this.request(from, client, type, message);
    }
  }

  private request(from: Connection, client: SignedOn, type: string, message: Message): void {
    switch (type) {
      case 'signoff':
        from.close('signoff');
        return;
      case 'setfilter':
        this.setFilter(from, client, parseHex(fieldOf(message, 'fmask')));
        return;
      case 'setsignal': {
        const signal = parseDecimal(fieldOf(message, 'signal')) ?? parseHex(fieldOf(message, 'signal'));
        const isGood = signal === 0 || (signal !== undefined && isHarmlessSignal(signal));
        if (isGood) from.signal = signal;
        from.send(isGood ? reply(type, {}, 'OK') : refused(type));
        return;
      }
      // How much a client wants queued for it; the bound here is fixed, and no answer is expected.
      case 'set_sendqlen':
        return;
      case 'clientstatus':
        this.clientStatus(from, client, message);
        return;
      case 'getuuid':
        from.send(answerUuid(message, this.options.view()));
        return;
      default:
        for (const each of answer(message, this.options) ?? [reply(type, {}, 'badreq')]) from.send(each);
    }
  }

  private setFilter(from: Connection, client: SignedOn, mask: number | undefined): void {
    // Everybody's traffic is for root, as on the real daemon.
    const isAllowed = mask !== undefined && ((mask & rootOnlyFilter) === 0 || client.uid === 0);
    if (isAllowed) from.filter = mask;
    from.send(isAllowed ? reply('setfilter', {}, 'OK') : refused('setfilter'));
  }

  private signOn(from: Connection, message: Message): void {
    const id = fieldOf(message, 'from_id') ?? '';
    const [pid, uid, gid] = ['pid', 'uid', 'gid'].map((name) => parseDecimal(fieldOf(message, name)));
    if (pid === undefined || uid === undefined || gid === undefined || !/^[\x21-\x7e]+$/.test(id)) {
      from.send(refused('signon'));
      from.close('a bad signon');
      return;
    }
    const isCasual = id === String(pid);
    const problem = this.problemWith(id, isCasual, {pid, uid, gid});
    if (problem !== undefined) {
      const text = `Client [${id}] pid ${pid} failed authorization [${problem.detail}]`;
      this.options.onLog(log('WARN', 'API_CLIENT_REFUSED', text, {client: id}));
      from.send(this.welcome({info: problem.info, result: 'badreq'}));
      from.close('refused');
      return;
    }
    const generation = this.generations.get(id) ?? 0;
    if (!isCasual) this.generations.set(id, generation + 1);
    const client = {id, isCasual, pid, uid, generation};
    from.signOn(client);
    from.send(this.welcome({result: 'OK'}));
    if (!isCasual) this.announce(client, 'join', 'signon');
  }

  private problemWith(
    id: string,
    isCasual: boolean,
    claimed: {pid: number; uid: number; gid: number},
  ): Refusal | undefined {
    if (id.length > clientNameMax) return {info: 'client name too long', detail: `more than ${clientNameMax} bytes`};
    const problem = refusal(isCasual ? undefined : id, claimed, this.options.apiauth, this.options.accounts);
    if (problem !== undefined) return problem;
    const other = [...this.connections].find((each) => each.client?.id === id);
    if (other?.client === undefined) return undefined;
    if (isAlive(other.client.pid) && other.client.pid !== claimed.pid)
      return {
        info: 'duplicate add request',
        detail: `client ${id} is signed on already as process ${other.client.pid}`,
      };
    other.close('died');
    return undefined;
  }

  /** The same facts go with a refusal, as they do from the real daemon. */
  private welcome(verdict: Readonly<Record<string, string>>): Message {
    const {deadtimeMs, keepaliveMs, version} = this.options;
    return messageOf({
      t: 'hbapi-resp',
      reqtype: 'signon',
      ...verdict,
      deadtime: Math.round(deadtimeMs).toString(16),
      keepalive: Math.round(keepaliveMs).toString(16),
      node: this.options.view().node,
      hbversion: version ?? '3.0.6 (node: systole)',
      pacemaker: 'false',
      logfacility: String(facilityNumber(this.options.parameters()['logfacility'])),
    });
  }

  private clientStatus(from: Connection, client: SignedOn, message: Message): void {
    const {node: self, nodes} = this.options.view();
    const name = fieldOf(message, 'cn') ?? '';
    const node = nodes.find((each) => each.name === fieldOf(message, 'node')?.toLowerCase());
    if (node === undefined || name === '') from.send(refused('clientstatus'));
    else if (node.name === self) from.send(clientStatusReply(this.statusOf(name)));
    // Nobody would answer for a node that is not there.
    else if (node.status !== 'up' && node.status !== 'active') from.send(clientStatusReply('offline'));
    else this.options.send(messageOf({t: 'query-cstatus', cn: name, from_id: client.id, dest: node.name}));
  }

  private answerPeer(query: Message): void {
    const [cn, asker, node] = ['cn', 'from_id', 'src'].map((name) => fieldOf(query, name));
    if (cn === undefined || asker === undefined || node === undefined) return;
    const fields = {t: 'respond-cstatus', dest: node, result: 'OK', cn, to_id: asker, cs: this.statusOf(cn)};
    this.options.send(messageOf(fields));
  }

  private statusOf(name: string): 'online' | 'offline' {
    return [...this.connections].some((each) => each.client?.id === name) ? 'online' : 'offline';
  }

  /** A message of a named client: to the cluster in its name, and to the clients here if it is for this node too. */
  private forward(from: Connection, client: SignedOn, message: Message): void {
    if (client.isCasual) {
      from.close('a message from a casual client');
      return;
    }
    const named = {from_id: client.id, to_id: client.id, client_gen: String(client.generation)};
    let outgoing = message;
    for (const [name, value] of Object.entries(named)) outgoing = withField(outgoing, {name, type: 0, value});
    this.sendBoth(outgoing);
  }

  private announce(client: SignedOn, st: 'join' | 'leave', info: string): void {
    const {id, generation} = client;
    const fields = {t: 'hbapi-clstat', st, from_id: id, to_id: id, info, client_gen: String(generation)};
    this.sendBoth(messageOf(fields));
  }

  private sendBoth(message: Message): void {
    const {node} = this.options.view();
    this.options.send(message);
    const dest = fieldOf(message, 'dest');
    if (dest === undefined || dest.toLowerCase() === node)
      this.deliver(withField(message, {name: 'src', type: 0, value: node}));
  }

  private ended(gone: Connection, reason: string): void {
    if (!this.connections.delete(gone) || gone.client === undefined) return;
    if (!['signoff', 'disconnect', 'shutdown'].includes(reason))
      this.options.onLog(log('WARN', 'API_CLIENT_REMOVED', `Removing client ${gone.client.id}: ${reason}`));
    if (!gone.client.isCasual) this.announce(gone.client, 'leave', reason === 'signoff' ? 'signoff' : 'EOF');
  }
}

/** A peer's answer comes as a respond-cstatus of its own; what this node knows itself is an ordinary answer. */
function clientStatusReply(status: 'online' | 'offline'): Message {
  return reply('clientstatus', {subt: 'respond-cstatus', cs: status}, 'OK');
}

const facilities =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );

/** As syslog.h numbers them; clients log there too. -1: none. */
function facilityNumber(name: string | undefined): number {
  const index = facilities.indexOf(name ?? '');
  return index < 0 ? -1 : index * 8;
}

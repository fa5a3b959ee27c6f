// Goal: clients of 3.0.6 are answered as by the real daemon, and none can harm it. Method: raw frames over the real socket.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, statSync} from 'node:fs';
import {connect, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {LogRecord} from '../../src/model/log.js';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {type ClientApi, startClientApi} from '../../src/runtime/client-api.js';
import type {ApiView} from '../../src/runtime/client-api-requests.js';
import {type ApiState, EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const view: ApiView = {
  node: 'n1',
  nodes: [
    {name: 'n1', type: 'normal', status: 'active', links: [{name: 'eth0', status: 'dead'}]},
    {
      name: 'n2',
      type: 'normal',
      status: 'active',
      links: [
        {name: 'eth0', status: 'up'},
        {name: 'eth1', status: 'dead'},
      ],
    },
    {name: 'router', type: 'ping', status: 'ping', links: [{name: 'router', status: 'up'}]},
  ],
  uuids: {n1: 'aaaaaaaaaaaaaaaa', n2: '\x00\xff=\n45678901234'},
};

let dir = '';
let api: ClientApi;
let sent: Message[] = [];
/** The cluster cannot keep up after this many messages. */
let pauseAt: number | undefined;
let logs: LogRecord[] = [];
let clients: Client[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'systole-api-'));
  sent = [];
  pauseAt = undefined;
  logs = [];
  const rule = {uids: [String(uid)], gids: []};
  api = await startClientApi({
    path: join(dir, 'register'),
    keepaliveMs: 1000,
    deadtimeMs: 5000,
    apiauth: [
      {client: 'anon', ...rule},
      {client: 'ipfail', ...rule},
      {client: 'other', uids: ['nobody-at-all'], gids: []},
    ],
    accounts: {uidOf: () => undefined, gidOf: () => undefined},
    view: () => view,
    parameters: () => ({deadtime: '5', logfacility: 'none'}),
    rscstatus: () => 'local',
    send: (message) => {
      sent.push(message);
      if (sent.length === pauseAt) api.setPaused(true);
    },
    onLog: (record) => logs.push(record),
  });
});
afterEach(async () => {
  for (const client of clients) client.socket.destroy();
  clients = [];
  await api.close();
  rmSync(dir, {recursive: true, force: true});
});

class Client {
  readonly socket: Socket;
  isClosed = false;
  private state: ApiState = EMPTY_API;
  private readonly got: Message[] = [];
  private notice: () => void = () => undefined;

  constructor(readonly id: string = String(process.pid)) {
    clients.push(this);
    this.socket = connect(join(dir, 'register'));
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Buffer) => {
      const read = readApiFrames(this.state, chunk);
      assert.equal(read.fault, undefined);
      this.state = read.state;
      this.got.push(...read.messages);
      this.notice();
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      this.notice();
    });
  }

  say(fields: Readonly<Record<string, string>>): void {
    this.socket.write(encodeApiFrame(messageOf(fields)));
  }

  request(reqtype: string, fields: Readonly<Record<string, string>> = {}): void {
    this.say({t: 'hbapi-req', reqtype, ...fields, dest: 'n1', pid: String(process.pid), from_id: this.id});
  }

  async ask(reqtype: string, fields: Readonly<Record<string, string>> = {}): Promise<Readonly<Record<string, string>>> {
    this.request(reqtype, fields);
    return this.next();
  }

  async signOn(): Promise<Readonly<Record<string, string>>> {
    return this.ask('signon', {uid: String(uid), gid: String(gid)});
  }

  /** The next message, as an object. */
  async next(): Promise<Readonly<Record<string, string>>> {
    await this.until(() => this.got.length > 0);
    const message = this.got.shift();
    assert(message, 'closed without an answer');
    return Object.fromEntries(message.fields.map((each) => [each.name, each.value]));
  }

  async closed(): Promise<void> {
    await this.until(() => false);
  }

  private until(isDone: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.notice = () => (isDone() || this.isClosed) && resolve();
      this.notice();
    });
  }
}

test('signon answers with the times in hexadecimal milliseconds', async () => {
  const client = new Client();
  const answer = await client.signOn();
  const {t, reqtype, result, deadtime, keepalive, node, pacemaker} = answer;
  assert.deepEqual(
    {t, reqtype, result, deadtime, keepalive, node, pacemaker},
    {
      t: 'hbapi-resp',
      reqtype: 'signon',
      result: 'OK',
      deadtime: '1388',
      keepalive: '3e8',
      node: 'n1',
      pacemaker: 'false',
    },
  );
  assert.match(answer['hbversion'] ?? '', /^3\.0\.6 /);
  client.request('signoff');
  await client.closed();
  assert.deepEqual(sent, [], 'casual clients are not announced');
});

test('questions about the cluster', async () => {
  const client = new Client();
  await client.signOn();
  const rows = [await client.ask('nodelist'), await client.next(), await client.next()];
  assert.deepEqual(
    rows.map((each) => [each['node'], each['nodetype'], each['st'], each['result']]),
    [
      ['n1', 'normal', 'active', 'ok/more'],
      ['n2', 'normal', 'active', 'ok/more'],
      ['router', 'ping', 'ping', 'OK'],
    ],
  );
  const links = [await client.ask('iflist', {node: 'n2'}), await client.next()];
  assert.deepEqual(
    links.map((each) => [each['ifname'], each['st'], each['result']]),
    [
      ['eth0', 'up', 'ok/more'],
      ['eth1', 'dead', 'OK'],
    ],
  );
  assert.equal((await client.ask('ifstatus', {node: 'N2', ifname: 'eth1'}))['st'], 'dead');
  assert.equal((await client.ask('nodestatus', {node: 'n2'}))['st'], 'active');
  assert.equal((await client.ask('nodetype', {node: 'router'}))['nodetype'], 'ping');
  assert.equal((await client.ask('nodeweight', {node: 'n2'}))['weight'], '100');
  assert.equal((await client.ask('nodesite', {node: 'n2'}))['site'], '');
  assert.equal((await client.ask('numnodes'))['numnodes'], '2');
  assert.equal((await client.ask('getparm', {pname: 'deadtime'}))['pvalue'], '5');
  assert.deepEqual(await client.ask('getparm', {pname: 'toString'}), {
    t: 'hbapi-resp',
    reqtype: 'getparm',
    result: 'OK',
  });
  assert.equal((await client.ask('getrsc'))['rsc_hold'], 'local');
  assert.equal((await client.ask('getuuid', {queryname: 'n2'}))['queryuuid'], view.uuids['n2']);
  assert.deepEqual(Object.keys(await client.ask('getuuid', {queryname: 'n9'})), ['t', 'reqtype', 'result']);
  for (const [type, fields] of [
    ['nodestatus', {node: 'n9'}],
    ['ifstatus', {node: 'n2', ifname: 'eth9'}],
  ] as const) {
    const answer = await client.ask(type, fields);
    assert.deepEqual([answer['result'], answer['info']], ['badreq', 'EINVAL']);
  }
  const unknown = await client.ask('bogus');
  assert.deepEqual([unknown['result'], unknown['info']], ['badreq', undefined]);
});

test('a named client is announced, speaks to the cluster under its name, and is announced again when it goes', async () => {
  const client = new Client('ipfail');
  await client.signOn();
  const join = await client.next();
  assert.deepEqual([join['t'], join['st'], join['src']], ['hbapi-clstat', 'join', 'n1']);
  client.say({t: 'num_ping_nodes', num_ping: '1', dest: 'n2', from_id: 'forged'});
  assert.equal((await client.ask('nodestatus', {node: 'n1'}))['st'], 'active');
  assert.deepEqual(
    sent.map((each) => Object.fromEntries(each.fields.map(({name, value}) => [name, value]))),
    [
      {t: 'hbapi-clstat', st: 'join', from_id: 'ipfail', to_id: 'ipfail', info: 'signon', client_gen: '0'},
      {t: 'num_ping_nodes', num_ping: '1', dest: 'n2', from_id: 'ipfail', to_id: 'ipfail', client_gen: '0'},
    ],
  );
  client.request('signoff');
  await client.closed();
  assert.equal(fieldOf(sent[2] as Message, 'st'), 'leave');
});

test('messages go to everybody, to the addressee, or to who asked for them', async () => {
  const named = new Client('ipfail');
  const casual = new Client();
  await named.signOn();
  await named.next();
  await casual.signOn();
  api.deliver(messageOf({t: 'resource', src: 'n2'}));
  assert.equal((await named.next())['t'], 'resource');
  assert.equal((await casual.next())['t'], 'resource');
  api.deliver(messageOf({t: 'num_ping_nodes', to_id: 'ipfail', src: 'n2'}));
  api.deliver(messageOf({t: 'status', src: 'n2'}), 2);
  api.deliver(messageOf({t: 'last', src: 'n2'}));
  assert.deepEqual([(await named.next())['t'], (await named.next())['t']], ['num_ping_nodes', 'last']);
  assert.equal((await casual.next())['t'], 'last');
  if (uid !== 0) return;
  assert.equal((await casual.ask('setfilter', {fmask: '3'}))['result'], 'OK');
  api.deliver(messageOf({t: 'status', src: 'n2'}), 2);
  assert.equal((await casual.next())['t'], 'status');
});

test('client status: here at once, elsewhere by asking, and peers get their answer', async () => {
  const named = new Client('ipfail');
  await named.signOn();
  await named.next();
  const casual = new Client();
  await casual.signOn();
  assert.deepEqual(await casual.ask('clientstatus', {node: 'n1', cn: 'ipfail'}), {
    t: 'hbapi-resp',
    reqtype: 'clientstatus',
    subt: 'respond-cstatus',
    cs: 'online',
    result: 'OK',
  });
  assert.equal((await casual.ask('clientstatus', {node: 'n1', cn: 'dopd'}))['cs'], 'offline');
  casual.request('clientstatus', {node: 'n2', cn: 'ipfail'});
  assert.equal((await casual.ask('numnodes'))['numnodes'], '2');
  assert.deepEqual(Object.fromEntries(sent.at(-1)?.fields.map(({name, value}) => [name, value]) ?? []), {
    t: 'query-cstatus',
    cn: 'ipfail',
    from_id: casual.id,
    dest: 'n2',
  });
  api.deliver(messageOf({t: 'query-cstatus', cn: 'ipfail', from_id: '4711', src: 'n2', dest: 'n1'}));
  assert.equal(fieldOf(sent.at(-1) as Message, 'cs'), 'online');
  assert.equal(fieldOf(sent.at(-1) as Message, 'to_id'), '4711');
});

test.each([
  ['without a rule', 'no default client auth', 'dopd', {}],
  ['with a rule for others', 'client failed authorization', 'other', {}],
  ['with a foreign uid', 'incorrect/false credentials', 'ipfail', {uid: '4242'}],
  ['with a dead process', 'pid mismatch', 'ipfail', {pid: '4194305'}],
])('a client %s is refused: %s', async (_what, info, id, changes) => {
  const client = new Client(id);
  client.say({
    t: 'hbapi-req',
    reqtype: 'signon',
    pid: String(process.pid),
    from_id: id,
    uid: String(uid),
    gid: String(gid),
    ...changes,
  });
  const answer = await client.next();
  assert.deepEqual([answer['result'], answer['info'], answer['node']], ['badreq', info, 'n1']);
  await client.closed();
  assert.match(logs[0]?.text ?? '', /failed authorization/);
});

test('one client of a name: the second is refused only while the first lives', async () => {
  const first = new Client('ipfail');
  await first.signOn();
  const second = new Client('ipfail');
  assert.equal((await second.signOn())['result'], 'OK', 'the same process may sign on anew');
  await first.closed();
});

test('nobody is killed by a message: only harmless signals can be asked for', async () => {
  const client = new Client();
  await client.signOn();
  for (const signal of ['9', '15', '19', '1', 'x', '64'])
    assert.equal((await client.ask('setsignal', {signal}))['result'], 'badreq');
  for (const signal of ['0', '17']) assert.equal((await client.ask('setsignal', {signal}))['result'], 'OK');
});

test('without the group haclient nobody but the owner reaches the socket', () => {
  assert.equal(statSync(join(dir, 'register')).mode & 0o777, 0o600);
});

test('a client that asked for it sees the questions of all', async () => {
  if (uid !== 0) return;
  const watcher = new Client('ipfail');
  await watcher.signOn();
  await watcher.next();
  await watcher.ask('setfilter', {fmask: '10'});
  const casual = new Client();
  await casual.signOn();
  await casual.ask('getrsc');
  const seen = await watcher.next();
  assert.deepEqual([seen['t'], seen['reqtype'], seen['from_id']], ['hbapi-req', 'getrsc', casual.id]);
});

test('a pause takes effect between two messages of one packet, and nothing is lost', async () => {
  const client = new Client('ipfail');
  await client.signOn();
  await client.next();
  sent = [];
  pauseAt = 5;
  for (let number = 1; number <= 12; number += 1) client.say({t: 'bulk', number: String(number)});
  // Each message comes back to its sender; the answer to a question would come only after the sixth.
  for (let number = 1; number <= 5; number += 1) assert.equal((await client.next())['number'], String(number));
  assert.equal(sent.length, 5);
  pauseAt = undefined;
  api.setPaused(false);
  for (let number = 6; number <= 12; number += 1) assert.equal((await client.next())['number'], String(number));
  assert.equal(sent.length, 12);
});

test('who breaks the rules is disconnected, the others are not', async () => {
  const good = new Client('ipfail');
  await good.signOn();
  await good.next();
  const bad = [new Client(), new Client(), new Client(), new Client()] as const;
  bad[0].socket.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
  bad[1].request('getrsc');
  await bad[2].signOn();
  bad[2].say({t: 'ask_resources', rsc_hold: 'all'});
  await bad[3].signOn();
  bad[3].say({t: 'hbapi-req', reqtype: 'getrsc', from_id: 'ipfail'});
  await Promise.all(bad.map((each) => each.closed()));
  assert.equal((await good.ask('getrsc'))['rsc_hold'], 'local');
  assert.equal(sent.length, 1);
});

test('a client that does not read is disconnected', async () => {
  const slow = new Client('ipfail');
  await slow.signOn();
  slow.socket.pause();
  const text = 'x'.repeat(50_000);
  for (let each = 0; each < 100 && api.clients().length > 0; each++) api.deliver(messageOf({t: 'note', text}));
  assert.deepEqual(api.clients(), []);
  assert(logs.some((each) => /does not read/.test(each.text)));
});

// What programs talk to, without a cluster: a control socket that answers as told, and an API socket that answers what
// heartbeat 3.0.6 answered on a node n1 with a dead peer n2, two links and one ping node (recorded with strace).

import {createServer, type Server, type Socket} from 'node:net';
import type {ControlReply, ControlRequest, ControlRequestLine} from '../../src/model/control.js';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';

export interface FakeServer {
  readonly requests: ControlRequest[];
  close(): Promise<void>;
}

/** undefined: no answer at all. */
export async function fakeControl(
  path: string,
  answer: (request: ControlRequest) => ControlReply | undefined,
): Promise<FakeServer> {
  const requests: ControlRequest[] = [];
  return serve(path, requests, (socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (!text.includes('\n')) return;
      const {id, request} = JSON.parse(text) as ControlRequestLine;
      requests.push(request);
      const reply = answer(request);
      if (reply) socket.write(`${JSON.stringify({id, reply})}\n`);
    });
  });
}

export async function fakeApi(path: string): Promise<FakeServer> {
  return serve(path, [], (socket) => {
    let state = EMPTY_API;
    socket.on('data', (chunk: Buffer) => {
      const read = readApiFrames(state, chunk);
      state = read.state;
      // A cluster message in between, as every client of a busy daemon is sent.
      socket.write(encodeApiFrame(messageOf({t: 'status', st: 'active', src: 'n2'})));
      for (const message of read.messages) for (const each of apiAnswers(message)) socket.write(encodeApiFrame(each));
    });
  });
}

async function serve(path: string, requests: ControlRequest[], welcome: (socket: Socket) => void): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    welcome(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return {requests, close};
}

const NODES = [
  {node: '127.0.0.1', nodetype: 'ping', st: 'ping', links: ['127.0.0.1'], link: 'up'},
  {node: 'n1', nodetype: 'normal', st: 'active', links: ['v0', 'v1'], link: 'dead'},
  {node: 'n2', nodetype: 'normal', st: 'dead', links: ['v0', 'v1'], link: 'dead'},
];
const PARAMETERS: Readonly<Record<string, string>> = {deadtime: '3', keepalive: '1', logfile: '/var/log/ha-log'};

function apiAnswers(request: Message): readonly Message[] {
  const reqtype = fieldOf(request, 'reqtype');
  const head = {t: 'hbapi-resp', reqtype};
  const one = (fields: Readonly<Record<string, string>>): Message[] => [messageOf({...head, ...fields, result: 'OK'})];
  const bad = [messageOf({...head, result: 'badreq', ...(reqtype === 'iflist' ? {info: 'EINVAL'} : {})})];
  const node = NODES.find((each) => each.node === fieldOf(request, 'node')?.toLowerCase());
  const many = (all: readonly Readonly<Record<string, string>>[]): Message[] =>
    all.map((each, at) => messageOf({...head, ...each, result: at === all.length - 1 ? 'OK' : 'ok/more'}));
  switch (reqtype) {
    case 'signon': {
      const facts = {deadtime: 'bb8', keepalive: '3e8', node: 'n1', pacemaker: 'false', logfacility: '-1'};
      return [messageOf({...head, result: 'OK', ...facts, hbversion: '3.0.6 (node: 0123456789abcdef)'})];
    }
    case 'nodelist':
      return many(NODES.map(({node: name, nodetype, st}) => ({node: name, nodetype, st})));
    case 'iflist':
      return node ? many(node.links.map((ifname) => ({ifname, st: node.link}))) : bad;
    case 'nodestatus':
      return node ? one({st: node.st}) : bad;
    case 'nodetype':
      return node ? one({nodetype: node.nodetype}) : bad;
    case 'nodeweight':
      return node ? one({weight: '100'}) : bad;
    case 'nodesite':
      return node ? one({site: ''}) : bad;
    case 'ifstatus':
      return node?.links.includes(fieldOf(request, 'ifname') ?? '') ? one({st: node.link}) : bad;
    case 'getrsc':
      return one({rsc_hold: 'all'});
    case 'getparm': {
      const pvalue = PARAMETERS[fieldOf(request, 'pname') ?? ''];
      return one(pvalue === undefined ? {} : {pvalue});
    }
    case 'clientstatus':
      return node
        ? one({subt: 'respond-cstatus', cs: fieldOf(request, 'cn') === 'ipfail' ? 'online' : 'offline'})
        : bad;
    default:
      return [];
  }
}

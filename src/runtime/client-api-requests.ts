// The answers of the client API to questions about the cluster (resource-engine.md 7.6): from a view to messages, without a
// socket. A question may have several answers, all but the last with result ok/more.

import type {Hold, NodeView} from '../model/cluster.js';
import {fieldOf, type Message, messageOf} from '../model/message.js';

export interface ApiView {
  /** This node. */
  readonly node: string;
  /** In ha.cf order, ping nodes last. */
  readonly nodes: readonly NodeView[];
  /** 16 bytes as latin1 text, by node name; nodes never heard are absent. */
  readonly uuids: Readonly<Record<string, string>>;
}

export interface Answering {
  readonly view: () => ApiView;
  /** As HaConfig.parameters. */
  readonly parameters: () => Readonly<Record<string, string>>;
  readonly rscstatus: () => Hold | 'transition';
}

type Fields = Readonly<Record<string, string>>;

/** undefined: not a question about the cluster. An empty list: a request that is not answered. */
export function answer(request: Message, source: Answering): readonly Message[] | undefined {
  const type = fieldOf(request, 'reqtype') ?? '';
  const rows = rowsOf(type, request, source);
  if (rows === undefined) return undefined;
  if (rows === 'badreq') return [refused(type)];
  return rows.map((row, index) => reply(type, row, index === rows.length - 1 ? 'OK' : 'ok/more'));
}

export function reply(type: string, fields: Fields, result: 'OK' | 'ok/more' | 'badreq'): Message {
  return messageOf({t: 'hbapi-resp', reqtype: type, ...fields, result});
}

export function refused(type: string): Message {
  return messageOf({t: 'hbapi-resp', reqtype: type, result: 'badreq', info: 'EINVAL'});
}

function rowsOf(type: string, request: Message, source: Answering): readonly Fields[] | 'badreq' | undefined {
  const view = source.view();
  switch (type) {
    case 'nodelist':
      return view.nodes.map((each) => ({node: each.name, nodetype: each.type, st: each.status}));
    case 'numnodes':
      return [{numnodes: String(view.nodes.filter((each) => each.type === 'normal').length)}];
    case 'nodestatus':
      // The original sends `st` alone; clients pass over what they do not ask for.
      return ofNode(request, view, ({status, stonith, resetMs}) => ({
        st: status,
        ...(stonith && {stonith}),
        ...(resetMs !== undefined && {reset_ms: String(resetMs)}),
      }));
    case 'nodetype':
      return ofNode(request, view, (node) => ({nodetype: node.type}));
    // Quorum data, which R1 keeps at its defaults.
    case 'nodeweight':
      return ofNode(request, view, () => ({weight: '100'}));
    case 'nodesite':
      return ofNode(request, view, () => ({site: ''}));
    case 'iflist':
      return interfacesOf(request, view);
    case 'ifstatus': {
      const link = nodeOf(request, view)?.links.find((each) => each.name === fieldOf(request, 'ifname'));
      return link === undefined ? 'badreq' : [{st: link.status}];
    }
    case 'getparm': {
      const name = fieldOf(request, 'pname') ?? '';
      const parameters = source.parameters();
      // What is not set is answered all the same, without a value.
      return [Object.hasOwn(parameters, name) ? {pvalue: parameters[name] ?? ''} : {}];
    }
    case 'getrsc':
      return [{rsc_hold: source.rscstatus()}];
    case 'getnodename': {
      const wanted = fieldOf(request, 'queryuuid');
      const found = Object.entries(view.uuids).find(([, uuid]) => uuid === wanted);
      return [found === undefined ? {} : {queryname: found[0]}];
    }
    default:
      return undefined;
  }
}

/** The only answer with raw bytes. */
export function answerUuid(request: Message, view: ApiView): Message {
  const uuid = view.uuids[(fieldOf(request, 'queryname') ?? '').toLowerCase()];
  const {fields} = reply('getuuid', {}, 'OK');
  // A name that nobody has is answered without a uuid.
  return {fields: uuid === undefined ? fields : [...fields, {name: 'queryuuid', type: 1, value: uuid}]};
}

function nodeOf(request: Message, view: ApiView): NodeView | undefined {
  const name = fieldOf(request, 'node')?.toLowerCase();
  return view.nodes.find((each) => each.name === name);
}

function ofNode(request: Message, view: ApiView, pick: (node: NodeView) => Fields): readonly Fields[] | 'badreq' {
  const node = nodeOf(request, view);
  return node === undefined ? 'badreq' : [pick(node)];
}

function interfacesOf(request: Message, view: ApiView): readonly Fields[] | 'badreq' {
  const node = nodeOf(request, view);
  if (node === undefined || node.links.length === 0) return 'badreq';
  return node.links.map((each) => ({ifname: each.name, st: each.status}));
}

// cl_status: asks the running heartbeat through the client API socket and prints what Heartbeat 3.0.6 printed, byte for byte
// where scripts look, with its exit codes (resource-engine.md 7.5). Measured against the 3.0.6 binary.

import {hostname} from 'node:os';
import {fieldOf, type Message} from '../model/message.js';
import {ApiClient, ApiRefusal, ApiTimeout, SignonError} from './lib/api-client.js';
import {parseOptions, type Request} from './lib/cl-status-options.js';
import {CL_STATUS_USAGE} from './lib/cl-status-usage.js';
import {Exit, paths, run, stamp} from './lib/program.js';

/** 1 is the ordinary "no", 11 a mistake in the arguments, 13 anything else. */
const CODE = {ok: 0, no: 1, parameter: 11, other: 13} as const;

type Print = (text: string) => void;
type Command = (client: ApiClient, request: Request, print: Print) => Promise<number>;

const FACTS = {
  nodetype: {
    field: 'nodetype',
    text: (node: string) => `The node ${node}'s type: `,
    bad: 'Error. May be due to incorrect node name',
  },
  nodeweight: {
    field: 'weight',
    text: (node: string) => `The weight of the cluster node ${node} is `,
    bad: 'Error. Maybe due to incorrect node name.',
  },
  nodesite: {
    field: 'site',
    text: (node: string) => `The site of the cluster node ${node} is `,
    bad: 'Error. May be due to incorrect node name',
  },
} as const;

const COMMANDS: Readonly<Record<string, Command>> = {
  hbstatus: hbStatus,
  listnodes: listNodes,
  nodestatus: nodeStatus,
  nodetype: (client, request, print) => nodeFact(client, request, print, 'nodetype'),
  nodeweight: (client, request, print) => nodeFact(client, request, print, 'nodeweight'),
  nodesite: (client, request, print) => nodeFact(client, request, print, 'nodesite'),
  listhblinks: listLinks,
  hblinkstatus: linkStatus,
  clientstatus: clientStatus,
  rscstatus: resourceStatus,
  hbparameter: parameter,
  test: selfTest,
};

void run(async (words) => {
  const name = words[0];
  if (name === undefined || name === '-h' || name === '--help') {
    process.stdout.write(CL_STATUS_USAGE);
    return CODE.ok;
  }
  const command = COMMANDS[name];
  if (!command || !Object.hasOwn(COMMANDS, name)) return complain(`${name}: invalid sub-command.`, CODE.parameter);
  return perform(name, command, words.slice(1));
});

async function perform(name: string, command: Command, words: readonly string[]): Promise<number> {
  let text = '';
  let client: ApiClient | undefined;
  try {
    client = await ApiClient.signOn(paths().registerSocket);
    return await command(client, parseOptions(name, words), (line) => {
      text += `${line}\n`;
    });
  } catch (error) {
    return explain(error, name, words);
  } finally {
    client?.signOff();
    process.stdout.write(text);
  }
}

function explain(error: unknown, name: string, words: readonly string[]): number {
  if (error instanceof Exit) {
    if (error.message !== '') process.stderr.write(`${error.message}\n`);
    return error.status;
  }
  if (error instanceof ApiRefusal || error instanceof ApiTimeout) return failed(error, `${name} failed`);
  if (!(error instanceof SignonError)) throw error;
  if (name === 'hbstatus') {
    process.stdout.write('Heartbeat is stopped on this machine.\n');
    if (parseOptions(name, words).verbose) process.stdout.write(`(${error.message})\n`);
    return CODE.no;
  }
  complain('Cannot signon with heartbeat', CODE.no);
  return complain(`REASON: ${error.message}`, CODE.no);
}

/** Errors look like a log line, and go to stderr. */
function complain(text: string, code: number): number {
  process.stderr.write(`${stamp()} ${hostname()} cl_status: [${process.pid}]: ERROR: ${text}\n`);
  return code;
}

async function hbStatus(client: ApiClient, request: Request, print: Print): Promise<number> {
  if (!request.verbose) {
    print('Heartbeat is running on this machine.');
    return CODE.ok;
  }
  const pacemaker = fieldOf(client.signonAnswer, 'pacemaker') === 'true';
  print(`version:\t${client.signon.version}`);
  print(`managed by:\t${pacemaker ? 'Pacemaker' : '"haresources"'}`);
  return listNodes(client, request, print);
}

async function listNodes(client: ApiClient, request: Request, print: Print): Promise<number> {
  // The last one answered is printed first: so did 3.0.6, and so scripts know it.
  const nodes = (await client.list('nodelist')).reverse();
  const wanted = nodes.filter(
    (node) => request.nodeType === undefined || fieldOf(node, 'nodetype') === request.nodeType,
  );
  if (request.forHumans) print('The nodes are as follow:');
  for (const node of wanted) {
    const name = fieldOf(node, 'node') ?? '';
    if (!request.verbose) {
      print(name);
      continue;
    }
    print(`\n${name}\t${fieldOf(node, 'st') ?? ''}\t(nodetype: ${fieldOf(node, 'nodetype') ?? ''})`);
    for (const link of await linksOf(client, name)) printLink(link, true, print);
  }
  return CODE.ok;
}

/** A node without links is refused; that must not hide the other nodes. */
async function linksOf(client: ApiClient, node: string): Promise<Message[]> {
  try {
    return (await client.list('iflist', {node})).reverse();
  } catch (error) {
    if (error instanceof ApiRefusal) return [];
    throw error;
  }
}

function printLink(link: Message, verbose: boolean, print: Print): void {
  print(verbose ? `\t${fieldOf(link, 'ifname')}\t${fieldOf(link, 'st')}` : `\t${fieldOf(link, 'ifname')}`);
}

async function nodeStatus(client: ApiClient, request: Request, print: Print): Promise<number> {
  const [node] = need(request, 1, 'Not enough parameters.');
  const answer = await orRefusal(client.ask('nodestatus', {node: node!}));
  if (!answer) throw new Exit(CODE.parameter, 'Error. May be due to incorrect node name');
  const status = fieldOf(answer, 'st') ?? '';
  print(request.forHumans ? `The cluster node ${node} is ${status}` : status);
  return ['active', 'up', 'ping'].includes(status) ? CODE.ok : CODE.no;
}

async function nodeFact(client: ApiClient, request: Request, print: Print, name: keyof typeof FACTS): Promise<number> {
  const [node] = need(request, 1, name === 'nodetype' ? 'No enough parameter.' : 'Not enough parameters.');
  const fact = FACTS[name];
  const answer = await orRefusal(client.ask(name, {node: node!}));
  if (!answer) throw new Exit(CODE.parameter, fact.bad);
  const value = fieldOf(answer, fact.field) ?? '';
  print(request.forHumans ? `${fact.text(node!)}${value}` : value);
  return CODE.ok;
}

async function listLinks(client: ApiClient, request: Request, print: Print): Promise<number> {
  const [node] = need(request, 1, 'No enough parameter.');
  try {
    const links = (await client.list('iflist', {node: node!})).reverse();
    if (request.forHumans) print('\tthis node has the following heartbeat links:');
    for (const link of links) printLink(link, request.verbose, print);
    return CODE.ok;
  } catch (error) {
    return failed(error, 'Cannot start heartbeat link interface walk.');
  }
}

async function linkStatus(client: ApiClient, request: Request, print: Print): Promise<number> {
  const [node, link] = need(request, 2, 'No enough parameter.');
  try {
    const status = fieldOf(await client.ask('ifstatus', {node: node!, ifname: link!}), 'st') ?? '';
    print(request.forHumans ? `The node ${node}'s heartbeat link ${link} is ${status}` : status);
    return status === 'dead' ? CODE.no : CODE.ok;
  } catch (error) {
    return failed(error, 'Cannot get heartbeat link status', '');
  }
}

async function clientStatus(client: ApiClient, request: Request, print: Print): Promise<number> {
  const [node, id, wait] = need(request, 2, 'No enough parameter.');
  const timeoutMs = wait !== undefined && /^\d+$/.test(wait) ? Number(wait) : 500;
  try {
    const status = await client.clientStatus(node!, id!, timeoutMs);
    print(status);
    return status === 'online' ? CODE.ok : CODE.no;
  } catch (error) {
    // 3.0.6 says this for a refusal too.
    return failed(error, `Cannot get heartbeat client ${id}'s status`, 'No timely response.');
  }
}

async function resourceStatus(client: ApiClient, request: Request, print: Print): Promise<number> {
  try {
    const hold = fieldOf(await client.ask('getrsc'), 'rsc_hold') ?? '';
    print(request.forHumans ? `This node is holding ${hold} resources.` : hold);
    return CODE.ok;
  } catch (error) {
    return failed(error, 'Cannot get cluster resource status', undefined, CODE.no);
  }
}

async function parameter(client: ApiClient, request: Request, print: Print): Promise<number> {
  if (request.parameter === undefined) return complain('parameter name required', CODE.parameter);
  try {
    const value = fieldOf(await client.ask('getparm', {pname: request.parameter}), 'pvalue');
    // The real daemon answers OK without a value when the parameter is not set.
    if (value === undefined) throw new ApiRefusal('');
    print(request.forHumans ? `Heartbeat parameter ${request.parameter}'s value: ${value}` : value);
    return CODE.ok;
  } catch (error) {
    return failed(error, `Cannot get parameter ${request.parameter}'s value`, '', CODE.no);
  }
}

async function selfTest(client: ApiClient, _request: Request, print: Print): Promise<number> {
  const {deadtimeMs, keepaliveMs, node} = client.signon;
  const hold = fieldOf(await client.ask('getrsc'), 'rsc_hold') ?? '';
  // "keeplive" is how 3.0.6 spells it.
  print(`Dead time: ${deadtimeMs}\n keeplive time: ${keepaliveMs}\n mynodeid: ${node}\n rsc: ${hold}`);
  return CODE.ok;
}

function need(request: Request, count: number, text: string): readonly string[] {
  if (request.words.length < count) throw new Exit(CODE.parameter, text);
  return request.words;
}

async function orRefusal(answer: Promise<Message>): Promise<Message | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiRefusal) return undefined;
    throw error;
  }
}

function failed(error: unknown, text: string, reason?: string, code: number = CODE.other): number {
  if (!(error instanceof ApiRefusal || error instanceof ApiTimeout)) throw error;
  complain(text, code);
  return complain(`REASON: ${error instanceof ApiTimeout ? error.message : (reason ?? error.reason)}`, code);
}

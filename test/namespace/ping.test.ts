// Goal: ping nodes are alive while a host answers, and count for the start of communication as the real daemon's do. Method:
// real messaging processes on loopback ping loopback addresses; 240.0.0.1 is an address that no kernel sends to.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {afterEach, test} from '@jest/globals';
import {until} from '../../src/lab/wait.js';
import type {MessagingToManager} from '../../src/model/channel.js';
import type {Medium} from '../../src/model/config.js';
import {MessagingNode} from '../helpers/messaging-node.js';

const trial = spawnSync('ping', ['-n', '-c', '1', '127.0.0.1'], {stdio: 'ignore'});
const reason = trial.status === 0 ? undefined : 'ping is not installed or not permitted';
if (reason !== undefined) process.stderr.write(`ping.test: skipped, ${reason}\n`);
const check = reason === undefined ? test : test.skip;

let node: MessagingNode | undefined;
let port = 30_000 + (process.pid % 10_000);
afterEach(async () => {
  await node?.stop();
  node = undefined;
});

function alone(pings: readonly {readonly name: string; readonly hosts: readonly string[]}[]): MessagingNode {
  port += 1;
  const media: Medium[] = [
    {kind: 'ucast', device: 'lo', host: '127.0.78.1'},
    ...pings.map((each) => ({kind: 'ping', ...each}) as const),
  ];
  const start = {pingNodes: pings.map(({name}) => name), initdeadMs: 60_000, deadpingMs: 5000};
  node = new MessagingNode({node: 'n1', nodes: ['n1'], media, udpPort: port, loopback: '127.0.78.1', start});
  return node;
}

function becomes(name: string, status: string): (said: MessagingToManager) => boolean {
  return (said) => said.type === 'node-changed' && said.node === name && said.status === status;
}

check('communication is up as soon as every ping node answered', async () => {
  const n1 = alone([
    {name: '127.0.0.9', hosts: ['127.0.0.9']},
    {name: 'routers', hosts: ['240.0.0.1', '127.0.0.8']},
  ]);
  await Promise.all(['127.0.0.9', 'routers'].map((each) => n1.heard(each, becomes(each, 'ping'))));
  await n1.heard('comm-up', ({type}) => type === 'comm-up');
  await n1.heard('the link of its name', (said) => said.type === 'link-changed' && said.link === 'routers');
});

check('a ping that is killed is started again before its node is dead', async () => {
  const n1 = alone([{name: '127.0.0.9', hosts: ['127.0.0.9']}]);
  await n1.heard('an answer', becomes('127.0.0.9', 'ping'));
  const [first] = pingsOf(n1);
  assert(first !== undefined);
  process.kill(first, 'SIGKILL');
  await n1.heard('the loss', (said) => said.type === 'log' && said.record.code === 'LINK_ERROR');
  await until(() => pingsOf(n1).some((pid) => pid !== first), {timeoutMs: 10_000, what: () => 'no other ping'});
  assert(!n1.said.some(becomes('127.0.0.9', 'dead')));
});

check('no ping outlives a messaging process that was killed', async () => {
  const n1 = alone([{name: '240.0.0.1', hosts: ['127.0.0.9']}]);
  await n1.heard('an answer', becomes('240.0.0.1', 'ping'));
  const pids = pingsOf(n1);
  assert.equal(pids.length, 1);
  n1.started.child.kill('SIGKILL');
  const gone = () => pids.every((pid) => commandOf(pid) === '');
  await until(gone, {timeoutMs: 5000, what: () => 'ping lives on'});
});

/** The ping programs that belong to this messaging process. */
function pingsOf(owner: MessagingNode): readonly number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all
    .map(Number)
    .filter((pid) => commandOf(pid).startsWith('ping -n') && parentOf(parentOf(pid)) === owner.started.child.pid);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function parentOf(pid: number): number {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ')[1],
    );
  } catch {
    return 0;
  }
}

// Goal: ucast, bcast and mcast links carry a cluster between two machines, and a link's state tells the truth about its wire.
// Method: two network namespaces joined by two veth pairs, a messaging process in each; links are cut, readdressed and
// made anew while they run. Needs root.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {Medium} from '../../src/model/config.js';
import {fieldOf} from '../../src/model/message.js';
import {MessagingNode} from '../helpers/messaging-node.js';

const isPossible = process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0;
if (!isPossible) process.stderr.write('links.test: skipped, needs root and network namespaces\n');
const check = isPossible ? test : test.skip;

const spaces = [`links-${process.pid}-a`, `links-${process.pid}-b`] as const;
let nodes: MessagingNode[] = [];

const ip = (...args: string[]): string => execFileSync('ip', args, {encoding: 'utf8'});
const inSpace = (index: 0 | 1, ...args: string[]): string => ip('-n', spaces[index], ...args);

beforeEach(() => {
  if (!isPossible) return;
  for (const space of spaces) ip('netns', 'add', space);
  for (const index of [0, 1] as const) inSpace(index, 'link', 'set', 'lo', 'up');
  makeWire('eth0', '10.77.0');
  makeWire('eth1', '10.77.1');
});
afterEach(async () => {
  await Promise.all(nodes.map((each) => each.stop()));
  nodes = [];
  if (isPossible) for (const space of spaces) spawnSync('ip', ['netns', 'del', space]);
});

function makeWire(device: string, net: string): void {
  inSpace(0, 'link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', spaces[1]);
  for (const index of [0, 1] as const) {
    inSpace(index, 'addr', 'add', `${net}.${index + 1}/24`, 'brd', '+', 'dev', device);
    inSpace(index, 'link', 'set', device, 'up');
  }
}

const ucast: readonly Medium[] = [1, 2].flatMap((host) => [
  {kind: 'ucast', device: 'eth0', host: `10.77.0.${host}`} as const,
  {kind: 'ucast', device: 'eth1', host: `10.77.1.${host}`} as const,
]);
const bcast: readonly Medium[] = ['eth0', 'eth1'].map((device) => ({kind: 'bcast', device}));
// One group and port on both wires: the hard case.
const mcast: readonly Medium[] = ['eth0', 'eth1'].map((device) => ({
  kind: 'mcast',
  device,
  group: '225.0.0.77',
  port: 694,
  ttl: 1,
  loop: false,
}));

function start(media: readonly Medium[], bindToDevice: boolean): [MessagingNode, MessagingNode] {
  const common = {nodes: ['n1', 'n2'], media, udpPort: 694, bindToDevice, start: {deadtimeMs: 1000}};
  const launcher = (index: 0 | 1): string[] => ['ip', 'netns', 'exec', spaces[index]];
  const made: [MessagingNode, MessagingNode] = [
    new MessagingNode({node: 'n1', launcher: launcher(0), ...common}),
    new MessagingNode({node: 'n2', launcher: launcher(1), ...common}),
  ];
  nodes.push(...made);
  return made;
}

const linkIs = (node: MessagingNode, link: string, status: 'up' | 'dead', since = 0): Promise<void> =>
  node.until(`${link} ${status}`, () => {
    const changes = node.said
      .slice(since)
      .flatMap((each) => (each.type === 'link-changed' && each.link === link ? [each] : []));
    return changes.at(-1)?.status === status;
  });

async function bothUp(pair: readonly MessagingNode[]): Promise<void> {
  await Promise.all(pair.flatMap((each) => [linkIs(each, 'eth0', 'up'), linkIs(each, 'eth1', 'up')]));
}

const noDeath = (node: MessagingNode): void =>
  assert.deepEqual(
    node.logs.filter((each) => /is dead|Late heartbeat/.test(each)),
    [],
  );

check.each([
  ['ucast', ucast, true],
  ['ucast', ucast, false],
  ['bcast', bcast, true],
  ['bcast', bcast, false],
  ['mcast', mcast, true],
  ['mcast', mcast, false],
  ['a mixture', [...ucast.slice(0, 2), ...bcast], true],
] as const)(
  '%s (%#): active over both links; one cut is seen on that link only, and its return too',
  async (_kind, media, bound) => {
    const [n1, n2] = start(media as readonly Medium[], bound);
    await Promise.all([n1.isActive('n2'), n2.isActive('n1')]);
    await bothUp([n1, n2]);
    const opened = n1.logs.filter((each) => each.includes('LINK_OPEN')).join('\n');
    assert.equal(/bound to device/.test(opened), bound, opened);
    const since = n1.said.length;
    inSpace(1, 'link', 'set', 'eth0', 'down');
    await Promise.all([linkIs(n1, 'eth0', 'dead', since), linkIs(n2, 'eth0', 'dead')]);
    assert(!n1.said.slice(since).some((each) => each.type === 'link-changed' && each.link === 'eth1'));
    const cut = n1.said.length;
    inSpace(1, 'link', 'set', 'eth0', 'up');
    await linkIs(n1, 'eth0', 'up', cut);
    noDeath(n1);
    noDeath(n2);
  },
);

check.each([true, false])(
  'traffic of a dead link does not count when it strays over the other wire (bound: %s)',
  async (bound) => {
    // Both nodes forward and route everything over eth1, and answer for the addresses of eth0 there (weak host model).
    for (const index of [0, 1] as const) inSpace(index, 'route', 'add', 'default', 'via', `10.77.1.${2 - index}`);
    const [n1, n2] = start(ucast, bound);
    await bothUp([n1, n2]);
    const since = [n1.said.length, n2.said.length] as const;
    for (const index of [0, 1] as const) inSpace(index, 'link', 'set', 'eth0', 'down');
    await Promise.all([linkIs(n1, 'eth0', 'dead', since[0]), linkIs(n2, 'eth0', 'dead', since[1])]);
    noDeath(n1);
  },
);

check.each([true, false])('an address that comes late, and one that changes (bound: %s)', async (bound) => {
  inSpace(0, 'addr', 'flush', 'dev', 'eth0');
  const media: readonly Medium[] = [...ucast, {kind: 'ucast', device: 'eth0', host: '10.77.0.9'}];
  const [n1, n2] = start(media, bound);
  await Promise.all([linkIs(n1, 'eth1', 'up'), linkIs(n2, 'eth1', 'up')]);
  inSpace(0, 'addr', 'add', '10.77.0.1/24', 'brd', '+', 'dev', 'eth0');
  await Promise.all([linkIs(n1, 'eth0', 'up'), linkIs(n2, 'eth0', 'up')]);
  inSpace(0, 'addr', 'flush', 'dev', 'eth0');
  // Bound to its device, n1 goes on with any source address: the wire is well, and n2 keeps hearing it.
  if (!bound) await linkIs(n2, 'eth0', 'dead');
  const since = n1.said.length;
  inSpace(0, 'addr', 'add', '10.77.0.9/24', 'brd', '+', 'dev', 'eth0');
  if (bound) {
    n1.send({t: 'greeting'});
    await n2.heard('greeting', (each) => each.type === 'message-received' && fieldOf(each.message, 't') === 'greeting');
    assert(!n2.said.some((each) => each.type === 'link-changed' && each.link === 'eth0' && each.status === 'dead'));
  } else await linkIs(n1, 'eth0', 'up', since);
  noDeath(n1);
});

check.each([
  ['mcast', mcast],
  ['ucast', ucast],
] as const)('a device deleted and made anew: %s comes back', async (_kind, media) => {
  const [n1, n2] = start(media, true);
  await bothUp([n1, n2]);
  const since = n1.said.length;
  inSpace(0, 'link', 'del', 'eth0');
  await linkIs(n1, 'eth0', 'dead', since);
  const cut = n1.said.length;
  makeWire('eth0', '10.77.0');
  await Promise.all([linkIs(n1, 'eth0', 'up', cut), linkIs(n2, 'eth0', 'up', 0)]);
  assert(n1.logs.some((each) => /LINK_DEVICE_REPLACED/.test(each)));
  noDeath(n1);
});

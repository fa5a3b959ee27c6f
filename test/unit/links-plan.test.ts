import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import type {Medium} from '../../src/model/config.js';
import {broadcastOf, isInSubnet} from '../../src/runtime/links/addresses.js';
import {assignDescriptors} from '../../src/runtime/links/assign.js';
import {FaultLog} from '../../src/runtime/links/fault-log.js';
import {linkNames, type PlanInput, planLink, planWarnings} from '../../src/runtime/links/plan.js';

const eth0 = {device: 'eth0', address: '192.168.0.157', netmask: '255.255.255.0'};
const eth1 = {device: 'eth1', address: '192.168.1.157', netmask: '255.255.255.0'};
const both: readonly Medium[] = [
  {kind: 'ucast', device: 'eth0', host: '192.168.0.157'},
  {kind: 'ucast', device: 'eth0', host: '192.168.0.158'},
  {kind: 'ucast', device: 'eth1', host: '192.168.1.158'},
];
const input = (changes: Partial<PlanInput> = {}): PlanInput => ({
  media: both,
  udpPort: 694,
  interfaces: [eth0, eth1],
  ...changes,
});

test('identical files on both nodes: the own address is skipped, the link has one name', () => {
  assert.deepEqual(linkNames(both), ['eth0', 'eth1']);
  assert.deepEqual(planLink('eth0', input()), [
    {kind: 'ucast', device: 'eth0', port: 694, address: '192.168.0.157', targets: ['192.168.0.158'], ttl: 1},
  ]);
});

test('a peer behind a router keeps the default time to live', () => {
  const media = [{kind: 'ucast', device: 'eth0', host: '10.9.8.7'}] as const;
  assert.equal(planLink('eth0', input({media}))[0]?.ttl, undefined);
});

test('a service address is never bound, even when it comes first', () => {
  const service = {...eth0, address: '192.168.0.222'};
  const plans = planLink('eth0', input({interfaces: [service, eth0], floating: ['192.168.0.222']}));
  assert.equal(plans[0]?.address, '192.168.0.157');
  assert.deepEqual(planLink('eth0', input({interfaces: [service], floating: ['192.168.0.222']})), []);
});

test('bcast and mcast bind what they receive on', () => {
  const media: readonly Medium[] = [
    {kind: 'bcast', device: 'eth1'},
    {kind: 'mcast', device: 'eth0', group: '225.0.0.1', port: 694, ttl: 1, loop: false},
  ];
  assert.deepEqual(planLink('eth1', input({media}))[0], {
    kind: 'bcast',
    device: 'eth1',
    port: 694,
    address: '192.168.1.255',
    targets: ['192.168.1.255'],
    ttl: 1,
  });
  assert.equal(planLink('eth0', input({media}))[0]?.interfaceAddress, '192.168.0.157');
});

test('on lo the environment says which address is this node', () => {
  const media: readonly Medium[] = ['127.0.77.1', '127.0.77.2'].map((host) => ({kind: 'ucast', device: 'lo', host}));
  const plan = planLink('lo', input({media, loopback: '127.0.77.1'}))[0];
  assert.equal(plan?.address, '127.0.77.1');
  assert.deepEqual(plan?.targets, ['127.0.77.2']);
  const lo = {device: 'lo', address: '127.0.0.1', netmask: '255.0.0.0'};
  assert.deepEqual(
    planLink('lo', input({media, interfaces: [lo]}))[0]?.targets,
    [],
    'without it all of 127/8 is this node',
  );
});

test('two interfaces in one subnet are warned about, other kinds of link are named', () => {
  const near = {...eth1, address: '192.168.0.200'};
  const media: readonly Medium[] = [...both, {kind: 'serial', device: '/dev/ttyS0', baud: 19200}];
  assert.deepEqual(
    planWarnings(input({media, interfaces: [eth0, near]})).map((each) => each.code),
    ['LINKS_SHARE_SUBNET', 'LINK_KIND_UNSUPPORTED'],
  );
  assert.deepEqual(planWarnings(input()), []);
});

test('one device-bound socket serves unicast and broadcast of its device', () => {
  const media: readonly Medium[] = [...both, {kind: 'bcast', device: 'eth0'}];
  const socket = {descriptor: 4, device: 'eth0', address: '0.0.0.0', port: 694};
  const assigned = assignDescriptors(planLink('eth0', input({media})), [socket]);
  assert.equal(assigned.length, 1);
  assert.equal(assigned[0]?.descriptor, 4);
  assert.deepEqual(assigned[0]?.plan.targets, ['192.168.0.158', '192.168.0.255']);
  assert.deepEqual(
    assignDescriptors(planLink('eth0', input({media})), []).map((each) => each.descriptor),
    [undefined, undefined],
  );
});

test('subnets', () => {
  assert(isInSubnet('192.168.0.1', eth0));
  assert(!isInSubnet('192.168.1.1', eth0));
  assert.equal(broadcastOf({...eth0, netmask: '255.255.240.0'}), '192.168.15.255');
  assert.equal(broadcastOf({...eth0, netmask: '255.255.255.254'}), undefined);
});

test('link errors: ten lines, then one a minute with the number left out, then that it works again', () => {
  const lines: string[] = [];
  const faults = new FaultLog('eth0', (record) => lines.push(record.text));
  for (let second = 0; second < 120; second++) faults.failed('ENETUNREACH', second * 1000);
  assert.equal(lines.length, 11);
  assert.match(lines[10] ?? '', /59 more/);
  for (let each = 0; each < 10; each++) faults.worked();
  assert.match(lines[11] ?? '', /works again after 120 errors/);
});

// Goal: the timelines of wire-protocol.md 5 and resource-engine.md 2.8, 2.10, 2.14, and where we differ on purpose.
// Method: one core under a virtual clock, a peer made by hand; or two cores on a perfect network.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {fieldOf, type Message} from '../../src/model/message.js';
import type {MessagingEffect} from '../../src/model/messaging.js';
import {Lab, logs, Net, Peer, sent, settledPair, startOf, texts, told} from '../helpers/messaging.js';

const brief = (message: Message) =>
  [fieldOf(message, 't'), fieldOf(message, 'st'), fieldOf(message, 'seq')].filter((each) => each).join(' ');

const changes = (effects: readonly MessagingEffect[]) =>
  told(effects, 'node-changed').map((each) => `${each.previous}>${each.status}`);

test('a node starts as the real one: init, up, up with two seconds more, ready for the manager', () => {
  const lab = new Lab();
  const effects = lab.take();
  assert.deepEqual(sent(effects).map(brief), ['status init 1', 'status up 2', 'status up 3']);
  assert.deepEqual(
    sent(effects)[0]?.fields.map((each) => `${each.type}${each.name}`),
    ['0t', '0st', '0dt', '0protocol', '0sysv', '0src', '1srcuuid', '0seq', '0hg', '0ts', '0ttl'],
  );
  const first = sent(effects)[0]!;
  const values = ['dt', 'protocol', 'src', 'srcuuid', 'hg', 'ttl'].map((each) => fieldOf(first, each));
  assert.deepEqual(values, ['1b58', '1', 'ha1', '1'.repeat(16), '3e8', '3']);
  assert.equal(fieldOf(first, 'ts'), Math.floor((1_795_000_000_000 + 100_000) / 1000).toString(16));
  assert.equal(told(effects, 'ready').length, 1);
});

test('two nodes settle as in the reference timeline, within milliseconds of the second one', () => {
  const net = new Net([startOf(), startOf({node: 'ha2', uuid: '2'.repeat(16), generation: 7})], 1);
  net.run(100);
  for (const lab of net.labs) {
    assert.equal(lab.state.status, 'active');
    const effects = lab.done.map((each) => each.effect);
    assert.equal(told(effects, 'comm-up').length, 1);
    assert.ok(sent(effects, 'reqnodes').length >= 1);
    const reply = sent(effects, 'repnodes')[0]!;
    assert.equal(fieldOf(reply, 'nodelist'), 'ha1 ha2 ');
    assert.equal(fieldOf(reply, 'delnodelist'), ' ');
    assert.equal(reply.fields.find((each) => each.name === 'destuuid')?.type, 1);
    assert.ok(texts(effects).includes('Comm_now_up(): updating status to active'));
    assert.ok(texts(effects).some((each) => /^Link ha[12]:eth1 up\.$/.test(each)));
  }
  net.run(6000);
  const dts = sent(
    net.labs[0]!.done.map((each) => each.effect),
    'status',
  ).map((each) => fieldOf(each, 'dt'));
  assert.equal(dts.at(-1), '1388');
  assert.equal(dts.indexOf('1388'), dts.lastIndexOf('1b58') + 1);
});

test('keepalives follow an absolute schedule: late timers do not add up, missed beats are not made up for', () => {
  const lab = new Lab();
  lab.take();
  for (let beat = 1; beat <= 30; beat++) {
    lab.nowMs = 100_000 + beat * 1000 + 40; // The timer is always 40 ms late.
    lab.feed({type: 'woke'});
  }
  const beats = lab.done.filter((each) => sent([each.effect], 'status').length > 0).map((each) => each.atMs - 100_000);
  assert.deepEqual(
    beats.filter((each) => each > 11_040),
    Array.from({length: 19}, (_, index) => 12_040 + index * 1000),
  );
  lab.nowMs += 3500;
  assert.equal(sent(lab.feed({type: 'woke'}), 'status').length, 1);
  assert.equal(lab.state.nextBeatMs, 134_000);
});

test('a lone node waits initdead, then is active with the peer dead and never heard', () => {
  const lab = new Lab();
  lab.feed({type: 'manager-connected'});
  lab.feed({type: 'manager-said', message: {type: 'renew-lease', forMs: 1e9}});
  lab.pass(9999);
  assert.equal(lab.state.status, 'up');
  lab.take();
  lab.pass(1);
  const effects = lab.take();
  assert.deepEqual(told(effects, 'node-changed'), [
    {type: 'node-changed', node: 'ha2', status: 'dead', previous: 'init', wasHeard: false},
  ]);
  assert.ok(texts(effects).includes('node ha2: is dead'));
  assert.equal(lab.state.status, 'active');
  assert.equal(sent(effects, 'reqnodes').length, 0);
});

test('an unanswered reqnodes is repeated each second; a peer without protocol is not asked', () => {
  const lab = new Lab();
  const peer = new Peer();
  lab.receive(peer.status('up'));
  for (let second = 0; second < 3; second++) {
    lab.pass(1000);
    lab.receive(peer.status('up'));
  }
  const asked = lab.done.filter((each) => sent([each.effect], 'reqnodes').length > 0);
  assert.deepEqual(
    asked.map((each) => each.atMs - 100_000),
    [0, 1000, 2000, 3000],
  );
  const other = new Lab();
  other.receive(new Peer().message({t: 'status', st: 'up', dt: '1388'}));
  assert.equal(other.state.status, 'active');
  assert.equal(fieldOf(sent(other.take(), 'status').at(-1)!, 'protocol'), '1');
});

test('a death is declared at the millisecond at which the announced dead time ends', () => {
  const {lab, peer} = settledPair();
  lab.receive(peer.message({t: 'status', st: 'active', dt: (15_000).toString(16), protocol: '1'}));
  const heardMs = lab.nowMs;
  lab.take();
  lab.pass(20_000);
  const death = lab.done.find((each) => told([each.effect], 'node-changed').length > 0);
  assert.equal(death?.atMs, heardMs + 15_000);
});

test('other traffic than statuses keeps nobody alive, but its link up', () => {
  const {lab, peer} = settledPair();
  for (let second = 0; second < 6; second++) {
    lab.pass(1000);
    lab.receive(peer.message({t: 'hbapi-clstat', st: 'join'}));
  }
  assert.deepEqual(changes(lab.take()), ['active>dead']);
});

test('5010 ms: a gap longer than our deadtime but not than the announced one only warns', () => {
  const {lab, peer} = settledPair();
  lab.receive(peer.message({t: 'status', st: 'active', dt: '1b58', protocol: '1'}));
  lab.take();
  lab.pass(5010);
  lab.receive(peer.message({t: 'status', st: 'active', dt: '1b58', protocol: '1'}));
  const effects = lab.take();
  assert.deepEqual(changes(effects), []);
  assert.deepEqual(
    logs(effects)
      .filter((each) => each.code === 'HEARTBEAT_LATE')
      .map((each) => [each.level, each.text]),
    [['CRIT', 'Late heartbeat: Node ha2: interval 5010 ms (> deadtime)']],
  );
});

test('5010 ms: a status in hand beats the deadline that passed ten milliseconds ago', () => {
  const {lab, peer} = settledPair();
  lab.pass(4999);
  lab.sleep(11);
  lab.receive(peer.status());
  assert.deepEqual(changes(lab.take()), []);
  lab.pass(4999);
  assert.deepEqual(changes(lab.take()), []);
});

test('5010 ms: once the verdict is spoken, the late status is a return, never a second death', () => {
  const {lab, peer} = settledPair();
  lab.pass(5010);
  assert.deepEqual(changes(lab.take()), ['active>dead']);
  lab.receive(peer.status());
  const effects = lab.take();
  assert.deepEqual(changes(effects), ['dead>active']);
  assert.equal(told(effects, 'node-returned').length, 1);
});

test('warntime: late heartbeats are warned of with the real text', () => {
  const {lab, peer} = settledPair();
  lab.pass(2600);
  lab.receive(peer.status());
  assert.ok(texts(lab.take()).includes('Late heartbeat: Node ha2: interval 2600 ms'));
});

test('a healed partition: same generation, newer number', () => {
  const {lab, peer} = settledPair();
  lab.pass(6000);
  assert.ok(texts(lab.take()).includes('Link ha2:eth0 dead.'));
  lab.pass(500);
  lab.take();
  const old = peer.status();
  const fresh = peer.status();
  const effects = lab.receive(fresh);
  const all = texts(effects);
  for (const text of [
    'Cluster node ha2 returning after partition.',
    'Deadtime value may be too small.',
    'Link ha2:eth0 up.',
    'Status update for node ha2: status active',
  ]) {
    assert.ok(all.includes(text), text);
  }
  assert.equal(sent(effects, 'status').length, 1, 'our own status at once');
  const order = effects.flatMap((each) => (each.type === 'tell-manager' ? [each.message.type] : []));
  assert.deepEqual(order, ['node-returned', 'link-changed', 'node-changed', 'message-received']);
  assert.deepEqual(
    lab.receive(old).filter((each) => each.type === 'tell-manager'),
    [],
  );
});

test('an old packet does not revive a dead node, be it a status or a report', () => {
  const {lab, peer} = settledPair();
  const status = peer.status();
  const report = peer.message({t: 'resource', rsc_hold: 'all', rtype: 'full', isstable: '1'});
  lab.receive(status);
  lab.receive(report);
  lab.pass(6000);
  lab.take();
  lab.receive(status);
  lab.receive(report);
  assert.deepEqual(lab.take(), []);
});

test('a restart faster than deadtime', () => {
  const {lab, peer} = settledPair();
  lab.pass(800);
  lab.take();
  peer.generation += 1;
  peer.seq = 0;
  const effects = [...lab.receive(peer.status('init')), ...lab.receive(peer.status('up'))];
  assert.ok(texts(effects).includes('Heartbeat restart on node ha2'));
  assert.equal(told(effects, 'node-restarted').length, 1);
  assert.equal(told(effects, 'node-returned').length, 0);
  assert.deepEqual(changes(effects), ['active>init', 'init>up']);
  const late = new Peer();
  late.seq = 900;
  const replay = lab.receive(late.status());
  assert.ok(texts(replay).includes('should_drop_message: attempted replay attack [ha2]? [gen = 500, curgen = 501]'));
  assert.equal(replay.filter((each) => each.type === 'tell-manager').length, 0);
  assert.deepEqual(texts(lab.receive(late.status())), [], 'noise is logged once a minute');
});

test('packets that must not count: unknown node, cloned uuid, our own name, our own packets, no timestamp', () => {
  const {lab, peer} = settledPair();
  const before = JSON.stringify({...lab.state, faults: 0, refused: 0});
  const stranger = new Peer('ha9');
  const cloned = new Peer();
  cloned.uuid = '1'.repeat(16);
  const namesake = new Peer('ha1');
  const all = [
    lab.receive(stranger.status()),
    lab.receive(cloned.status()),
    lab.receive(cloned.status()),
    lab.receive(namesake.status()),
    lab.receive(peer.message({t: 'status', st: 'active'}, {ts: '0', seq: 'ff'})),
    lab.receive(peer.message({t: 'status', st: 'active'}, {seq: 'zz'})),
    lab.receive(peer.message({t: 'status', st: 'king'}, {seq: 'fe'})),
  ].flat();
  assert.deepEqual(
    logs(all).map((each) => each.code),
    ['NODE_UNKNOWN', 'UUID_CLONED', 'NODE_NAME_TWICE', 'MESSAGE_INCOMPLETE', 'MESSAGE_INCOMPLETE', 'STATUS_UNKNOWN'],
  );
  assert.equal(texts(all)[0], 'process_status_message: bad node [ha9] in message');
  const cloneReports = all.filter((each) => each.type === 'tell-manager' && each.message.type === 'uuid-cloned');
  assert.equal(cloneReports.length, 1, 'the manager is told, as rarely as the log');
  const own = new Peer('ha1');
  own.uuid = '1'.repeat(16);
  assert.deepEqual(lab.receive(own.status()), []);
  assert.equal(JSON.stringify({...lab.state, faults: 0, refused: 0}), before);
});

test('a node may change its uuid, and an all-zero one is accepted', () => {
  const {lab, peer} = settledPair();
  peer.uuid = '\0'.repeat(16);
  assert.deepEqual(texts(lab.receive(peer.status())), []);
  peer.uuid = 'AB'.repeat(8);
  assert.deepEqual(texts(lab.receive(peer.status())), [`node ha2 changed its uuid to ${'4142'.repeat(8)}`]);
  assert.equal(lab.state.nodes[1]?.uuid, 'AB'.repeat(8));
});

test('links: each has its own record; a repeated copy keeps the second one up', () => {
  const {lab, peer} = settledPair();
  for (let second = 0; second < 12; second++) {
    lab.pass(1000);
    const status = peer.status();
    lab.receive(status, 'eth0');
    if (second < 5) lab.receive(status, 'eth1');
  }
  const seen = told(lab.take(), 'link-changed').map((each) => `${each.link} ${each.status}`);
  assert.deepEqual(seen, ['eth1 up', 'eth1 dead']);
});

test('ping nodes: alive while they answer, dead after deadping, and they hold up the start', () => {
  const lab = new Lab(startOf({pingNodes: ['gate'], deadpingMs: 3000}));
  const peer = new Peer();
  const answer = {fields: [...peer.message({t: 'NS_st', st: 'ping', info: 'ping'}, {src: 'gate'}).fields]};
  lab.receive(peer.message({t: 'status', st: 'up', dt: 'ffff'}));
  assert.equal(lab.state.isCommUp, false);
  lab.receive(answer, 'gate');
  assert.equal(lab.state.isCommUp, true);
  assert.equal(fieldOf(sent(lab.take(), 'status')[0]!, 'ttl'), '4');
  lab.pass(3000);
  assert.deepEqual(changes(lab.take()), ['ping>dead']);
  lab.receive(answer, 'eth0');
  assert.deepEqual(lab.take(), [], 'only on its own link');
  lab.receive(answer, 'gate');
  const effects = lab.take();
  assert.deepEqual(changes(effects), ['dead>ping']);
  assert.equal(told(effects, 'node-returned').length, 0);
});

test('statuses reach the manager when their content changes, and only then; protocol traffic never', () => {
  const {lab, peer} = settledPair();
  lab.receive(peer.status());
  lab.receive(peer.message({t: 'reqnodes', dest: 'ha1'}));
  lab.receive(peer.message({t: 'NS_ackmsg', dest: 'ha1', ackseq: '1'}));
  assert.equal(told(lab.take(), 'message-received').length, 0);
  lab.receive(peer.status('active', {'x-claims': 'g1'}));
  lab.receive(peer.status('active', {'x-claims': 'g1'}));
  lab.receive(peer.message({t: 'ask_resources', rsc_hold: 'all', info: 'me', dest: 'ha9'}));
  assert.equal(told(lab.take(), 'message-received').length, 1);
  lab.receive(peer.message({t: 'ask_resources', rsc_hold: 'all', info: 'me'}));
  assert.equal(told(lab.take(), 'message-received').length, 1);
});

test('nodes are added as init, die without ever being heard, and only the dead are deleted', () => {
  const {lab, peer} = settledPair();
  lab.feed({type: 'manager-said', message: {type: 'add-nodes', nodes: ['ha3', 'ha2']}});
  const added = lab.take();
  assert.deepEqual(
    told(added, 'nodes-edited').map((each) => each.nodes),
    [['ha1', 'ha2', 'ha3']],
  );
  assert.equal(logs(added).filter((each) => each.level === 'ERROR').length, 1);
  lab.feed({type: 'manager-said', message: {type: 'delete-nodes', nodes: ['ha3']}});
  assert.ok(texts(lab.take()).includes('deletion failed: node ha3 is not dead'));
  lab.pass(4000);
  lab.receive(peer.status());
  lab.pass(1000);
  assert.deepEqual(told(lab.take(), 'node-changed'), [
    {type: 'node-changed', node: 'ha3', status: 'dead', previous: 'init', wasHeard: false},
  ]);
  lab.feed({type: 'manager-said', message: {type: 'delete-nodes', nodes: ['ha3']}});
  const deleted = lab.take();
  assert.deepEqual(
    told(deleted, 'nodes-edited').map((each) => each.nodes),
    [['ha1', 'ha2']],
  );
  lab.receive(peer.message({t: 'reqnodes', dest: 'ha1'}));
  assert.equal(fieldOf(sent(lab.take(), 'repnodes')[0]!, 'delnodelist'), 'ha3 ');
});

test('a node list from a peer adds what is new, never removes the living, and stays bounded', () => {
  const {lab, peer} = settledPair();
  const names = Array.from({length: 300}, (_, index) => `n${index}`);
  lab.receive(peer.message({t: 'repnodes', dest: 'ha1', nodelist: `${names.join(' ')} `, delnodelist: ' '}));
  const normal = lab.state.nodes.map((each) => each.name);
  assert.equal(normal.length, 100);
  assert.deepEqual(normal.slice(0, 3), ['ha1', 'ha2', 'n0']);
  assert.equal(logs(lab.take()).filter((each) => each.code === 'NODE_NOT_REMOVED').length, 2);
});

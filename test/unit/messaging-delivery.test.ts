// Goal: reliable delivery as wire-protocol.md 4 describes it, with every answer and every list bounded.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {type Lab, logs, type Peer, sent, settledPair, texts, told} from '../helpers/messaging.js';

const request = (peer: Peer, first: number, last = first) =>
  peer.message({t: 'NS_rexmit', dest: 'ha1', firstseq: String(first), lastseq: String(last)});

const say = (lab: Lab, values: Record<string, string>) =>
  lab.feed({type: 'manager-said', message: {type: 'send', message: messageOf(values)}});

test('a gap is asked for after a random 50..250 ms, then every 250 ms, until it is filled', () => {
  const {lab, peer} = settledPair();
  const last = peer.seq;
  const lost = peer.message({t: 'shutdone', st: 'dead'});
  const gapMs = lab.nowMs;
  lab.receive(peer.status());
  assert.ok(texts(lab.take()).includes(`1 lost packet(s) for [ha2] [${last}:${last + 2}]`));
  lab.pass(900);
  const asked = lab.done.filter((each) => sent([each.effect], 'NS_rexmit').length > 0);
  const first = asked[0]!.atMs - gapMs;
  assert.ok(first >= 50 && first <= 250, String(first));
  assert.deepEqual(
    asked.map((each) => each.atMs - asked[0]!.atMs),
    [0, 250, 500, ...(asked.length > 3 ? [750] : [])],
  );
  const ask = sent(lab.take(), 'NS_rexmit')[0]!;
  assert.deepEqual(
    ask.fields.map((each) => each.name),
    ['t', 'dest', 'firstseq', 'lastseq', 'destuuid', 'src', 'srcuuid', 'hg', 'ts', 'ttl'],
  );
  assert.equal(fieldOf(ask, 'firstseq'), String(last + 1));
  const effects = lab.receive(lost);
  assert.ok(texts(effects).includes('No pkts missing from ha2!'));
  assert.equal(told(effects, 'message-received').length, 1);
  assert.deepEqual(told(lab.receive(lost), 'message-received'), []);
  lab.take();
  lab.pass(800);
  assert.equal(sent(lab.take(), 'NS_rexmit').length, 0);
});

test('a NAK ends the asking', () => {
  const {lab, peer} = settledPair();
  peer.seq += 1;
  const lost = peer.seq;
  lab.receive(peer.status());
  lab.take();
  lab.receive(peer.message({t: 'NS_nak_rexmit', firstseq: lost.toString(16), dest: 'ha1', info: 'seqno too low'}));
  lab.receive(peer.message({t: 'NS_nak_rexmit', firstseq: lost.toString(16), dest: 'ha1', info: 'seqno too low'}));
  assert.deepEqual(
    texts(lab.take()).filter((each) => each.startsWith('Irr')),
    [`Irretrievably lost packet: node ha2 seq ${lost}`],
  );
  lab.pass(900);
  assert.equal(sent(lab.take(), 'NS_rexmit').length, 0);
});

test('a gap above 250 is not repaired', () => {
  const {lab, peer} = settledPair();
  peer.seq += 251;
  assert.ok(texts(lab.receive(peer.status())).some((each) => each.startsWith('lost a lot of packets!')));
  lab.take();
  lab.pass(800);
  assert.equal(sent(lab.take(), 'NS_rexmit').length, 0);
});

test('nobody is asked once the node is dead, and what it sent before is not asked for after its return', () => {
  const {lab, peer} = settledPair();
  peer.seq += 3;
  lab.receive(peer.status());
  lab.pass(6000);
  lab.take();
  lab.pass(2000);
  peer.seq += 7;
  lab.receive(peer.status());
  lab.pass(900);
  assert.equal(sent(lab.take(), 'NS_rexmit').length, 0);
});

test('numbered packets that come before the first status of a life are asked for once it is there', () => {
  const {lab, peer} = settledPair();
  peer.generation += 1;
  peer.seq = 4;
  const early = peer.message({t: 'starting'});
  assert.deepEqual(lab.receive(early), []);
  lab.receive(peer.status('up'));
  lab.take();
  lab.pass(300);
  assert.deepEqual(
    sent(lab.take(), 'NS_rexmit').map((each) => fieldOf(each, 'firstseq')),
    ['5'],
  );
  assert.equal(told(lab.receive(early), 'message-received').length, 1);
});

test('a restarted peer may ask for what we sent just before we heard its first status', () => {
  const {lab, peer} = settledPair();
  say(lab, {t: 'starting'});
  const seq = lab.state.highest;
  peer.generation += 1;
  peer.seq = 0;
  lab.receive(peer.status('init'));
  assert.equal(sent(lab.receive(request(peer, seq)), 'starting').length, 1);
});

test('a status that comes late, because it was asked for again, changes nothing', () => {
  const {lab, peer} = settledPair();
  const old = peer.status('up', {'x-claims': 'old'});
  lab.receive(peer.status('active', {'x-claims': 'new'}));
  lab.take();
  lab.pass(3000);
  lab.take();
  const effects = lab.receive(old);
  assert.equal(told(effects, 'message-received').length + told(effects, 'node-changed').length, 0);
  lab.pass(2000);
  assert.equal(told(lab.take(), 'node-changed')[0]?.status, 'dead', 'nor does it count as a heartbeat');
});

test('what a dead node says beside statuses is neither served nor counted', () => {
  const {lab, peer} = settledPair();
  say(lab, {t: 'starting'});
  const {highest} = lab.state;
  lab.pass(6000);
  lab.take();
  assert.deepEqual(lab.receive(request(peer, highest)), []);
  assert.deepEqual(lab.receive(peer.message({t: 'NS_ackmsg', dest: 'ha1', ackseq: '1'})), []);
});

test('serving: the identical message, once per 240 ms; ranges; at most 50', () => {
  const {lab, peer} = settledPair();
  say(lab, {t: 'starting'});
  const original = sent(lab.take(), 'starting')[0] as Message;
  const seq = lab.state.highest;
  assert.deepEqual(sent(lab.receive(request(peer, seq))), [original]);
  assert.deepEqual(sent(lab.receive(request(peer, seq), 'eth1')), []);
  lab.pass(240);
  assert.deepEqual(sent(lab.receive(request(peer, seq))), [original]);
  for (let each = 0; each < 80; each++) say(lab, {t: 'noise'});
  assert.equal(sent(lab.receive(request(peer, seq + 1, seq + 80))).length, 50);
});

test('serving what is not there: a NAK in hex, and a log line for what was never sent', () => {
  const {lab, peer} = settledPair();
  for (let each = 0; each < 600; each++) say(lab, {t: 'noise'});
  lab.take();
  const effects = lab.receive(request(peer, 17));
  const nak = sent(effects, 'NS_nak_rexmit')[0]!;
  assert.equal(fieldOf(nak, 'firstseq'), '11');
  assert.equal(fieldOf(nak, 'info'), 'seqno too low');
  assert.ok(texts(effects).includes('Cannot rexmit pkt 17 for ha2: seqno too low'));
  assert.deepEqual(sent(lab.receive(request(peer, 17), 'eth1')), []);
  const {highest} = lab.state;
  const unsent = lab.receive(request(peer, highest + 5));
  assert.deepEqual(sent(unsent), []);
  assert.ok(texts(unsent).includes(`Rexmit of seq ${highest + 5} requested. ${highest} is max.`));
  assert.deepEqual(sent(lab.receive(request(peer, 9, 8))), []);
});

test('a replayed storm of requests costs at most fifty refusals in a while', () => {
  const {lab, peer} = settledPair();
  for (let each = 0; each < 900; each++) say(lab, {t: 'noise'});
  lab.take();
  for (let seq = 1; seq <= 400; seq++) lab.receive(request(peer, seq));
  assert.equal(sent(lab.take(), 'NS_nak_rexmit').length, 50);
});

test('every tenth number is acknowledged, and none above a hole', () => {
  const {lab, peer} = settledPair();
  for (let each = 0; each < 30; each++) lab.receive(peer.status());
  const acks = sent(lab.take(), 'NS_ackmsg').map((each) => Number.parseInt(fieldOf(each, 'ackseq')!, 16));
  const trigger = lab.state.nodes[1]!.ackTrigger;
  assert.equal(acks.length, 3);
  for (const each of acks) assert.equal(each % 10, trigger);
  const hole = peer.message({t: 'late'});
  for (let each = 0; each < 20; each++) lab.receive(peer.status());
  const above = sent(lab.take(), 'NS_ackmsg').map((each) => Number.parseInt(fieldOf(each, 'ackseq')!, 16));
  assert.ok(above.every((each) => each < Number.parseInt(fieldOf(hole, 'seq')!, 16)));
  lab.receive(hole);
  const filled = sent(lab.take(), 'NS_ackmsg').map((each) => Number.parseInt(fieldOf(each, 'ackseq')!, 16));
  assert.equal(filled.length, 1);
  assert.ok(filled[0]! > peer.seq - 10);
});

test('a peer that never acknowledges is warned of at 376 and 451; an ack frees the history', () => {
  const {lab, peer} = settledPair();
  const base = lab.state.nodes[1]!.ackBase;
  while (lab.state.highest - base < 375) say(lab, {t: 'noise'});
  assert.deepEqual(texts(lab.take()), ['all clients are now paused']);
  say(lab, {t: 'noise'});
  assert.deepEqual(texts(lab.take()), ['Message hist queue is filling up (376 messages in queue)']);
  while (lab.state.highest - base < 1000) say(lab, {t: 'noise'});
  assert.deepEqual(
    logs(lab.take()).map((each) => [each.level, each.text]),
    [['ERROR', 'Message hist queue is filling up (451 messages in queue)']],
  );
  assert.equal(lab.state.history.length, 500);
  lab.receive(peer.message({t: 'NS_ackmsg', dest: 'ha9', ackseq: (1000).toString(16)}));
  assert.equal(lab.state.history.length, 500, 'an ack for somebody else');
  const corrupt = lab.receive(peer.message({t: 'NS_ackmsg', dest: 'ha1', ackseq: 'ffff'}));
  assert.ok(texts(corrupt)[0]?.startsWith('corrupted ackseq'));
  lab.receive(peer.status());
  lab.pass(3000);
  lab.receive(peer.message({t: 'NS_ackmsg', dest: 'ha1', ackseq: lab.state.highest.toString(16)}));
  assert.ok(lab.state.history.length < 5);
});

test('clients are paused while a live peer is more than 200 behind, and a new manager is told so too', () => {
  const {lab, peer} = settledPair();
  const flow = (): readonly boolean[] => told(lab.take(), 'flow-changed').map((each) => each.isPaused);
  const base = lab.state.nodes[1]!.ackBase;
  const ack = (seq: number): void =>
    void lab.receive(peer.message({t: 'NS_ackmsg', dest: 'ha1', ackseq: seq.toString(16)}));
  while (lab.state.highest - base < 200) say(lab, {t: 'noise'});
  assert.deepEqual(flow(), []);
  say(lab, {t: 'noise'});
  assert.deepEqual(flow(), [true]);
  lab.feed({type: 'manager-lost'});
  lab.feed({type: 'manager-connected'});
  assert.deepEqual(flow(), [true]);
  ack(lab.state.highest - 200);
  assert.deepEqual(flow(), [], 'at 200 nothing changes');
  ack(lab.state.highest - 199);
  assert.deepEqual(flow(), [false]);
  while (lab.state.highest - lab.state.nodes[1]!.acked < 201) say(lab, {t: 'noise'});
  assert.deepEqual(flow(), [true]);
  lab.pass(10_000);
  assert.equal(lab.state.nodes[1]!.status, 'dead');
  assert.deepEqual(flow(), [false], 'nobody waits for the dead');
});

test('a message that cannot fit a datagram gets no number, and a beacon cannot silence us', () => {
  const {lab} = settledPair();
  const {highest} = lab.state;
  say(lab, {t: 'big', body: 'x'.repeat(65_500)});
  assert.equal(lab.state.highest, highest);
  assert.deepEqual(
    logs(lab.take()).map((each) => each.code),
    ['MESSAGE_TOO_LONG'],
  );
  say(lab, {t: 'big', body: 'x'.repeat(65_000)});
  assert.equal(lab.state.highest, highest + 1);
  lab.take();
  lab.feed({type: 'manager-said', message: {type: 'set-beacon', values: {'x-a': '1', st: 'dead'}}});
  const status = sent(lab.take(), 'status')[0]!;
  assert.deepEqual(
    status.fields.slice(0, 5).map((each) => `${each.name}=${each.value}`),
    ['t=status', 'st=active', 'dt=1b58', 'protocol=1', 'x-a=1'],
  );
  lab.feed({type: 'manager-said', message: {type: 'set-beacon', values: {'x-a': 'x'.repeat(66_000)}}});
  lab.pass(1000);
  const after = lab.take();
  assert.deepEqual(
    logs(after).map((each) => each.code),
    ['BEACON_TOO_LONG'],
  );
  assert.equal(fieldOf(sent(after, 'status')[0]!, 'x-a'), '1');
});

test('a message to one node carries its uuid; an unnumbered one has neither seq nor ld', () => {
  const {lab} = settledPair();
  lab.feed({type: 'load-read', text: '0.75 0.52 0.29 1/112 15\n'});
  const {highest} = lab.state;
  say(lab, {t: 'start_outdate', dest: 'ha2', src: 'liar'});
  say(lab, {t: 'NS_hello'});
  const [first, second] = sent(lab.take());
  const names = (message: Message) => message.fields.map((each) => each.name);
  assert.deepEqual(names(first!), ['t', 'dest', 'src', 'destuuid', 'srcuuid', 'seq', 'hg', 'ts', 'ld', 'ttl']);
  assert.equal(fieldOf(first!, 'src'), 'ha1');
  assert.equal(fieldOf(first!, 'destuuid'), '2'.repeat(16));
  assert.equal(fieldOf(first!, 'ld'), '0.75 0.52 0.29 1/112 15');
  assert.deepEqual(names(second!), ['t', 'src', 'srcuuid', 'hg', 'ts', 'ttl']);
  assert.equal(lab.state.highest, highest + 1);
});

test('client announcements wait for earlier holes; nothing else does', () => {
  const {lab, peer} = settledPair();
  const lost = peer.message({t: 'resource', rsc_hold: 'none'});
  lab.receive(peer.message({t: 'hbapi-clstat', st: 'join', from_id: 'ipfail'}));
  lab.receive(peer.message({t: 'resource', rsc_hold: 'local'}));
  const kinds = () => told(lab.take(), 'message-received').map((each) => fieldOf(each.message, 't'));
  assert.deepEqual(kinds(), ['resource']);
  lab.receive(lost);
  assert.deepEqual(kinds(), ['resource', 'hbapi-clstat']);
});

test('refused packets only count: one line per source and fault a minute, a bounded table', () => {
  const {lab} = settledPair();
  const fromMs = lab.nowMs;
  for (let each = 0; each < 1000; each++) {
    lab.feed({type: 'noise-arrived', link: 'eth0', fault: 'bad-digest', from: `10.0.0.9:${each}`});
  }
  assert.equal(logs(lab.take()).length, 1);
  for (let each = 0; each < 1000; each++) {
    lab.feed({type: 'noise-arrived', link: 'eth0', fault: 'bad-digest', from: `10.1.${each >> 8}.${each & 255}:694`});
  }
  assert.equal(lab.state.refused, 2000);
  assert.ok(logs(lab.take()).length <= 65);
  assert.ok(lab.state.faults.length <= 66);
  lab.pass(61_000);
  lab.take();
  lab.feed({type: 'noise-arrived', link: 'eth0', fault: 'bad-digest', from: '10.0.0.9:1'});
  assert.match(texts(lab.take())[0]!, /10\.0\.0\.9 .*999 more/);
  assert.equal(lab.nowMs, fromMs + 61_000);
});

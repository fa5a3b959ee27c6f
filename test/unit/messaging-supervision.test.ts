// Goal: the sleep rule (src/messaging/doubt.ts), the manager's lease, and the ordered end.
// Method: virtual time; "asleep" is time that passes without a step, and packets that are read only after it.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {fieldOf} from '../../src/model/message.js';
import type {MessagingEffect} from '../../src/model/messaging.js';
import {Lab, logs, sent, settledPair, startOf, texts, told} from '../helpers/messaging.js';

const deaths = (lab: Lab) =>
  lab.done.filter((each) => told([each.effect], 'node-changed').some((it) => it.status === 'dead'));
const kinds = (effects: readonly MessagingEffect[]) =>
  effects.map((each) => each.type).filter((each) => each !== 'log' && each !== 'transmit' && each !== 'tell-manager');

test('asleep for four dead times: a peer whose packets wait in the sockets stays alive, without a warning', () => {
  const {lab, peer} = settledPair();
  lab.sleep(20_000);
  lab.feed({type: 'woke'});
  for (let each = 0; each < 20; each++) lab.receive(peer.status());
  for (let each = 0; each < 10; each++) {
    lab.pass(1000);
    lab.receive(peer.status());
  }
  assert.deepEqual(deaths(lab), []);
  assert.ok(texts(lab.done.map((each) => each.effect)).some((each) => each.startsWith('We were not running for')));
  assert.deepEqual(
    logs(lab.take()).filter((each) => each.code === 'HEARTBEAT_LATE'),
    [],
  );
});

test('both were asleep: nothing waits, and one fresh keepalive within the grace is enough', () => {
  const {lab, peer} = settledPair();
  lab.sleep(20_000);
  lab.feed({type: 'woke'});
  lab.pass(1000);
  lab.receive(peer.status());
  lab.pass(4500);
  assert.deepEqual(deaths(lab), []);
});

test('a peer that is really dead is declared dead at most keepalive + 500 ms after the pause', () => {
  for (const pauseMs of [1800, 3000, 4500, 7000, 30_000]) {
    const {lab} = settledPair();
    const heardMs = lab.nowMs;
    lab.sleep(pauseMs);
    lab.feed({type: 'woke'});
    lab.pass(10_000);
    const late = deaths(lab)[0]!.atMs - Math.max(heardMs + 5000, heardMs + pauseMs);
    assert.ok(late >= 0 && late <= 1500, `pause ${pauseMs}: ${late} ms late`);
  }
});

test('a peer that died during the pause is not given its whole dead time again', () => {
  const {lab, peer} = settledPair();
  const heardMs = lab.nowMs;
  lab.sleep(20_000);
  lab.feed({type: 'woke'});
  for (let each = 0; each < 17; each++) lab.receive(peer.status()); // Its last keepalive left at 17 s.
  lab.pass(10_000);
  const late = deaths(lab)[0]!.atMs - (heardMs + 17_000 + 5000);
  assert.ok(late >= 0 && late <= 1500, `${late} ms late`);
});

test('an overloaded node that is late at every step sees a death in the end', () => {
  const {lab} = settledPair();
  for (let each = 0; each < 40; each++) {
    lab.sleep(3000);
    lab.feed({type: 'woke'});
  }
  assert.equal(deaths(lab).length, 1);
});

test('a verdict that is a little late looks into the sockets once more', () => {
  const silent = settledPair().lab;
  silent.pass(4999);
  silent.sleep(101);
  silent.feed({type: 'woke'});
  assert.deepEqual(deaths(silent), []);
  const lookMs = silent.nowMs;
  silent.pass(1000);
  assert.equal(deaths(silent)[0]?.atMs, lookMs + 50);
  const {lab, peer} = settledPair();
  lab.pass(4999);
  lab.sleep(101);
  lab.feed({type: 'woke'});
  lab.receive(peer.status());
  lab.pass(4000);
  assert.deepEqual(deaths(lab), []);
});

test('small dead times: the grace is short as well', () => {
  const {lab} = settledPair({keepaliveMs: 20, deadtimeMs: 100, warntimeMs: 50, initdeadMs: 200});
  lab.receive({fields: lab.state.nodes[1]!.lastStatus!.fields});
  const {heardMs, dtMs} = lab.state.nodes[1]!;
  assert.equal(dtMs, 5000, 'the peer announced its own dead time');
  lab.sleep(6000);
  lab.feed({type: 'woke'});
  lab.pass(1000);
  assert.equal(deaths(lab)[0]!.atMs - heardMs!, 6050);
});

test('the manager hangs: it is killed once, loss starts another, keepalives go on', () => {
  const lab = new Lab();
  lab.feed({type: 'manager-connected'});
  lab.feed({type: 'manager-said', message: {type: 'renew-lease', forMs: 2000}});
  lab.take();
  lab.pass(1999);
  assert.deepEqual(kinds(lab.take()), []);
  lab.pass(1);
  const effects = lab.take();
  assert.deepEqual(kinds(effects), ['kill-manager']);
  assert.deepEqual(
    logs(effects).map((each) => each.level),
    ['CRIT'],
  );
  lab.pass(30_000);
  assert.deepEqual(kinds(lab.done.map((each) => each.effect)), []);
  assert.ok(sent(lab.take(), 'status').length >= 30);
  assert.deepEqual(kinds(lab.feed({type: 'manager-lost'})), ['start-manager']);
  lab.pass(9999);
  assert.deepEqual(kinds(lab.take().slice(2)), []);
  lab.pass(1);
  assert.deepEqual(kinds(lab.take()), ['kill-manager']);
});

test('before the first connection the lease is 10 s, after one 5 s', () => {
  const lab = new Lab();
  lab.pass(9999);
  assert.deepEqual(kinds(lab.take()), []);
  lab.feed({type: 'manager-connected'});
  lab.pass(4999);
  assert.deepEqual(kinds(lab.take()), []);
  lab.pass(1);
  assert.deepEqual(kinds(lab.take()), ['kill-manager']);
});

test('four losses within a minute: emergency stop, once, and statuses until we are ended', () => {
  const lab = new Lab();
  const seen: string[] = [];
  for (let each = 0; each < 6; each++) {
    lab.feed({type: 'manager-connected'});
    lab.pass(1000);
    lab.take();
    lab.feed({type: 'manager-lost'});
    lab.pass(5000);
    seen.push(...kinds(lab.take()));
  }
  assert.deepEqual(seen, ['start-manager', 'start-manager', 'start-manager', 'emergency-stop']);
  lab.take();
  lab.pass(20_000);
  const after = lab.take();
  assert.deepEqual(kinds(after), []);
  assert.ok(sent(after, 'status').length >= 20);
});

test('losses spread over minutes are each answered with a new manager', () => {
  const lab = new Lab();
  for (let each = 0; each < 8; each++) {
    lab.feed({type: 'manager-connected'});
    lab.feed({type: 'manager-said', message: {type: 'renew-lease', forMs: 30_000}});
    lab.pass(21_000);
    lab.take();
    lab.feed({type: 'manager-lost'});
    lab.pass(5000);
    assert.deepEqual(kinds(lab.take()), ['start-manager']);
  }
});

test('managers that end at once are started after 0, 1 and 5 s, each with its whole lease; keepalives go on', () => {
  const lab = new Lab();
  lab.feed({type: 'manager-connected'});
  lab.pass(1000);
  const startedMs: number[] = [];
  for (const pauseMs of [0, 1000, 5000]) {
    lab.take();
    lab.feed({type: 'manager-lost'});
    const lostMs = lab.nowMs;
    lab.pass(pauseMs);
    const started = lab.done.filter(({effect}) => effect.type === 'start-manager');
    startedMs.push(...started.map(({atMs}) => atMs - lostMs));
    assert.equal(lab.state.leaseUntilMs, lab.nowMs + 10_000);
    assert.ok(sent(lab.take(), 'status').length >= pauseMs / 1000);
  }
  assert.deepEqual(startedMs, [0, 1000, 5000]);
  assert.deepEqual(kinds(lab.feed({type: 'manager-lost'})), ['emergency-stop']);
  lab.pass(20_000);
  assert.ok(!kinds(lab.take()).includes('start-manager'));
});

test('a new manager is told what is known, and what peers sent while there was none', () => {
  const {lab, peer} = settledPair();
  lab.receive(peer.message({t: 'resource', rsc_hold: 'local', rtype: 'full', isstable: '1'}));
  lab.feed({type: 'manager-lost'});
  lab.take();
  lab.receive(peer.status('active', {'x-claims': 'g1'}));
  lab.receive(peer.message({t: 'ask_resources', rsc_hold: 'all', info: 'me'}));
  assert.equal(lab.take().filter((each) => each.type === 'tell-manager').length, 0);
  const effects = lab.feed({type: 'manager-connected'});
  const [ready] = told(effects, 'ready');
  assert.equal(
    effects.findIndex((each) => each.type === 'tell-manager'),
    effects.findIndex((each) => each.type === 'tell-manager' && each.message.type === 'ready'),
  );
  assert.equal(ready!.view.isCommUp, true);
  assert.deepEqual(
    ready!.view.nodes.map((each) => `${each.name} ${each.status}`),
    ['ha1 active', 'ha2 active'],
  );
  assert.ok(ready!.view.lastStatus['ha2']!.fields.some((each) => each.value === 'g1'));
  assert.ok(ready!.view.lastReport['ha2']!.fields.some((each) => each.value === 'local'));
  // The status is the one of `ready`.
  assert.equal(
    told(effects, 'message-received')
      .map(({message}) => fieldOf(message, 't'))
      .join(),
    'ask_resources',
  );
  lab.feed({type: 'manager-lost'});
  lab.receive(peer.message({t: 'ask_resources', rsc_hold: 'all', info: 'me'}));
  lab.pass(10_001);
  assert.equal(told(lab.feed({type: 'manager-connected'}), 'message-received').length, 0, 'too old to act on');
});

test('a new manager is not told the goodbye of a node that is back in a new life', () => {
  const {lab, peer} = settledPair();
  lab.feed({type: 'manager-lost'});
  lab.receive(peer.message({t: 'shutdone', st: 'dead'}));
  peer.generation += 1;
  peer.seq = 0;
  lab.receive(peer.status('up'));
  const effects = lab.feed({type: 'manager-connected'});
  assert.deepEqual(told(effects, 'message-received'), []);
});

test('the pause of the whole machine does not count against the lease', () => {
  const {lab} = settledPair();
  lab.feed({type: 'manager-said', message: {type: 'renew-lease', forMs: 3000}});
  lab.sleep(60_000);
  lab.feed({type: 'woke'});
  assert.ok(!kinds(lab.take()).includes('kill-manager'));
  lab.pass(4000);
  assert.ok(kinds(lab.take()).includes('kill-manager'));
});

test('stop: active to the end of the tail, then stopped and exit, and nothing more', () => {
  const {lab} = settledPair();
  lab.feed({type: 'manager-said', message: {type: 'stop', tailMs: 1500}});
  lab.feed({type: 'manager-lost'});
  lab.pass(1499);
  assert.deepEqual(kinds(lab.done.map((each) => each.effect)), []);
  assert.ok(
    sent(lab.take(), 'status').every((each) => each.fields.some((it) => it.name === 'st' && it.value === 'active')),
  );
  lab.pass(1);
  assert.deepEqual(lab.take().at(-1), {type: 'exit', status: 0});
  lab.pass(10_000);
  assert.deepEqual(lab.take(), []);
});

test('an announced dead time goes out at once, and ours again afterwards', () => {
  const {lab} = settledPair();
  lab.pass(6000);
  lab.take();
  lab.feed({type: 'manager-said', message: {type: 'announce-deadtime', deadtimeMs: 35_000}});
  lab.feed({type: 'manager-said', message: {type: 'announce-deadtime', deadtimeMs: undefined}});
  const dts = sent(lab.take(), 'status').map((each) => each.fields.find((it) => it.name === 'dt')?.value);
  assert.deepEqual(dts, ['88b8', '1388']);
});

test('the same seed and events make the same run', () => {
  const run = () => {
    const lab = new Lab(startOf({seed: 42}));
    lab.pass(20_000);
    return JSON.stringify([lab.state, lab.done]);
  };
  assert.equal(run(), run());
});

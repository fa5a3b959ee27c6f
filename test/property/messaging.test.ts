// Goal: on any network that loses, doubles and reorders, two cores deliver each numbered message exactly once in the
// end, and no node is declared dead while its statuses come in time; and no sequence of messages, however hostile,
// makes a core throw or grow.
// Method: seeded weather over virtual time, then calm; the judge of deaths keeps its own book of arrivals.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import fc from 'fast-check';
import {startMessaging, stepMessaging, wakeAt} from '../../src/messaging/step.js';
import {type Field, fieldOf, type Message, messageOf} from '../../src/model/message.js';
import type {MessagingEvent} from '../../src/model/messaging.js';
import {type Lab, Net, Peer, sent, startOf, told, WALL_MS} from '../helpers/messaging.js';

const pair = (seed: number) => [
  startOf({seed}),
  startOf({seed: seed + 1, node: 'ha2', uuid: '2'.repeat(16), generation: 2000}),
];

/** The numbers said by one node and how often each reached the other's manager. */
function deliveries(lab: Lab): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const {message} of told(
    lab.done.map((each) => each.effect),
    'message-received',
  )) {
    const n = fieldOf(message, 'n');
    if (n !== undefined) counts.set(n, (counts.get(n) ?? 0) + 1);
  }
  return counts;
}

function storm(seed: number): Net {
  const net = new Net(pair(seed), seed);
  net.run(50);
  net.weather = {loss: net.random() * 0.4, duplication: net.random() * 0.3, delayMaxMs: 1 + net.random() * 300};
  for (let n = 0; n < 60; n++) {
    net.run(Math.floor(net.random() * 400));
    const message = messageOf({t: 'resource', n: String(n), ...(net.random() < 0.3 ? {dest: 'ha1'} : {})});
    net.feed(n % 2, {type: 'manager-said', message: {type: 'send', message}});
  }
  net.weather = {loss: 0, duplication: 0.2, delayMaxMs: 20};
  net.run(3000);
  return net;
}

test('each message is delivered exactly once in the end, and nobody dies of bad weather', () => {
  for (let seed = 1; seed <= 25; seed++) {
    const net = storm(seed);
    net.labs.forEach((lab, index) => {
      const counts = deliveries(lab);
      for (let n = 0; n < 60; n++) {
        if (n % 2 === index) continue;
        const isForOther = index === 1 && sentTo(net.labs[0]!, n) === 'ha1';
        assert.equal(counts.get(String(n)) ?? 0, isForOther ? 0 : 1, `SEED=${seed} node ${index} message ${n}`);
      }
      const dead = told(
        lab.done.map((each) => each.effect),
        'node-changed',
      ).filter((each) => each.status === 'dead');
      assert.equal(dead.length, 0, `SEED=${seed}: a false death`);
      assert.equal(lab.state.nodes.flatMap((each) => each.tracking.missing).length, 0, `SEED=${seed}: still missing`);
    });
  }
});

function sentTo(lab: Lab, n: number): string | undefined {
  const message = sent(lab.done.map((each) => each.effect)).find((each) => fieldOf(each, 'n') === String(n));
  return message && fieldOf(message, 'dest');
}

test('control: a network that is cut is seen as a death, on both sides, and as a return', () => {
  const net = new Net(pair(3), 3);
  net.run(8000);
  net.isCut = () => true;
  net.run(7000);
  net.isCut = () => false;
  net.run(3000);
  for (const lab of net.labs) {
    const effects = lab.done.map((each) => each.effect);
    assert.deepEqual(
      told(effects, 'node-changed')
        .map((each) => each.status)
        .slice(-2),
      ['dead', 'active'],
    );
    assert.equal(told(effects, 'node-returned').length, 1);
  }
});

test('a death comes exactly when the announced dead time ended, never earlier', () => {
  let deaths = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const lossy = new Net(pair(seed), seed);
    const lab = lossy.labs[0]!;
    lossy.run(7000);
    lossy.weather = {loss: 0.93, duplication: 0, delayMaxMs: 30};
    let heardMs = lab.state.nodes[1]!.heardMs!;
    for (let ms = 0; ms < 30_000; ms += 1) {
      const from = lab.done.length;
      lossy.run(1);
      const now = lab.state.nodes[1]!;
      for (const {atMs, effect} of lab.done.slice(from)) {
        if (told([effect], 'node-changed')[0]?.status !== 'dead') continue;
        deaths += 1;

        assert.equal(atMs, heardMs + now.dtMs, `SEED=${seed}`);
      }
      heardMs = now.heardMs!;
    }
  }
  assert.ok(deaths > 4, `${deaths} deaths judged`);
});

const word = fc.constantFrom(
  '0',
  '1',
  '2',
  '7',
  'ff',
  'fffffffffffff',
  '3e8',
  '1f4',
  'zz',
  '',
  '-1',
  'ha1',
  'ha2',
  'ha3 ha4 ',
);
const known = fc.constantFrom(
  ...['t', 'st', 'dt', 'seq', 'hg', 'ackseq', 'firstseq', 'lastseq', 'dest', 'destuuid', 'srcuuid', 'nodelist'],
  ...['delnodelist', 'rtype', 'ts', 'src', 'protocol', '__proto__', 'x'],
);
const kind = fc.constantFrom(
  ...['status', 'status', 'status', 'reqnodes', 'repnodes', 'resource', 'hbapi-clstat', 'addnode', 'starting'],
  ...['NS_ackmsg', 'NS_rexmit', 'NS_nak_rexmit', 'NS_st', 'NS_', 'constructor'],
);
const hostile: fc.Arbitrary<Message> = fc
  .record({
    kind,
    st: fc.constantFrom('init', 'up', 'active', 'dead', 'x'),
    seq: fc.integer({min: 0, max: 3000}),
    hg: fc.integer({min: 500, max: 503}),
    more: fc.array(fc.tuple(known, fc.oneof(word, fc.string({maxLength: 40}))), {maxLength: 4}),
    long: fc.constantFrom(0, 0, 0, 20_000),
  })
  .map(({kind: t, st, seq, hg, more, long}) => {
    const peer = new Peer();
    const fields: Field[] = more.map(([name, value]) => ({name, type: 0, value}));
    const header = {seq: seq.toString(16), hg: hg.toString(16)};
    const body = {
      t,
      st,
      firstseq: String(seq),
      lastseq: String(seq + 900),
      ackseq: seq.toString(16),
      pad: 'x'.repeat(long),
    };
    return {fields: [...fields, ...peer.message({...body, rtype: 'full'}, header).fields]};
  });

const events: fc.Arbitrary<readonly (MessagingEvent | number)[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: hostile.map((message): MessagingEvent => ({type: 'message-arrived', link: 'eth0', message})),
    },
    {weight: 2, arbitrary: fc.integer({min: 0, max: 4000})},
    {
      weight: 1,
      arbitrary: fc.constantFrom<MessagingEvent>({type: 'manager-lost'}, {type: 'manager-connected'}, {type: 'woke'}),
    },
    {
      weight: 1,
      arbitrary: fc
        .string()
        .map((from): MessagingEvent => ({type: 'noise-arrived', link: 'eth0', fault: 'no-end', from})),
    },
  ),
  {maxLength: 120},
);

test('no hostile sequence makes the core throw, hang, or grow beyond its bounds', () => {
  fc.assert(
    fc.property(events, (all) => {
      let nowMs = 1000;
      let {state} = startMessaging(startOf(), {monoMs: nowMs, wallMs: WALL_MS});
      for (const each of all) {
        if (typeof each === 'number') nowMs += each;
        const event: MessagingEvent = typeof each === 'number' ? {type: 'woke'} : each;
        const step = stepMessaging(state, event, {monoMs: nowMs, wallMs: WALL_MS + nowMs});
        assert.ok(step.effects.length <= 700, `${step.effects.length} effects in one step`);
        ({state} = step);
        assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
        assert.ok(wakeAt(state) > nowMs, 'what is due was dealt with');
        assert.ok(state.nodes.length <= 100 && state.history.length <= 500 && state.faults.length <= 90);
        assert.ok(state.pending.length <= 100 && state.recentNaks.length <= 50 && state.deleted.length <= 100);
        for (const {tracking, early} of state.nodes) {
          assert.ok(tracking.missing.length <= 500 && tracking.held.length <= 50 && early.seqs.length <= 50);
        }
      }
    }),
    {numRuns: 150, seed: 20261121},
  );
});

test('twenty thousand refused packets touch only bounded counters and few log lines', () => {
  let {state} = startMessaging(startOf(), {monoMs: 0, wallMs: WALL_MS});
  const size = () => JSON.stringify(state).length;
  let lines = 0;
  let sizeEarly = 0;
  for (let each = 0; each < 20_000; each++) {
    const event: MessagingEvent = {
      type: 'noise-arrived',
      link: 'eth0',
      fault: 'bad-digest',
      from: `10.0.${each & 255}.1:7`,
    };
    const step = stepMessaging(state, event, {monoMs: 1 + each / 20, wallMs: WALL_MS});
    ({state} = step);
    lines += step.effects.filter((it) => it.type === 'log').length;
    if (each === 1000) sizeEarly = size();
  }
  assert.ok(lines < 80, `${lines} lines`);
  assert.ok(size() < sizeEarly + 2000);
});

// Goal: every row of the hazards table (except DRBD and mysqld) holds for two Systole nodes. Method: two real manager
// cores, an ideal network, scripts with given durations and exit codes; what really runs is counted, not believed.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {Pair} from '../helpers/pair.js';

const TWO = 'n1 A A2; n2 B';

function settled(options: Partial<ConstructorParameters<typeof Pair>[0]> = {}): Pair {
  const pair = new Pair({haresources: TWO, ...options});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1' && pair.runners('B').join() === 'n2', 2000);
  pair.until(
    () => pair.node('n1').status().rscstatus === 'local' && pair.node('n2').status().rscstatus === 'local',
    2000,
  );
  return pair;
}

/** Runs on and fails at the first moment at which a group runs on two nodes. */
function watch(pair: Pair, ms: number): void {
  for (let spent = 0; spent < ms; spent += 5) {
    pair.run(5);
    for (const key of ['A', 'B']) {
      assert.ok(pair.runners(key).length <= 1, `two owners of ${key}\n${pair.trace.slice(-40).join('\n')}`);
    }
  }
}

for (const autoFailback of ['on', 'off', 'legacy'] as const) {
  test(`both start together, each gets its own, at once (${autoFailback})`, () => {
    const pair = settled({autoFailback});
    assert.ok(pair.nowMs < 1300, `took ${pair.nowMs - 1000} ms`);
  });

  test(`power cut and return (${autoFailback})`, () => {
    const pair = settled({autoFailback});
    pair.node('n1').powerCut();
    pair.node('n2').missed('n1');
    pair.until(() => pair.runners('A').join() === 'n2', 500);
    pair.node('n1').boot();
    pair.node('n2').restarted('n1');
    pair.introduce();
    watch(pair, 3000);
    assert.deepEqual(pair.runners('A'), [autoFailback === 'off' ? 'n2' : 'n1']);
  });
}

test('a lone node takes everything after the other was declared dead', () => {
  const pair = new Pair({haresources: TWO});
  pair.node('n1').boot();
  pair.run(100);
  assert.deepEqual(pair.runners('A'), []);
  pair.node('n1').missed('n2');
  pair.until(() => pair.runners('B').join() === 'n1', 500);
  pair.until(() => pair.node('n1').status().rscstatus === 'all', 500);
});

test('graceful stop: the other node takes each group when its stop has ended', () => {
  const pair = settled();
  pair.node('n1').scripts.set('A stop', {ms: 300, code: 0});
  pair.node('n1').request({command: 'shutdown'});
  watch(pair, 1000);
  assert.deepEqual(pair.runners('A'), ['n2']);
  assert.equal(pair.node('n1').exited, 0);
});

for (const scope of ['all', 'local', 'foreign'] as const) {
  test(`hb_standby ${scope}: stop precedes the peer's start`, () => {
    const pair = settled();
    pair.node('n1').scripts.set('A stop', {ms: 200, code: 0});
    const id = pair.node('n1').request({command: 'standby', scope});
    watch(pair, 2000);
    assert.equal(pair.node('n1').replies.get(id)?.ok, true);
    assert.deepEqual(pair.runners('A'), [scope === 'foreign' ? 'n1' : 'n2']);
    assert.deepEqual(pair.runners('B'), ['n2']);
    assert.equal(pair.node('n2').status().rscstatus, scope === 'foreign' ? 'local' : 'all');
    assert.equal(pair.node('n1').status().standby, undefined);
    assert.equal(pair.node('n2').status().standby, undefined);
  });

  test(`hb_takeover ${scope}`, () => {
    const pair = settled();
    const id = pair.node('n2').request({command: 'takeover', scope});
    watch(pair, 2000);
    assert.equal(pair.node('n2').replies.get(id)?.ok, true, JSON.stringify(pair.node('n2').replies.get(id)));
    assert.deepEqual(pair.runners('A'), [scope === 'local' ? 'n1' : 'n2']);
  });
}

test('giver dies in mid-release: the taker fences first, then starts', () => {
  const pair = settled({stonith: true});
  pair.node('n1').scripts.set('A stop', {ms: 5000, code: 0});
  pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.run(100);
  pair.node('n1').kill();
  pair.node('n2').missed('n1');
  watch(pair, 1000);
  assert.deepEqual(pair.runners('A'), ['n2']);
  assert.ok(pair.trace.some((line) => line.includes('Resetting node n1')));
});

test('taker dies in mid-takeover: the giver gets its groups back', () => {
  const pair = settled({stonith: true});
  pair.node('n2').scripts.set('A start', {ms: 5000, code: 0});
  pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.run(500);
  assert.deepEqual(pair.runners('A'), ['n2']);
  pair.node('n2').kill();
  pair.node('n1').missed('n2');
  watch(pair, 1000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.deepEqual(pair.runners('B'), ['n1']);
});

test('taker dies while the giver still stops: the giver runs again, and what it claims it runs', () => {
  const pair = settled({stonith: true});
  pair.node('n1').scripts.set('A stop', {ms: 400, code: 0});
  pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.run(100);
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  watch(pair, 2000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.equal(pair.node('n1').status().rscstatus, 'all');
});

test('a start that fails: the group is offered to the peer, once', () => {
  const pair = new Pair({haresources: TWO});
  pair.node('n1').scripts.set('A2 start', {ms: 5, code: 1});
  pair.boot('n1', 'n2');
  watch(pair, 2000);
  assert.deepEqual(pair.runners('A'), ['n2']);
  assert.equal(pair.node('n1').group('A').state, 'failed');
  watch(pair, 120_000);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

test('a start that fails on both: nobody owns it, the reason is named, and it is tried again with growing pauses', () => {
  const pair = new Pair({haresources: TWO});
  for (const name of ['n1', 'n2']) pair.node(name).scripts.set('A2 start', {ms: 5, code: 1});
  pair.boot('n1', 'n2');
  watch(pair, 10_000);
  assert.deepEqual(pair.runners('A'), []);
  assert.match(pair.node('n1').group('A').reason ?? '', /failed/);
  const tries = () => pair.trace.filter((line) => line.includes('RSC A2 start')).length;
  assert.equal(tries(), 2);
  watch(pair, 600_000);
  assert.ok(tries() > 4 && tries() < 20, `${tries()} tries`);
  for (const name of ['n1', 'n2']) pair.node(name).scripts.delete('A2 start');
  watch(pair, 700_000);
  assert.equal(pair.runners('A').length, 1);
});

test('a stop that fails during a move: the group stays and runs again', () => {
  const pair = settled();
  pair.node('n1').scripts.set('A stop', {ms: 5, code: 1});
  pair.node('n1').request({command: 'standby', scope: 'all'});
  watch(pair, 20_000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.equal(pair.node('n1').group('A').state, 'running');
});

test('a stop that fails during shutdown: no goodbye, the peer does not start it', () => {
  const pair = settled();
  pair.node('n1').scripts.set('A stop', {ms: 5, code: 1});
  pair.node('n1').request({command: 'shutdown'});
  watch(pair, 100_000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.equal(pair.node('n1').group('A').state, 'blocked');
  pair.node('n1').scripts.delete('A stop');
  watch(pair, 40_000);
  assert.deepEqual(pair.runners('A'), ['n2']);
  assert.equal(pair.node('n1').exited, 0);
});

test('a hanging start is cut off by its time-out and does not block the shutdown', () => {
  const pair = new Pair({haresources: TWO});
  pair.node('n1').scripts.set('A2 start', {ms: 1e9, code: 0});
  pair.boot('n1', 'n2');
  pair.run(1000);
  pair.node('n1').running.delete('A#A2');
  pair.node('n1').request({command: 'shutdown'});
  pair.until(() => pair.node('n1').exited === 0, 100_000);
  watch(pair, 1000);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

test('healed partition without fencing: one owner again at once, and never nobody', () => {
  const pair = settled();
  pair.cut();
  pair.run(9000);
  assert.deepEqual(pair.runners('A'), ['n1', 'n2']);
  pair.heal();
  const healedAt = pair.nowMs;
  while (pair.runners('A').length > 1 || pair.runners('B').length > 1) {
    pair.run(5);
    assert.ok(pair.nowMs - healedAt < 500, pair.trace.slice(-40).join('\n'));
    assert.ok(pair.runners('A').length >= 1 && pair.runners('B').length >= 1, 'service interrupted on the keeper');
  }
  watch(pair, 5000);
  assert.equal(pair.runners('A').length, 1);
  assert.equal(pair.runners('B').length, 1);
});

test('after a healed partition the keeper, and only the keeper, announces the addresses again', () => {
  const pair = new Pair({haresources: 'n1 A IPaddr'});
  pair.boot('n1', 'n2');
  pair.until(() => pair.node('n1').status().rscstatus === 'local', 2000);
  pair.cut();
  pair.run(9000);
  assert.deepEqual(pair.runners('A'), ['n1', 'n2']);
  pair.heal();
  pair.until(() => pair.runners('A').length === 1, 500);
  const scripts = pair.trace.length;
  // A first try that fails is repeated, and fails nothing else.
  pair.node('n2').scripts.set('IPaddr start', {ms: 5, code: 1});
  pair.run(200);
  pair.node('n2').scripts.delete('IPaddr start');
  watch(pair, 5000);
  assert.deepEqual(pair.runners('A'), ['n2']);
  const told = pair.trace.slice(scripts).filter((line) => /RSC \S+ start/.test(line));
  assert.deepEqual(
    told.map((line) => line.trim().split(' ').slice(1).join(' ')),
    ['n2 RSC IPaddr start', 'n2 RSC IPaddr start'],
  );
  assert.equal(pair.node('n2').group('A').state, 'running');
});

test('one side missed the other (late heartbeat seen as death): resolved by the claim', () => {
  const pair = settled();
  pair.node('n2').missed('n1');
  pair.run(200);
  pair.node('n2').give({type: 'messaging-said', message: {type: 'node-returned', node: 'n1'}});
  pair.node('n2').hears(pair.node('n1'));
  pair.run(500);
  watch(pair, 2000);
  assert.equal(pair.runners('A').length, 1);
  assert.ok(pair.trace.some((line) => line.includes('Both machines own')));
});

test('fencing that fails blocks the takeover until it works', () => {
  const pair = settled({stonith: true});
  pair.node('n2').fencing = 'fails';
  pair.node('n1').kill();
  pair.node('n2').missed('n1');
  watch(pair, 20_000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.match(pair.node('n2').group('A').reason ?? '', /fencing/);
  pair.node('n2').fencing = 'works';
  watch(pair, 10_000);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

test('a manager that is restarted measures and keeps what runs', () => {
  const pair = settled();
  pair.node('n1').kill();
  pair.node('n1').boot();
  pair.node('n2').restarted('n1');
  pair.introduce();
  watch(pair, 3000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.ok(!pair.trace.slice(-50).some((line) => line.includes('RSC A stop')));
});

test('a resource that dies is restarted here, then handed over when that does not last', () => {
  const pair = settled();
  for (let round = 0; round < 3; round += 1) {
    pair.node('n1').running.delete('A#A2');
    watch(pair, 11_000);
    assert.deepEqual(pair.runners('A'), ['n1']);
    assert.ok(pair.node('n1').running.has('A#A2'));
  }
  pair.node('n1').running.delete('A#A2');
  watch(pair, 12_000);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

test('both ask for standby at the same moment: one move wins, nothing is lost', () => {
  const pair = settled();
  const first = pair.node('n1').request({command: 'standby', scope: 'all'});
  const second = pair.node('n2').request({command: 'standby', scope: 'all'});
  watch(pair, 5000);
  const oks = [pair.node('n1').replies.get(first)?.ok, pair.node('n2').replies.get(second)?.ok];
  assert.deepEqual(oks.sort(), [false, true]);
  assert.deepEqual(pair.runners('A'), ['n2']);
  assert.deepEqual(pair.runners('B'), ['n2']);
});

test('refusals are said at once', () => {
  const pair = settled();
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  const id = pair.node('n1').request({command: 'standby', scope: 'all'});
  assert.equal(pair.node('n1').replies.get(id)?.ok, false);
});

test('a granted group whose start fails at once is tried once, not until the peer has heard of it', () => {
  const pair = new Pair({haresources: 'n1 A'});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1');
  pair.run(3000);
  pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.until(() => pair.runners('A').join() === 'n2');
  pair.run(3000);
  for (const action of ['start', 'status', 'stop']) {
    pair.node('n1').scripts.set(`A ${action}`, {ms: 0, code: action === 'start' ? 1 : 0});
  }
  const before = pair.trace.length;
  pair.node('n2').request({command: 'standby', scope: 'all'});
  pair.until(() => pair.runners('A').join() === 'n2' && pair.node('n1').group('A').state === 'failed');
  pair.run(1000);
  const starts = pair.trace.slice(before).filter((line) => line.includes('n1 RSC A start'));
  assert.equal(starts.length, 1);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

test('the only node left tries a failed group again every few seconds', () => {
  const pair = settled();
  pair.node('n2').scripts.set('A start', {ms: 5, code: 1});
  pair.node('n1').powerCut();
  pair.node('n2').missed('n1');
  watch(pair, 120_000);
  const tries = pair.trace.filter((line) => line.includes('n2 RSC A start')).length;
  assert.ok(tries >= 20 && tries <= 30, `${tries} tries`);
  assert.match(pair.node('n2').group('A').reason ?? '', /failed to start/);
});

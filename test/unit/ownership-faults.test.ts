// Goal: the rare moments of docs/adr/0002 keep exclusion and progress: files that differ, reloads, a lost process beside a
// lost word, proofs that have gone stale. Method: as in ownership.test.ts; each test was red before its rule existed.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {fieldOf, type Message} from '../../src/model/message.js';
import {Pair} from '../helpers/pair.js';

const TWO = 'n1 A A2; n2 B';

function settled(options: Partial<ConstructorParameters<typeof Pair>[0]> = {}): Pair {
  const pair = new Pair({haresources: TWO, ...options});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1' && pair.runners('B').join() === 'n2', 2000);
  return pair;
}

/** Runs on and fails at the first moment at which a group runs on two nodes. */
function watch(pair: Pair, ms: number, keys = ['A', 'B']): void {
  for (let spent = 0; spent < ms; spent += 2) {
    pair.run(2);
    for (const key of keys) {
      assert.ok(pair.runners(key).length <= 1, `two owners of ${key}\n${pair.trace.slice(-40).join('\n')}`);
    }
  }
}

/** What a node really runs besides its groups' names: `A2` of both `A` and `C`. */
function running(pair: Pair, script: string): string[] {
  return Object.values(pair.nodes)
    .filter((node) => [...node.running].some((each) => each.endsWith(`#${script}`)))
    .map((node) => node.name);
}

for (const [n1, n2] of [
  ['n1 A', 'n2 A'],
  ['n2 A', 'n1 A'],
] as const) {
  test(`files that differ about the home of a group (${n1}, ${n2}) leave it with one owner`, () => {
    const pair = new Pair({haresources: n1, differing: {n1, n2}});
    pair.boot('n1', 'n2');
    watch(pair, 3000, ['A']);
    assert.equal(pair.runners('A').length, 1, pair.trace.join('\n'));
  });
}

test('two owners whose files differ about the home end as one', () => {
  for (const [n1, n2] of [
    ['n1 A', 'n2 A'],
    ['n2 A', 'n1 A'],
  ] as const) {
    const pair = new Pair({haresources: n1, differing: {n1, n2}});
    pair.boot('n1', 'n2');
    pair.cut();
    pair.until(() => pair.runners('A').length === 2, 1000);
    pair.heal();
    pair.run(3000);
    assert.equal(pair.runners('A').length, 1, pair.trace.join('\n'));
  }
});

test('a group that both nodes learn at the same moment is started once, although packets are lost', () => {
  const pair = settled();
  pair.isCut = true; // A moment without packets, far from a dead time.
  for (const node of pair.alive()) node.reload({haresources: `${TWO}; n1 C`});
  watch(pair, 300, ['A', 'B', 'C']);
  pair.isCut = false;
  pair.introduce();
  watch(pair, 2000, ['A', 'B', 'C']);
  assert.deepEqual(pair.runners('C'), ['n1']);
});

test('a group that only one node has is started there', () => {
  const pair = settled();
  pair.node('n2').reload({haresources: `${TWO}; n1 C`});
  pair.until(() => pair.runners('C').join() === 'n2', 1000);
  pair.node('n1').reload({haresources: `${TWO}; n1 C`});
  watch(pair, 1000, ['A', 'B', 'C']);
  assert.deepEqual(pair.runners('C'), ['n2']);
});

test('keys longer than a beacon entry are excluded like others', () => {
  const key = `Filesystem::${'/'.repeat(150)}`;
  const pair = new Pair({haresources: `n1 ${key}`});
  pair.boot('n1', 'n2');
  watch(pair, 2000, [key]);
  assert.deepEqual(pair.runners(key), ['n1']);
});

test('with fencing, a group that neither owned is not started by both after a cut', () => {
  const pair = new Pair({haresources: 'n1 A', stonith: true});
  for (const node of Object.values(pair.nodes)) node.scripts.set('A start', {ms: 5, code: 1});
  pair.boot('n1', 'n2');
  pair.run(500);
  assert.deepEqual(
    pair.alive().map((node) => node.group('A').state),
    ['failed', 'failed'],
  );
  for (const node of Object.values(pair.nodes)) {
    node.scripts.clear();
    node.fencing = 'fails';
  }
  pair.cut();
  watch(pair, 4000, ['A']);
  pair.node('n2').fencing = 'works';
  pair.until(() => pair.runners('A').join() === 'n2', 10_000);
});

test('an owner whose idle peer dies does not fence it', () => {
  const pair = new Pair({haresources: 'n1 A', stonith: true});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1', 1000);
  pair.run(100);
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  assert.ok(!pair.trace.some((line) => line.includes('Resetting node')));
});

test('a grant from before a cut is not acted on after it, nor tried without pause', () => {
  const pair = new Pair({haresources: 'n1 A A2', stonith: true});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1', 1000);
  pair.run(50);
  const [n1, n2] = [pair.node('n1'), pair.node('n2')];
  for (const node of [n1, n2]) node.fencing = 'fails';
  n2.scripts.set('A start', {ms: 5, code: 1});
  n1.request({command: 'standby', scope: 'local'});
  for (let ms = 0; ms < 1000 && n2.group('A').state !== 'failed'; ms += 1) pair.run(1);
  // n1 hears of the failure and takes the group back; n2 does not hear that.
  pair.isCut = true;
  pair.run(500);
  const starts = pair.trace.filter((line) => line.includes('n2 RSC A start')).length;
  assert.equal(starts, 1, pair.trace.slice(-20).join('\n'));
  pair.cut();
  n2.scripts.clear();
  pair.run(20_000);
  // Life again: the words arrive one by one, and the first only says that n1 lives.
  pair.isCut = false;
  n2.give({type: 'messaging-said', message: {type: 'node-returned', node: 'n1'}});
  const change = {node: 'n1', status: 'active', previous: 'dead', wasHeard: true} as const;
  n2.give({type: 'messaging-said', message: {type: 'node-changed', ...change}});
  assert.equal(n2.group('A').state, 'failed', pair.trace.slice(-20).join('\n'));
});

test('a node that left and came back while our messaging was restarted is a partner again', () => {
  const pair = settled();
  pair.node('n2').request({command: 'shutdown'});
  pair.until(() => pair.runners('B').join() === 'n1', 2000);
  pair.until(() => pair.node('n2').exited === 0, 7000);
  pair.node('n1').missed('n2');
  pair.node('n1').restartMessaging();
  pair.node('n2').boot();
  pair.introduce();
  pair.run(1000);
  const id = pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.until(() => pair.runners('A').join() === 'n2' && pair.runners('B').join() === 'n2', 3000);
  assert.equal(pair.node('n1').replies.get(id)?.ok, true);
});

test('a peer that turned into a real Heartbeat while our messaging was restarted is noticed', () => {
  const pair = settled();
  const n1 = pair.node('n1');
  pair.node('n2').kill();
  n1.restartMessaging();
  n1.give({
    type: 'messaging-said',
    message: {type: 'node-changed', node: 'n2', status: 'active', previous: 'init', wasHeard: true},
  });
  const fields = Object.entries({t: 'status', st: 'active', protocol: '1'});
  const message = {fields: fields.map(([name, value]) => ({name, type: 0 as const, value}))};
  n1.give({type: 'messaging-said', message: {type: 'message-received', from: 'n2', message}});
  assert.equal(n1.status().nodes.find((node) => node.name === 'n2')?.kind, 'classic');
});

test('a change that was taken back before it took effect is forgotten', () => {
  const pair = settled();
  pair.node('n1').reload({haresources: 'n1 A A3; n2 B'});
  pair.node('n1').reload({haresources: TWO});
  pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.until(() => pair.runners('A').join() === 'n2', 2000);
  pair.run(100);
  const words = pair
    .node('n1')
    .group('A')
    .resources.map((each) => each.word);
  assert.equal(words.join(' '), 'A A2');
});

test('a change that comes during the first measurement holds from the first start', () => {
  const pair = new Pair({haresources: TWO});
  for (const name of ['n1', 'n2']) pair.node(name).boot();
  for (const name of ['n1', 'n2']) pair.node(name).reload({haresources: 'n1 A A3; n2 B'});
  pair.run(20);
  pair.introduce();
  pair.until(() => pair.runners('A').join() === 'n1', 2000);
  pair.run(100);
  assert.deepEqual([running(pair, 'A2'), running(pair, 'A3')], [[], ['n1']]);
});

test('a grant that ran out still counts when the silent peer dies', () => {
  const pair = settled({stonith: true, deadtimeMs: 60_000});
  pair.node('n2').scripts.set('B stop', {ms: 1, code: 0});
  pair.node('n2').request({command: 'standby', scope: 'all'});
  pair.until(() => pair.runners('B').join() === 'n1', 2000);
  pair.run(100);
  // n2 owns nothing; n1 gives it all, and from the grant on n2 stands still and says nothing.
  pair.node('n1').scripts.set('A2 stop', {ms: 50, code: 0});
  pair.node('n1').scripts.set('B stop', {ms: 50, code: 0});
  pair.node('n1').request({command: 'standby', scope: 'all'});
  pair.run(30);
  pair.isCut = true;
  pair.run(40_000);
  pair.node('n1').missed('n2');
  assert.ok(
    pair.trace.some((line) => line.includes('n1 info Resetting node n2')),
    pair.trace.slice(-30).join('\n'),
  );
});

test('an operator who takes the device that cannot fence out of ha.cf gets the groups', () => {
  const pair = settled({stonith: true});
  pair.node('n1').fencing = 'fails';
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  pair.run(20_000);
  assert.deepEqual(pair.runners('B'), []);
  pair.node('n1').reload({stonith: false});
  pair.until(() => pair.runners('B').join() === 'n1', 10_000);
});

test('what a node said before its goodbye is no second owner', () => {
  const pair = settled();
  const n2 = pair.node('n2');
  // An emergency stop: the manager is dead, its last beacon goes on until the end.
  pair.node('n1').powerCut();
  const message = {fields: [{name: 't', type: 0 as const, value: 'shutdone'}]};
  n2.give({type: 'messaging-said', message: {type: 'message-received', from: 'n1', message}});
  pair.until(() => pair.runners('A').join() === 'n2', 1000);
  pair.run(200);
  assert.ok(!pair.trace.some((line) => line.includes('Both machines own')), pair.trace.join('\n'));
});

test('an automatic failback that the other node refused is tried again', () => {
  const pair = settled({autoFailback: 'on'});
  pair.node('n1').powerCut();
  pair.node('n2').missed('n1');
  pair.until(() => pair.runners('A').join() === 'n2', 500);
  pair.node('n1').boot();
  pair.run(50);
  pair.node('n2').restarted('n1');
  // A group that is being measured again puts n1 in flux when it is asked.
  pair.node('n1').scripts.set('C status', {ms: 3000, code: 0});
  pair.introduce();
  pair.node('n1').reload({haresources: `${TWO}; n1 C`});
  watch(pair, 10_000);
  assert.deepEqual(pair.runners('A'), ['n1'], pair.trace.slice(-40).join('\n'));
});

test('a group under a new name does not start beside the one that it was', () => {
  const pair = settled();
  // A is renamed by a new first word; A2 is the shared disk. n2 reads the file first.
  pair.node('n2').reload({haresources: 'n1 C A2; n2 B'});
  pair.run(1000);
  assert.deepEqual(running(pair, 'A2'), ['n1']);
  pair.node('n1').scripts.set('A2 stop', {ms: 500, code: 0});
  pair.node('n1').reload({haresources: 'n1 C A2; n2 B'});
  for (let each = 0; each < 2000; each += 1) {
    pair.run(2);
    assert.ok(running(pair, 'A2').length <= 1, pair.trace.slice(-40).join('\n'));
  }
  assert.equal(running(pair, 'A2').length, 1);
  assert.equal(pair.runners('C').length, 1);
  assert.deepEqual(pair.runners('A'), []);
});

test('a manager that finds another haresources than its predecessor releases what only that one knew', () => {
  const pair = settled();
  // The line of A is gone, that of B has lost a word; then the manager is killed before anybody read that.
  pair.node('n1').edit({haresources: 'n2 B'});
  pair.node('n1').kill();
  pair.node('n1').boot();
  pair.run(50);
  pair.node('n2').restarted('n1');
  pair.introduce();
  watch(pair, 2000);
  assert.deepEqual([running(pair, 'A'), running(pair, 'A2')], [['n2'], ['n2']]);
});

test('with fencing, a status that hangs after a boot does not start the group before the fencing', () => {
  const pair = settled({stonith: true});
  pair.cut();
  const [n1, n2] = [pair.node('n1'), pair.node('n2')];
  n1.fencing = 'fails';
  n2.powerCut();
  n1.running.add('B#B');
  n2.fencing = 'fails';
  n2.scripts.set('A status', {ms: 60_000, code: 0});
  n2.boot();
  pair.run(21_000);
  n2.scripts.clear();
  n2.missed('n1');
  watch(pair, 10_000);
  assert.deepEqual(pair.runners('A'), ['n1']);
  assert.equal(n2.group('A').state, 'stopped');
});

test('beside a living owner, a status that hangs after a boot changes nothing', () => {
  const pair = settled();
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  pair.until(() => pair.runners('B').join() === 'n1', 500);
  pair.node('n1').kill();
  pair.node('n1').boot();
  pair.run(50);
  pair.node('n2').scripts.set('B status', {ms: 60_000, code: 0});
  pair.node('n2').boot();
  pair.run(21_000);
  pair.introduce();
  for (let spent = 0; spent < 5000; spent += 5) {
    pair.run(5);
    assert.equal(pair.runners('B').join(), 'n1', pair.trace.slice(-30).join('\n'));
  }
});

test('one status that hangs in the monitor restarts nothing', () => {
  const pair = settled();
  const starts = () => pair.trace.filter((line) => line.includes('n1 RSC A start')).length;
  const before = starts();
  pair.node('n1').scripts.set('A status', {ms: 60_000, code: 0});
  pair.run(25_000);
  pair.node('n1').scripts.clear();
  pair.run(30_000);
  assert.equal(starts(), before, pair.trace.slice(-30).join('\n'));
});

test('a reload during a shutdown changes nothing', () => {
  for (const ms of [2, 40]) {
    const pair = settled();
    pair.node('n1').request({command: 'shutdown'});
    pair.run(ms);
    pair.node('n1').reload({haresources: `${TWO}; n1 C`});
    pair.until(() => pair.node('n1').exited === 0, 7000);
    assert.deepEqual(pair.runners('A'), ['n2']);
  }
});

/** n1's manager dies and is replaced while n2 is dead for the cluster; messaging kept n2's last word. */
function replaced(pair: Pair, lastWord: Message): number {
  const from = pair.trace.length;
  pair.node('n1').adopt({n2: 'dead'}, {n2: lastWord});
  watch(pair, 5000);
  return pair.trace.slice(from).filter((line) => line.includes('Resetting node n2')).length;
}

test('a manager that replaces another one does not reset a node that had said goodbye', () => {
  const pair = settled({stonith: true});
  pair.node('n2').request({command: 'shutdown'});
  pair.until(() => pair.node('n2').exited === 0 && pair.runners('B').join() === 'n1', 5000);
  pair.node('n1').missed('n2');
  const {length} = pair.trace;
  assert.equal(replaced(pair, pair.node('n2').lastWord()), 0, pair.trace.slice(length).join('\n'));
  assert.deepEqual([pair.runners('A'), pair.runners('B')], [['n1'], ['n1']]);
  // It starts again: a partner as before.
  pair.node('n2').boot();
  pair.run(20);
  pair.node('n1').restarted('n2');
  pair.introduce();
  pair.run(100);
  pair.node('n2').request({command: 'takeover', scope: 'local'});
  pair.until(() => pair.runners('B').join() === 'n2', 1000);
  assert.equal(replaced(pair, pair.node('n2').lastWord()), 1);
});

test('it does where that node was not done with its groups, or its last word is not of all of them', () => {
  for (const spoil of ['stopping', 'silent', 'stable'] as const) {
    const pair = settled({stonith: true});
    const [n1, n2] = [pair.node('n1'), pair.node('n2')];
    n2.scripts.set('B stop', {ms: spoil === 'stopping' ? 4000 : 5, code: 0});
    n2.request({command: 'shutdown'});
    pair.run(spoil === 'stopping' ? 100 : 2000);
    n2.kill();
    const {fields} = n2.lastWord();
    const changed = fields.map((field) => {
      if (spoil === 'stable' && field.name === 'sysphase') return {...field, value: 's'};
      if (spoil === 'silent' && field.name === 'sysown')
        return {...field, value: field.value.toString().split(' ')[0] ?? ''};
      return field;
    });
    assert.equal(fieldOf({fields}, 'sysphase'), 'l');
    n1.kill();
    assert.equal(replaced(pair, {fields: changed}), 1, `${spoil}\n${pair.trace.join('\n')}`);
  }
});

test('a node whose last word is that it left with nothing is not reset although its goodbye was lost', () => {
  const pair = settled({stonith: true});
  const [n1, n2] = [pair.node('n1'), pair.node('n2')];
  for (const node of [n1, n2])
    for (const script of ['A', 'A2', 'B']) node.scripts.set(`${script} start`, {ms: 5, code: 1});
  n1.request({command: 'standby', scope: 'all'});
  pair.run(5000);
  n2.request({command: 'shutdown'});
  pair.run(3);
  pair.isCut = true;
  pair.run(1000);
  assert.equal(n2.exited, 0);
  n1.give({type: 'messaging-said', message: {type: 'node-returned', node: 'n2'}});
  n1.hears(n2);
  n1.missed('n2');
  pair.run(1000);
  assert.ok(!pair.trace.some((line) => line.includes('Resetting node n2')), pair.trace.join('\n'));
});

// Goal: one sound node is enough. What the other has, cannot stop, cannot measure or calls by another name keeps no group down for ever,
// and stops none that serves; and never do two nodes serve for longer than it takes to see it. Method: two real manager cores on
// scripted agents; each case once kept a group down, or up on both.

import assert from 'node:assert/strict';
import {describe, test} from '@jest/globals';
import {facts, SEEN} from '../helpers/disk-facts.js';
import {type Member, Pair} from '../helpers/pair.js';

const IS_RUNNING = {output: 'running', code: 0};
const TELLS_NOTHING = {output: '', code: 4};
const FAILS = {ms: 5, code: 1};

function pairOf(haresources: string, options: Partial<ConstructorParameters<typeof Pair>[0]> = {}) {
  const pair = new Pair({haresources, ...options});
  return {pair, n1: pair.node('n1'), n2: pair.node('n2')};
}

function returns(pair: Pair, name: string): void {
  pair.node(name).boot();
  for (const other of pair.alive()) if (other.name !== name) other.restarted(name);
  pair.introduce();
}

function bootAlone(pair: Pair, name: string): void {
  pair.node(name).boot();
  pair.run(20);
  pair.node(name).missed(name === 'n1' ? 'n2' : 'n1');
}

/** Nodes on which this agent was started, in whichever group. */
function nodesWith(pair: Pair, script: string): string[] {
  const has = (node: Member) => [...node.running].some((each) => each.endsWith(`#${script}`));
  return Object.values(pair.nodes)
    .filter(has)
    .map((node) => node.name);
}

describe('an agent that lives on the disk, and on a standby says nothing and fails', () => {
  for (const code of [1, 5, 6]) {
    /** `cd /data/app || exit 1`, at its top. */
    const onDisk = (pair: Pair, ms: number): void => {
      for (let at = 0; at < ms; at += 1) {
        for (const node of Object.values(pair.nodes)) {
          const isMounted = node.running.has('IP#Fs');
          node.says.delete('App');
          if (!isMounted) node.says.set('App', {output: '', code});
          for (const action of ['start', 'stop'])
            node.scripts.set(`App ${action}`, {ms: 2, code: isMounted ? 0 : code});
        }
        pair.run(1);
      }
    };

    test(`both boot; exit ${code}`, () => {
      const {pair} = pairOf('n1 IP Fs App');
      onDisk(pair, 1);
      pair.boot('n1', 'n2');
      onDisk(pair, 10_000);
      assert.deepEqual([pair.runners('IP'), pair.node('n1').running.size], [['n1'], 3]);
    });

    test(`the standby boots later, and must take over; exit ${code}`, () => {
      const {pair, n1, n2} = pairOf('n1 IP Fs App');
      onDisk(pair, 1);
      bootAlone(pair, 'n1');
      onDisk(pair, 3000);
      assert.equal(n1.running.size, 3);
      returns(pair, 'n2');
      onDisk(pair, 10_000);
      n1.powerCut();
      n2.missed('n1');
      onDisk(pair, 10_000);
      assert.deepEqual([...n2.running], ['IP#IP', 'IP#Fs', 'IP#App']);
    });
  }
});

test('what cannot be stopped on the standby is started there once the other node is gone', () => {
  const {pair, n1, n2} = pairOf('n1 A Server');
  bootAlone(pair, 'n1');
  pair.until(() => n1.group('A').state === 'running');
  n2.says.set('Server', IS_RUNNING);
  n2.scripts.set('Server stop', FAILS);
  returns(pair, 'n2');
  pair.run(20_000);
  assert.deepEqual([n1.group('A').state, n2.group('A').state, ...n2.running], ['running', 'blocked']);
  n1.powerCut();
  n2.missed('n1');
  pair.run(60_000);
  assert.deepEqual([n2.group('A').state, ...n2.running], ['running', 'A#A']);
});

test('who serves does not yield to a home node that cannot stop what init started there', () => {
  const {pair, n1, n2} = pairOf('n2 A Server');
  bootAlone(pair, 'n1');
  pair.until(() => n1.group('A').state === 'running');
  // Its daemon is exchanged, and finds the group.
  n1.kill();
  bootAlone(pair, 'n1');
  pair.until(() => n1.group('A').state === 'running');
  n2.says.set('Server', IS_RUNNING);
  n2.scripts.set('Server stop', FAILS);
  returns(pair, 'n2');
  pair.run(120_000);
  assert.deepEqual([...n1.running].sort(), ['A#A', 'A#Server']);
});

test('who took over in a cut keeps it, also when its daemon was started again meanwhile', () => {
  const {pair, n1, n2} = pairOf('n1 A Server');
  pair.boot('n1', 'n2');
  pair.until(() => n1.group('A').state === 'running');
  pair.cut();
  pair.until(() => n2.running.size === 2);
  n2.kill();
  bootAlone(pair, 'n2');
  pair.run(10_000);
  pair.isCut = false;
  n1.restarted('n2');
  n1.hears(n2);
  n2.hears(n1);
  pair.run(10_000);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

test('and who took it without having heard the other one, whatever that one had claimed before', () => {
  const {pair, n1, n2} = pairOf('n1 A Server');
  pair.boot('n1', 'n2');
  pair.until(() => n1.group('A').state === 'running');
  for (const [from, to] of [
    [n1, n2],
    [n2, n1],
  ] as const) {
    from.request({command: 'standby', scope: 'all'});
    pair.until(() => to.group('A').state === 'running');
    pair.run(2000);
  }
  n1.kill();
  n2.powerCut();
  bootAlone(pair, 'n2');
  pair.until(() => n2.group('A').state === 'running');
  pair.run(10_000);
  returns(pair, 'n1');
  pair.run(10_000);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

for (const stallMs of [1500, 2500, 6000])
  test(`and while the manager of the other one stands still for ${stallMs} ms`, () => {
    const {pair, n1, n2} = pairOf('n1 A Server', {deadtimeMs: 1000});
    pair.boot('n1', 'n2');
    pair.until(() => n1.group('A').state === 'running');
    pair.cut();
    pair.until(() => n2.group('A').state === 'running');
    pair.run(60_000);
    const give = n1.give.bind(n1);
    const held: Parameters<typeof give>[0][] = [];
    n1.give = (event) => void held.push(event);
    pair.heal();
    pair.run(stallMs);
    n1.give = give;
    for (const each of held) give(each);
    pair.run(20_000);
    assert.deepEqual(pair.runners('A'), ['n2']);
  });

test('a server that hangs and whose status says nothing, on a node whose daemon is exchanged, is not started on the other', () => {
  const {pair, n1, n2} = pairOf('n2 Server');
  bootAlone(pair, 'n1');
  pair.until(() => n1.group('Server').state === 'running');
  returns(pair, 'n2');
  pair.run(5000);
  n1.says.set('Server', {output: '', code: 1});
  n1.kill();
  returns(pair, 'n1');
  pair.run(10_000);
  assert.deepEqual([pair.runners('Server'), n2.group('Server').state], [['n1'], 'stopped']);
});

describe('a home node that can neither stop nor start what init left there', () => {
  function beside(autoFailback: 'on' | 'off', home: string) {
    const {pair, n1, n2} = pairOf(`${home} A Server`, {autoFailback});
    bootAlone(pair, 'n1');
    pair.until(() => n1.group('A').state === 'running');
    n2.says.set('Server', {output: 'not running (hangs)', code: 1});
    n2.scripts.set('Server stop', FAILS);
    n2.scripts.set('Server start', FAILS);
    returns(pair, 'n2');
    pair.run(30_000);
    return {pair, n1, n2};
  }
  const runs = (node: Member) => assert.deepEqual([...node.running].sort(), ['A#A', 'A#Server']);

  test('is given nothing back', () => {
    const {pair, n1} = beside('on', 'n2');
    pair.run(120_000);
    runs(n1);
  });

  test('is given nothing by hand, with the reason', () => {
    const {pair, n1} = beside('off', 'n1');
    const id = n1.request({command: 'standby', scope: 'all'});
    pair.run(5000);
    const reply = n1.replies.get(id);
    assert.equal(reply?.ok === false && reply.code, 'PEER_HAS_PART');
    runs(n1);
  });

  for (const isManagerOnly of [true, false])
    test(`is not yielded to for one status without an answer (${isManagerOnly ? 'manager' : 'daemon'} exchanged)`, () => {
      const {pair, n1, n2} = beside('off', 'n2');
      n1.says.set('Server', TELLS_NOTHING);
      if (isManagerOnly) n1.adopt({n1: 'active', n2: 'active'}, {n2: n2.lastWord()});
      else {
        n1.kill();
        returns(pair, 'n1');
      }
      pair.run(100);
      n1.says.delete('Server');
      pair.run(120_000);
      runs(n1);
    });
});

test('nothing is stopped in favour of a node that is still measuring', () => {
  const {pair, n1, n2} = pairOf('n2 A Server');
  bootAlone(pair, 'n1');
  pair.until(() => n1.running.size === 2);
  returns(pair, 'n2');
  pair.run(1000);
  n1.kill();
  n2.kill();
  n1.says.set('Server', TELLS_NOTHING);
  n2.scripts.set('A status', {ms: 15_000, code: 0});
  pair.boot('n1', 'n2');
  pair.run(60_000);
  assert.deepEqual(
    pair.trace.filter((line) => line.includes('n1 RSC Server stop')),
    [],
  );
});

describe('haresources that name the same resources by another first word', () => {
  for (const beaconMs of [1, 20, 60])
    for (const apartMs of [0, 3, 30])
      test(`both boot, ${apartMs} ms apart, with beacons of ${beaconMs} ms`, () => {
        const {pair, n1, n2} = pairOf('n1 IP Server', {differing: {n2: 'n1 drbddisk::data IP Server'}});
        pair.beaconMs = beaconMs;
        n1.boot();
        pair.run(apartMs);
        n2.boot();
        pair.run(20);
        pair.introduce();
        for (let at = 0; at < 10_000; at += 5) {
          pair.run(5);
          assert.ok(nodesWith(pair, 'Server').length <= 1, 'two nodes serve');
        }
        assert.equal(nodesWith(pair, 'Server').length, 1);
      });

  test('a part of it, by its new name, is not completed beside its owner by the old one', () => {
    const {pair, n1, n2} = pairOf('n1 IP Server');
    pair.boot('n1', 'n2');
    pair.until(() => n1.running.size === 2);
    pair.run(1000);
    n2.powerCut();
    n1.missed('n2');
    n2.edit({haresources: 'n1 drbddisk::data IP Server'});
    n2.says.set('Server', IS_RUNNING);
    returns(pair, 'n2');
    pair.run(60_000);
    assert.deepEqual(nodesWith(pair, 'IP'), ['n1']);
  });
});

for (const home of ['n1', 'n2'])
  test(`a node that never hears the one that serves (home ${home}): one of them yields`, () => {
    const {pair, n1, n2} = pairOf(`${home} A Server`);
    bootAlone(pair, 'n1');
    pair.until(() => n1.running.size === 2);
    const give = n2.give.bind(n2);
    n2.give = (event) => {
      const isHeard = event.type === 'messaging-said' && event.message.type === 'message-received';
      if (!isHeard) give(event);
    };
    n2.boot();
    pair.run(20);
    n1.hears(n2);
    pair.run(10_000);
    n2.missed('n1');
    pair.run(60_000);
    assert.equal(pair.runners('A').length, 1);
  });

describe('a planned move of several groups', () => {
  test('what failed on the taker runs here again although another group is blocked there', () => {
    const {pair, n1, n2} = pairOf('n1 A X; n1 C Y');
    pair.boot('n1', 'n2');
    pair.until(() => n1.running.size === 4);
    for (const each of ['X start', 'X stop', 'Y start']) n2.scripts.set(each, FAILS);
    n2.says.set('X', {output: '', code: 1});
    n1.request({command: 'standby', scope: 'all'});
    pair.run(60_000);
    assert.deepEqual(pair.runners('C'), ['n1']);
  });

  test('and although another one is still being started there', () => {
    const {pair, n1, n2} = pairOf('n1 A X; n1 C Y');
    pair.boot('n1', 'n2');
    pair.until(() => n1.running.size === 4);
    n2.scripts.set('X start', {ms: 55_000, code: 0});
    n2.scripts.set('Y start', FAILS);
    n1.request({command: 'standby', scope: 'all'});
    pair.run(10_000);
    assert.deepEqual([pair.runners('C'), n2.group('A').state], [['n1'], 'starting']);
  });
});

/** A removed group that is blocked on n1, where another name stands for it; n2 runs C. */
function renamed() {
  const {pair, n1, n2} = pairOf('n1 A Server; n2 C Y');
  pair.boot('n1', 'n2');
  pair.until(() => n1.running.size === 2 && n2.running.size === 2);
  n1.scripts.set('Server stop', FAILS);
  n1.says.set('Server', TELLS_NOTHING);
  n1.reload({haresources: 'n1 B Server; n2 C Y'});
  pair.run(30_000);
  return {pair, n1, n2};
}

test('a removed group that is blocked, and another name for it: the other groups are taken over all the same', () => {
  const {pair, n1, n2} = renamed();
  n1.kill();
  returns(pair, 'n1');
  pair.run(30_000);
  n2.powerCut();
  n1.missed('n2');
  pair.run(10_000);
  assert.deepEqual(pair.runners('C'), ['n1']);
});

test('and planned moves go on', () => {
  const {pair, n2} = renamed();
  n2.request({command: 'standby', scope: 'all'});
  pair.run(5000);
  assert.deepEqual(pair.runners('C'), ['n1']);
});

test('the other node is stopped in order: what failed here is tried at once', () => {
  const {pair, n1, n2} = pairOf('n1 A Server');
  for (const node of [n1, n2]) node.scripts.set('Server start', FAILS);
  pair.boot('n1', 'n2');
  pair.run(1_200_000);
  n2.scripts.delete('Server start');
  pair.until(() => pair.runners('A').join() === 'n2' && n2.group('A').state === 'running', 1_200_000);
  n1.scripts.delete('Server start');
  n2.request({command: 'shutdown'});
  pair.until(() => pair.runners('A').join() === 'n1', 20_000);
});

test('a server that fails on both nodes is not started without a pause because its disk is Primary here and there in turn', () => {
  const {pair, n1, n2} = pairOf('n1 A drbddisk::data Server');
  for (const node of [n1, n2]) {
    node.scripts.set('Server start', {ms: 500, code: 1});
    node.disksAtStart = [facts(SEEN.idle)];
  }
  pair.boot('n1', 'n2');
  let before = '';
  for (let at = 0; at < 300_000; at += 5) {
    pair.run(5);
    const now = nodesWith(pair, 'drbddisk').join();
    if (now === before) continue;
    before = now;
    for (const node of [n1, n2]) {
      const seen = now === '' ? SEEN.idle : now === node.name ? SEEN.active : SEEN.standby;
      node.give({type: 'disks-changed', disks: [facts(seen)]});
    }
  }
  const tries = pair.trace.filter((line) => line.includes('RSC Server start')).length;
  assert.ok(tries >= 4 && tries <= 20, `${tries} starts in five minutes`);
});

// What a real Heartbeat 3.0.6 peer makes our core do, in the situations that the mixed cluster (test/interop) found.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {BesideReal} from '../helpers/beside-real.js';

const haresources = 'n1 A; n2 B';

test('legacy: our group is asked for once the peer is known, again without an answer, and started with it', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'legacy'});
  real.join();
  assert.deepEqual(real.sent('ip-request'), ['t=ip-request ipaddr=A']);
  real.pair.run(2000);
  assert.equal(real.sent('ip-request').length, 1);
  real.pair.run(2000);
  assert.equal(real.sent('ip-request').length, 2);
  assert.equal(real.runs('A'), false);
  real.says({t: 'ip-request-resp', dest: 'n1', ipaddr: 'A', weown: 'yes', ok: 'OK'});
  real.pair.run(100);
  assert.equal(real.runs('A'), true);
  real.pair.run(10_000);
  assert.equal(real.sent('ip-request').length, 2);
});

test('legacy: a living peer that took us for dead is asked to stop our group, and its own is left to it', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'legacy'});
  real.join();
  real.says({t: 'ip-request-resp', dest: 'n1', ipaddr: 'A', weown: 'no', ok: 'OK'});
  real.pair.run(1000);
  assert.equal(real.sent('ip-request').length, 1);
  real.says({t: 'stonith', node: 'n1', result: 'n_stnth'});
  real.pair.run(5000);
  assert.equal(real.sent('ip-request').length, 1);
  real.pair.run(2000);
  assert.deepEqual(real.sent('ip-request').slice(1), ['t=ip-request ipaddr=A']);
  assert.equal(real.runs('A'), true);
});

test('legacy: beside a peer that returned without a restart the group of its home node is stopped here', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'legacy'});
  real.join();
  real.says({t: 'ip-request-resp', dest: 'n1', ipaddr: 'A', weown: 'no', ok: 'OK'});
  real.changes('active', 'dead');
  real.pair.until(() => real.runs('B'));
  real.node.give({type: 'messaging-said', message: {type: 'node-returned', node: 'n2'}});
  real.changes('dead', 'active');
  real.says({t: 'status', st: 'active', dt: '5dc'});
  real.pair.run(8000);
  assert.equal(real.runs('A'), true);
  assert.equal(real.runs('B'), false);
});

test('legacy: a dead real peer, which never says what it holds, is fenced before its group is started', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'legacy', stonith: true});
  real.node.fencing = 'fails';
  real.join();
  real.changes('active', 'dead');
  real.pair.run(20_000);
  assert.equal(real.runs('B'), false);
});

const report = (hold: string, isStable: '0' | '1', seq: string) =>
  ({t: 'resource', rsc_hold: hold, rtype: 'full', isstable: isStable, seq}) as const;

test('an older report that was lost and sent again changes nothing', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'off'});
  real.join();
  real.says(report('none', '0', 'e'));
  real.says(report('local', '1', '11'));
  real.pair.until(() => real.runs('A'));
  real.says(report('none', '0', '10'));
  real.pair.run(100);
  assert.equal(real.node.state?.peer?.hold, 'local');
  assert.equal(real.node.state?.peer?.isStable, true);
  real.says(report('all', '1', '12'));
  real.pair.run(100);
  assert.equal(real.node.state?.peer?.hold, 'all');
});

test('our report is repeated to a real peer, which may have got an older one last', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'off'});
  real.join();
  real.says(report('local', '1', '11'));
  real.pair.until(() => real.runs('A'));
  const before = real.sent('resource').length;
  real.pair.run(11_000);
  assert.deepEqual(real.sent('resource').slice(before), [
    't=resource rsc_hold=local rtype=full isstable=1',
    't=resource rsc_hold=local rtype=full isstable=1',
  ]);
});

test('a report that overtakes the status that tells what the peer is counts', () => {
  const real = new BesideReal('n1', {haresources: 'n1 A; n2 B'});
  real.node.boot();
  real.pair.run(20);
  real.changes('init', 'active');
  real.node.commUp();
  real.says({t: 'resource', rsc_hold: 'none', rtype: 'full', isstable: '0', seq: '9'});
  real.pair.run(20);
  real.says({t: 'status', st: 'active', dt: '5dc', seq: '7'});
  real.pair.run(9_500);
  assert.equal(real.runs('A'), false, 'nothing before the ten seconds of the original');
  real.pair.run(1_000);
  assert.equal(real.runs('A'), true);
});

test('a real peer that returns without having missed us is asked what it holds, until it says so', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'off'});
  real.join();
  real.says(report('local', '1', '11'));
  real.pair.until(() => real.runs('A'));
  const before = real.sent('starting').length;
  real.changes('active', 'dead');
  real.pair.until(() => real.runs('B'));
  real.node.give({type: 'messaging-said', message: {type: 'node-returned', node: 'n2'}});
  real.changes('dead', 'active');
  real.says({t: 'status', st: 'active', dt: '5dc'});
  real.pair.run(12_000);
  assert.equal(real.sent('starting').length, before + 2);
  assert.equal(real.node.state?.peer?.isStable, false);
  real.says(report('local', '1', '20'));
  real.pair.run(12_000);
  assert.equal(real.node.state?.peer?.isStable, true);
  assert.equal(real.sent('starting').length, before + 2);
});

test('a whole report that a partial one has overtaken is asked for again', () => {
  const real = new BesideReal('n1', {haresources, autoFailback: 'off'});
  real.join();
  real.says(report('none', '0', '10'));
  const before = real.sent('starting').length;
  real.says({t: 'resource', rsc_hold: 'foreign', info: 'mach_down', seq: '14'});
  real.says(report('all', '1', '12'));
  real.pair.run(16_000);
  assert.equal(real.node.state?.peer?.isStable, false);
  assert.ok(real.sent('starting').length > before);
  real.says(report('all', '1', '20'));
  real.pair.run(100);
  assert.equal(real.node.state?.peer?.isStable, true);
  const asked = real.sent('starting').length;
  real.pair.run(16_000);
  assert.equal(real.sent('starting').length, asked);
});

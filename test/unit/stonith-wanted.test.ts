// Goal: who has to know whether a dead node was really reset learns it, and may have it reset where the groups alone do not need it:
// DRBD with frozen writes. Method: two manager cores (helpers/pair.ts); the client API's part in client-api-view.test.ts.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {fieldOf, messageOf} from '../../src/model/message.js';
import {type ApiView, answer} from '../../src/runtime/client-api-requests.js';
import {Pair} from '../helpers/pair.js';

function settled(stonith: boolean): Pair {
  const pair = new Pair({haresources: 'n1 A', stonith});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1' && pair.node('n1').status().rscstatus !== 'transition', 5000);
  return pair;
}

const wordOf = (pair: Pair, asking: string, about: string) =>
  pair
    .node(asking)
    .status()
    .nodes.find((node) => node.name === about)?.stonith;
const resets = (pair: Pair) => pair.trace.filter((line) => line.includes('Resetting node'));
const want = (pair: Pair, node: string) =>
  pair.node('n1').request({command: 'inject', fields: {t: 'want_stonith', node}});

test('the word for a dead node: pending, then OK or bad; nothing while it lives', () => {
  const pair = settled(true);
  assert.equal(wordOf(pair, 'n2', 'n1'), undefined);
  pair.node('n2').fencing = 'fails';
  pair.node('n1').kill();
  pair.node('n2').missed('n1');
  assert.equal(wordOf(pair, 'n2', 'n1'), 'pending');
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'bad', 1000);
  pair.node('n2').fencing = 'works';
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'OK', 10_000);
  pair.boot('n1');
  pair.until(() => wordOf(pair, 'n2', 'n1') === undefined, 10_000);
});

test('without STONITH the word says so', () => {
  const pair = settled(false);
  pair.node('n1').powerCut();
  pair.node('n2').missed('n1');
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'n_stnth', 1000);
  pair.node('n2').request({command: 'inject', fields: {t: 'want_stonith', node: 'n1'}});
  pair.run(1000);
  assert.deepEqual(resets(pair), []);
});

test('a dead node that owned nothing is reset when DRBD wants it, once, and what runs here runs on', () => {
  const pair = settled(true);
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  pair.run(1000);
  assert.equal(wordOf(pair, 'n1', 'n2'), 'unneeded');
  assert.deepEqual(resets(pair), []);
  for (const node of ['n2', 'n2', 'n3', 'n1']) want(pair, node);
  assert.equal(wordOf(pair, 'n1', 'n2'), 'pending');
  pair.until(() => wordOf(pair, 'n1', 'n2') === 'OK', 1000);
  want(pair, 'n2');
  pair.run(1000);
  assert.equal(resets(pair).length, 1);
  assert.deepEqual(pair.runners('A'), ['n1']);
});

test('a node that was reset is reset again when DRBD finds that reset too old, once', () => {
  const pair = settled(true);
  pair.node('n1').powerCut();
  pair.node('n2').missed('n1');
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'OK', 1000);
  const n2 = pair.node('n2');
  const resetMs = () => n2.status().nodes.find((node) => node.name === 'n1')?.resetMs;
  const first = resetMs();
  assert.ok(first !== undefined && first <= pair.nowMs - 100, 'the reset counts from its beginning');
  const wish = (old: string) =>
    n2.request({command: 'inject', fields: {t: 'want_stonith', node: 'n1', ...(old !== '' && {reset_ms: old})}});
  for (const old of ['', 'x', String(first - 1)]) wish(old);
  assert.equal(wordOf(pair, 'n2', 'n1'), 'OK');
  pair.run(1000);
  wish(String(first));
  assert.equal(wordOf(pair, 'n2', 'n1'), 'pending');
  assert.equal(resetMs(), undefined);
  wish(String(first));
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'OK', 1000);
  assert.ok((resetMs() ?? 0) > first);
  wish(String(first));
  pair.run(1000);
  assert.equal(resets(pair).length, 2);
  assert.deepEqual(pair.runners('A'), ['n2']);
});

for (const how of ['loses its power', 'is stopped in order'] as const)
  test(`no STONITH device, and the idle standby ${how}: the word says that no proof will come`, () => {
    const pair = settled(false);
    if (how === 'loses its power') pair.node('n2').powerCut();
    else pair.node('n2').request({command: 'shutdown'});
    pair.run(1000);
    pair.node('n1').missed('n2');
    pair.run(1000);
    assert.equal(wordOf(pair, 'n1', 'n2'), 'n_stnth');
    assert.deepEqual(pair.runners('A'), ['n1']);
  });

test('the device is taken out of ha.cf, or added, while the node is dead', () => {
  const pair = settled(true);
  pair.node('n2').powerCut();
  pair.node('n1').missed('n2');
  pair.run(1000);
  const {config} = pair.node('n1');
  pair.node('n1').reload({stonith: false});
  assert.equal(wordOf(pair, 'n1', 'n2'), 'n_stnth');
  want(pair, 'n2');
  assert.deepEqual(resets(pair), []);
  pair.node('n1').give({type: 'config-changed', config});
  assert.equal(wordOf(pair, 'n1', 'n2'), 'unneeded');
  want(pair, 'n2');
  pair.until(() => wordOf(pair, 'n1', 'n2') === 'OK', 1000);
});

test('a device that is added when the death of a node was declared without one', () => {
  const pair = settled(false);
  pair.node('n1').powerCut();
  pair.node('n2').missed('n1');
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'n_stnth', 1000);
  const {stonith} = settled(true).node('n2').config.ha;
  const {config} = pair.node('n2');
  pair.node('n2').give({type: 'config-changed', config: {...config, ha: {...config.ha, stonith}}});
  assert.equal(wordOf(pair, 'n2', 'n1'), 'unneeded');
  pair.node('n2').request({command: 'inject', fields: {t: 'want_stonith', node: 'n1'}});
  pair.until(() => wordOf(pair, 'n2', 'n1') === 'OK', 1000);
});

test('a node that lives is never reset on such a wish', () => {
  const pair = settled(true);
  want(pair, 'n2');
  pair.run(1000);
  assert.deepEqual(resets(pair), []);
});

test('nodestatus carries the word beside `st`, and only where there is one', () => {
  const view: ApiView = {
    node: 'n1',
    uuids: {},
    nodes: [
      {name: 'n1', type: 'normal', status: 'active', links: []},
      {name: 'n2', type: 'normal', status: 'dead', links: [], stonith: 'OK', resetMs: 1234},
    ],
  };
  const ask = (node: string) => {
    const source = {view: () => view, parameters: () => ({}), rscstatus: () => 'none' as const};
    const [reply] = answer(messageOf({t: 'hbapi-req', reqtype: 'nodestatus', node}), source) ?? [];
    assert.ok(reply);
    return [fieldOf(reply, 'st'), fieldOf(reply, 'stonith'), fieldOf(reply, 'reset_ms'), fieldOf(reply, 'result')];
  };
  assert.deepEqual(ask('n1'), ['active', undefined, undefined, 'OK']);
  assert.deepEqual(ask('n2'), ['dead', 'OK', '1234', 'OK']);
});

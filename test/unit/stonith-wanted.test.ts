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
      {name: 'n2', type: 'normal', status: 'dead', links: [], stonith: 'OK'},
    ],
  };
  const ask = (node: string) => {
    const source = {view: () => view, parameters: () => ({}), rscstatus: () => 'none' as const};
    const [reply] = answer(messageOf({t: 'hbapi-req', reqtype: 'nodestatus', node}), source) ?? [];
    assert.ok(reply);
    return [fieldOf(reply, 'st'), fieldOf(reply, 'stonith'), fieldOf(reply, 'result')];
  };
  assert.deepEqual(ask('n1'), ['active', undefined, 'OK']);
  assert.deepEqual(ask('n2'), ['dead', 'OK', 'OK']);
});

// Goal: with more than two nodes the resources stay with a pair. Method: the pure functions, and a core that watches.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {groupsHere, partnerOf} from '../../src/core/pair.js';
import {startManager, stepManager} from '../../src/core/step.js';
import {clusterConfig} from '../helpers/cluster-config.js';

const nodes = ['n1', 'n2', 'n3'];

function partners(haresources: string): (string | undefined)[] {
  return nodes.map((node) => partnerOf(clusterConfig({node, nodes, haresources})));
}

test('the pair is who has groups at home, filled up in ha.cf order; the third node has no partner', () => {
  assert.deepEqual(partners('n1 A; n2 B'), ['n2', 'n1', undefined]);
  assert.deepEqual(partners('n3 A; n2 B'), [undefined, 'n3', 'n2']);
  assert.deepEqual(partners('n3 A'), ['n3', undefined, 'n1']);
  assert.equal(partnerOf(clusterConfig({node: 'n1', nodes: ['n1'], haresources: 'n1 A'})), undefined);
});

test('a node outside the pair starts nothing and reports no holding, whoever is dead', () => {
  const config = clusterConfig({node: 'n3', nodes, haresources: 'n1 A; n2 B', autoFailback: 'on'});
  assert.deepEqual(groupsHere(config), []);
  let now = {monoMs: 1000, wallMs: 1000};
  const started = startManager(config, now);
  let {state} = started;
  const effects = [...started.effects];
  const give = (message: object) => {
    now = {monoMs: now.monoMs + 1000, wallMs: now.wallMs + 1000};
    const next = stepManager(state, {type: 'messaging-said', message} as Parameters<typeof stepManager>[1], now);
    state = next.state;
    effects.push(...next.effects);
  };
  give({type: 'comm-up'});
  for (const node of ['n1', 'n2'])
    give({type: 'node-changed', node, status: 'dead', previous: 'active', wasHeard: true});
  for (let second = 0; second < 60; second += 1) give({type: 'comm-up'});
  const sent = effects.flatMap((each) => {
    const isSent = each.type === 'tell-messaging' && each.message.type === 'send';
    return isSent ? [JSON.stringify(each.message.message)] : [];
  });
  assert.equal(
    effects.some((each) => each.type === 'run-script'),
    false,
  );
  assert.deepEqual(sent, []);
});

// Goal: the client API shows links, uuids and parameters as the real daemon does (compared with it in test/interop-clients).

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import type {NodeView} from '../../src/model/cluster.js';
import type {HaConfig} from '../../src/model/config.js';
import {messageOf} from '../../src/model/message.js';
import {Uuids} from '../../src/runtime/client-api-uuids.js';
import {apiParameters, apiViewOf, type ClusterPicture} from '../../src/runtime/client-api-view.js';

const ha = {
  node: 'n1',
  media: [
    {kind: 'ucast', device: 'eth1', host: '10.0.0.2'},
    {kind: 'bcast', device: 'eth0'},
  ],
  env: {FOO: 'bar'},
  debug: 0,
  parameters: {deadtime: '5', FOO: 'bar'},
} as unknown as HaConfig;

function node(name: string, links: readonly string[], type: NodeView['type'] = 'normal'): NodeView {
  return {name, type, status: 'active', links: links.map((each) => ({name: each, status: 'up'}))};
}

function view(uuids: Uuids, ...nodes: readonly NodeView[]) {
  return apiViewOf({status: {nodes}} as unknown as ClusterPicture, ha, uuids);
}

test('links are in the order of ha.cf, those of this node are there, and dead', () => {
  const {nodes} = view(new Uuids(), node('n1', []), node('n2', ['eth0', 'eth1']), node('gate', ['gate'], 'ping'));
  assert.deepEqual(
    nodes.map((each) => each.links.map(({name, status}) => `${name} ${status}`)),
    [['eth1 dead', 'eth0 dead'], ['eth1 up', 'eth0 up'], ['gate up']],
  );
});

test('a uuid is what the node said; zeros before that; garbage and strangers change nothing', () => {
  const uuids = new Uuids();
  const say = (src: string, srcuuid: string) =>
    uuids.learnFrom({fields: [...messageOf({t: 'status', src}).fields, {name: 'srcuuid', type: 1, value: srcuuid}]});
  say('N2', 'b'.repeat(16));
  say('n2', 'short');
  say('stranger', 'c'.repeat(16));
  uuids.learnFrom(messageOf({t: 'status'}));
  assert.deepEqual(view(uuids, node('n1', []), node('n2', [])).uuids, {n1: '\0'.repeat(16), n2: 'b'.repeat(16)});
});

test('parameters: env is none, crm and debug always are', () => {
  assert.deepEqual(apiParameters(ha), {crm: 'false', debug: '0', deadtime: '5'});
});

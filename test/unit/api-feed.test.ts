// Goal: clients see deaths, ping nodes and links in the forms that the real daemon synthesises, and what a client may say
// that this node must act on reaches the core.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import type {NodeStatus} from '../../src/model/cluster.js';
import {fieldOf, type Message} from '../../src/model/message.js';
import {feedOf} from '../../src/runtime/api-feed.js';
import {isForCore} from '../../src/runtime/client-services.js';

function changed(status: NodeStatus, previous: NodeStatus): Message | undefined {
  return feedOf({type: 'node-changed', node: 'gate', status, previous, wasHeard: true}, 16_000);
}

function words(message: Message | undefined): string {
  return ['t', 'st', 'src', 'info', 'ts', 'node', 'ifname'].map((name) => fieldOf(message!, name) ?? '-').join(' ');
}

test('a ping node that answers, and one that stopped answering', () => {
  assert.equal(words(changed('ping', 'init')), 'NS_st ping gate ping 10 - -');
  assert.equal(words(changed('dead', 'ping')), 'status dead gate ping 10 - -');
});

test('a dead node is told, a living one speaks for itself', () => {
  assert.equal(words(changed('dead', 'active')), 'status dead gate - 10 - -');
  assert.equal(changed('active', 'up'), undefined);
});

test('a link', () => {
  const said = feedOf({type: 'link-changed', node: 'n2', link: 'eth1', status: 'dead'}, 0);
  assert.equal(words(said), 'ifstat dead - - - n2 eth1');
});

test('a standby that a client asks for is for the core too; its private messages are not', () => {
  for (const type of ['ask_resources', 'hb_takeover', 'addnode', 'shutdone', 'NS_ackmsg'])
    assert(isForCore(type), type);
  for (const type of ['num_ping_nodes', 'you_are_dead', 'start_outdate', 'hello']) assert(!isForCore(type), type);
});

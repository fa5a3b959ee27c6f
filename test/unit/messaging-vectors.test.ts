// Goal: real packets of Heartbeat 3.0.6 are understood, and ours carry the same fields in the same order.
// Method: the captured vectors, played to a core that stands in for their receiver, and compared with one that stands
// in for their sender.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {startMessaging, stepMessaging} from '../../src/messaging/step.js';
import {fieldOf, type Message, messageOf, parseHex} from '../../src/model/message.js';
import {Lab, sent, startOf, told} from '../helpers/messaging.js';
import {messageOfVector, vectors} from '../helpers/vectors.js';

const vector = (name: string): Message => messageOfVector(vectors.find((each) => each.name === name)!.decoded.fields);
const plain = (message: Message) => message.fields.filter((each) => each.name !== 'auth' && each.name !== 'ld');
const uuidOf = (message: Message) => fieldOf(message, 'srcuuid')!;
const first = vector('sha1-default-status-init');

test('our first packets are those of the real daemon but for the load and our mark', () => {
  const start = startOf({uuid: uuidOf(first), generation: parseHex(fieldOf(first, 'hg'))!});
  const now = {monoMs: 0, wallMs: parseHex(fieldOf(first, 'ts'))! * 1000};
  const [init, up] = sent(startMessaging(start, now).effects);
  assert.deepEqual(plain(unmarked(init!)), plain(first));
  assert.deepEqual(plain(unmarked(up!)), plain(vector('sha1-default-status-up')));
});

test('messages, requests, refusals and acks have the real order of fields', () => {
  const starting = vector('sha1-default-starting');
  const now = {monoMs: 0, wallMs: parseHex(fieldOf(starting, 'ts'))! * 1000};
  const start = startOf({uuid: uuidOf(first), generation: parseHex(fieldOf(first, 'hg'))!});
  let {state} = startMessaging(start, now);
  ({state} = stepMessaging(state, {type: 'load-read', text: fieldOf(starting, 'ld')!}, now));
  state = {...state, highest: parseHex(fieldOf(starting, 'seq'))! - 1};
  const said = {type: 'manager-said', message: {type: 'send', message: messageOf({t: 'starting'})}} as const;
  const [ours] = sent(stepMessaging(state, said, now).effects);
  assert.deepEqual(
    ours!.fields,
    starting.fields.filter((each) => each.name !== 'auth'),
  );
});

test('a real node is heard, answered, and its packets reach the manager', () => {
  const lab = new Lab(startOf({node: 'ha2', uuid: fieldOf(vector('sha1-default-reqnodes'), 'destuuid')!}));
  for (const name of ['status-init', 'status-up', 'reqnodes', 'repnodes', 'starting', 'resource', 'ackmsg']) {
    lab.receive(vector(`sha1-default-${name}`));
  }
  lab.receive(vector('sha1-default-status-active'));
  const effects = lab.take();
  assert.equal(lab.state.refused, 0);
  assert.equal(lab.state.isCommUp, true);
  assert.deepEqual(
    told(effects, 'node-changed').map((each) => each.status),
    ['init', 'up', 'active'].slice(1),
  );
  assert.equal(fieldOf(sent(effects, 'repnodes')[0]!, 'nodelist'), 'ha1 ha2 ');
  const kinds = told(effects, 'message-received').map((each) => fieldOf(each.message, 't'));
  assert.deepEqual(kinds, ['status', 'status', 'starting', 'resource', 'status']);
});

/** Without `sysv`, by which Systole nodes know each other. */
function unmarked(message: Message): Message {
  return {fields: message.fields.filter((each) => each.name !== 'sysv')};
}

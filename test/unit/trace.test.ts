import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import type {ManagerEffect, ManagerEvent} from '../../src/model/manager.js';
import {messageOf} from '../../src/model/message.js';
import {traceEffect, traceEvent} from '../../src/runtime/trace.js';

const resource = {word: 'IPaddr::10.0.0.1', script: 'IPaddr', args: ['10.0.0.1']};
const call = {group: 'g', index: 0, resource, action: 'status', timeoutMs: 5000, killDelayMs: 1} as const;
const keyring = {signWith: 1, keys: [{index: 1, method: 'sha1', key: 'SECRET'}]} as const;
const events: readonly ManagerEvent[] = [
  {type: 'woke'},
  {type: 'messaging-lost'},
  {type: 'config-changed', config: {keyring} as never},
  {type: 'messaging-said', message: {type: 'log', record: {level: 'info', code: 'A', text: 'a'}}},
  {
    type: 'messaging-said',
    message: {
      type: 'message-received',
      from: 'n2',
      message: messageOf({t: 'status', auth: 'SECRET', big: 'x'.repeat(9999)}),
    },
  },
  {
    type: 'script-exited',
    id: 1,
    call,
    exit: {code: 0, output: 'running\n'.repeat(999), timedOut: false, missing: false, tookMs: 3},
  },
  {type: 'client-requested', id: 2, request: {command: 'standby', scope: 'all'}},
];
const effects: readonly ManagerEffect[] = [
  {type: 'log', record: {level: 'info', code: 'A', text: 'a'}},
  {type: 'run-script', id: 1, call},
  {type: 'tell-messaging', message: {type: 'use-keys', keyring}},
  {type: 'tell-messaging', message: {type: 'renew-lease', forMs: 5000}},
  {type: 'tell-messaging', message: {type: 'send', message: messageOf({t: 'ask_resources', info: 'me'})}},
];
const linesAt = (level: number): (string | undefined)[] => [
  ...events.map((each) => traceEvent(each, level)),
  ...effects.map((each) => traceEffect(each, level)),
];

test('each level says more than the one below; level 0 says nothing', () => {
  const counts = [0, 1, 2, 3].map((level) => linesAt(level).filter((line) => line !== undefined).length);
  assert.deepEqual(counts, [0, 5, 8, 10]);
  assert.ok(linesAt(2).includes('effect: send t=ask_resources info=me'));
  assert.ok(linesAt(1).includes('effect: send t=ask_resources'));
});

test('a line is bounded and never holds a key', () => {
  for (const line of linesAt(3)) {
    assert.ok((line ?? '').length < 900);
    assert.doesNotMatch(line ?? '', /SECRET/);
  }
});

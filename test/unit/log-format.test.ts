// The forms of one record that existing log parsers read (resource-engine.md 6.4).
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import fc from 'fast-check';
import {
  classicLine,
  jsonLine,
  plainLine,
  scriptDebugLine,
  scriptLogLine,
  syslogStyleLine,
  syslogText,
} from '../../src/log/format.js';
import {oneLine} from '../../src/log/text.js';
import {log} from '../../src/model/log.js';

const wallMs = new Date(2026, 10, 21, 9, 38, 21).getTime();
const context = {node: 'n1', pid: 13, wallMs, monoMs: 77, generation: 5};
const record = log('WARN', 'NODE_DEAD', 'node n2: is dead', {node: 'n2'});

test('the forms of resource-engine.md 6.4', () => {
  assert.equal(syslogStyleLine(record, context), 'Nov 21 09:38:21 n1 heartbeat: [13]: WARN: node n2: is dead');
  assert.equal(plainLine(record, context), 'heartbeat[13]: 2026/11/21_09:38:21 WARN: node n2: is dead');
  assert.equal(syslogText(record, context), '[13]: WARN: node n2: is dead');
  const origin = {tag: 'harc(default)', pid: 22, wallMs};
  assert.equal(scriptLogLine(record, origin), '2026/11/21_09:38:21  harc(default)[22]:    WARN: node n2: is dead');
  assert.equal(scriptDebugLine(record, origin), 'harc(default)[22]:\t2026/11/21_09:38:21 WARN: node n2: is dead');
  assert.equal(classicLine(record, context, false), plainLine(record, context));
});

test('days have two digits', () => {
  const first = {...context, wallMs: new Date(2026, 0, 2, 3, 4, 5).getTime()};
  assert.match(syslogStyleLine(record, first), /^Jan 02 03:04:05 /);
});

test('the JSON line holds the same and the data', () => {
  assert.deepEqual(JSON.parse(jsonLine(record, context)), {
    time: new Date(wallMs).toISOString(),
    monoMs: 77,
    node: 'n1',
    generation: 5,
    pid: 13,
    level: 'WARN',
    code: 'NODE_DEAD',
    text: 'node n2: is dead',
    data: {node: 'n2'},
  });
});

test('whatever the text, it is one printable line of at most 4 KiB', () => {
  fc.assert(
    fc.property(fc.string({unit: 'binary', maxLength: 9000}), (text) => {
      const line = oneLine(text);
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      assert.ok(Buffer.byteLength(line) <= 4096, `${Buffer.byteLength(line)}`);
      const json = jsonLine(log('info', 'X', text, {text}), context);
      assert.ok(!json.includes('\n') && Buffer.byteLength(json) < 16_384);
    }),
  );
  assert.equal(oneLine('a\n\tb\u001b[2J'), 'a b?[2J');
  assert.ok(oneLine('x'.repeat(5000)).endsWith('...'));
  assert.equal(oneLine('x'.repeat(4096)).length, 4096);
  assert.ok(Buffer.byteLength(oneLine('é'.repeat(4096))) <= 4096);
});

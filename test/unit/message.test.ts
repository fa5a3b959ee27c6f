import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {fieldOf, messageOf, parseDecimal, parseHex, withField} from '../../src/model/message.js';

test('the first field of a name counts, as in the real daemon', () => {
  const message = {
    fields: [...messageOf({t: 'status', st: 'up'}).fields, {name: 'st', type: 0 as const, value: 'dead'}],
  };
  assert.equal(fieldOf(message, 'st'), 'up');
  assert.equal(fieldOf(message, 'absent'), undefined);
});

test('withField replaces in place and appends otherwise', () => {
  const message = messageOf({t: 'status', src: 'a', seq: '1'});
  assert.deepEqual(withField(message, {name: 'src', type: 0, value: 'b'}).fields[1]?.value, 'b');
  assert.deepEqual(withField(message, {name: 'x', type: 0, value: 'y'}).fields[3]?.name, 'x');
});

test('numbers are read exactly or not at all', () => {
  assert.equal(parseHex('1b58'), 7000);
  for (const bad of ['', '0x1', '-1', ' 1', '1g', 'ffffffffffffff', undefined]) assert.equal(parseHex(bad), undefined);
  assert.equal(parseDecimal('10'), 10);
  for (const bad of ['', '1a', '-1', '1e3', undefined]) assert.equal(parseDecimal(bad), undefined);
});

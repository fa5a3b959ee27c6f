import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {createLineLimiter} from '../../src/runtime/line-limiter.js';
import {createLineReader} from '../../src/runtime/line-reader.js';

function limited(...chunks: string[]): string[] {
  const lines: string[] = [];
  const limiter = createLineLimiter((line) => lines.push(line));
  for (const chunk of chunks) limiter.push(Buffer.from(chunk));
  limiter.end();
  return lines;
}

test('lines are put together over chunks, the last one needs no newline', () => {
  assert.deepEqual(limited('a', 'b\nc', '\n\nü'), ['ab', 'c', 'ü']);
  assert.deepEqual(limited('a\x1b[31m\n'), ['a?[31m']);
});

test('long lines are cut and many lines are counted', () => {
  assert.deepEqual(limited('x'.repeat(400), 'x'.repeat(400), '\ny\n'), ['x'.repeat(500), 'y']);
  const many = limited('l\n'.repeat(80));
  assert.equal(many.length, 51);
  assert.equal(many[50], '(30 more lines left out)');
});

test('the line reader stops at an overlong line', () => {
  const lines: string[] = [];
  const reader = createLineReader(5, (line) => lines.push(line));
  assert.equal(reader.push(Buffer.from('12345\n12')), true);
  assert.equal(reader.push(Buffer.from('345\n')), true);
  assert.equal(reader.push(Buffer.from('123456')), false);
  assert.deepEqual(lines, ['12345', '12345']);
});

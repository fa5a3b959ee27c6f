// Goal: a table that promises a test names one that exists. Method: every test file, and every test name in quotes after
// it, is looked up in the sources.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from '@jest/globals';

const root = new URL('../../../', import.meta.url).pathname;

test.each(['docs/bad-input.md', 'docs/hazards.md'])('%s names tests that exist', (page) => {
  const text = readFileSync(root + page, 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (input|hazard) /.test(line));
  assert.ok(rows.length > 8);
  for (const row of rows) {
    const files = row.match(/test\/[\w/-]+\.test\.ts/g) ?? [];
    assert.ok(files.length > 0, `no test: ${row}`);
    for (const file of files) assert.ok(readFileSync(root + file, 'utf8').length > 0);
    for (const [, file = '', name = ''] of row.matchAll(/(test\/[\w/-]+\.test\.ts) "([^"]+)"/g)) {
      assert.ok(readFileSync(root + file, 'utf8').includes(name), `${file} has no test "${name}"`);
    }
  }
});

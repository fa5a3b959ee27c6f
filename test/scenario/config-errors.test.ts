// Goal: what an administrator reads about a broken configuration stays as good as it is. Method: each directory of
// fixtures/config whose name begins with `wrong`, and `missing`, prints exactly its expected.txt (UPDATE=1 rewrites them).
import assert from 'node:assert/strict';
import {readdirSync} from 'node:fs';
import {test} from '@jest/globals';
import {exitStatusOf, formatDiagnostic} from '../../src/config/check.js';
import {machine, readFixture, root} from '../helpers/config.js';
import {matchesFile} from '../helpers/golden.js';

const cases = readdirSync(`${root}/fixtures/config`).filter((name) => /^(wrong|missing)/.test(name));

test('there are cases', () => assert.ok(cases.length >= 5));

test.each(cases)('%s', (name) => {
  const {config, diagnostics, sources} = readFixture(`fixtures/config/${name}`, machine({authkeysMode: 0o640}));
  assert.equal(config, undefined);
  assert.equal(exitStatusOf(diagnostics), 6);
  const text = diagnostics.map((each) => `${formatDiagnostic(each, sources.get(each.file))}\n`).join('');
  assert.doesNotMatch(text, /SECRET/, 'key material in a finding');
  matchesFile(text, `${root}/fixtures/config/${name}/expected.txt`);
});

// Goal: log codes and programs that the guides name exist.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {test} from '@jest/globals';
import {root} from '../helpers/config.js';

const guides = ['docs/operating.md', 'docs/failures.md'];

function* sources(directory: string): Generator<string> {
  for (const name of readdirSync(directory)) {
    const path = `${directory}/${name}`;
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (path.endsWith('.ts')) yield readFileSync(path, 'utf8');
  }
}

test('every log code in a guide is logged somewhere', () => {
  const code = [...sources(`${root}/src`)].join('');
  const named = guides.flatMap((file) => [
    ...readFileSync(`${root}/${file}`, 'utf8').matchAll(/`([A-Z]{2,}_[A-Z_]+)`/g),
  ]);
  assert.ok(named.length > 30);
  const missing = named.map(([, name]) => name).filter((name) => !code.includes(`'${name}'`));
  assert.deepEqual(missing, []);
});

// Goal: log codes and programs that the guides name exist.
import assert from 'node:assert/strict';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
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

test('every document that README and the guides name exists, and every npm script', () => {
  const text = ['README.md', ...guides].map((file) => readFileSync(`${root}/${file}`, 'utf8')).join('');
  const files = [...text.matchAll(/\b(?:docs|resource\.d|packaging|ha\.d\.example)\/[\w./-]*\w/g)].map(
    ([path]) => path,
  );
  assert.deepEqual(
    files.filter((path) => !existsSync(`${root}/${path}`)),
    [],
  );
  const {scripts} = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {scripts: Record<string, string>};
  const run = [...text.matchAll(/npm run (?:--\w+ )?([\w:]+)/g)].map(([, name]) => name ?? '');
  assert.deepEqual(
    run.filter((name) => !Object.hasOwn(scripts, name)),
    [],
  );
});

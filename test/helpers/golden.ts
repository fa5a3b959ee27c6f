// Compares text with a file; `UPDATE=1` rewrites the file instead.
import assert from 'node:assert/strict';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';

export function matchesFile(text: string, path: string): void {
  if (process.env['UPDATE'] === '1') writeFileSync(path, text);
  assert.ok(existsSync(path), `${path} is missing: run with UPDATE=1`);
  assert.equal(text, readFileSync(path, 'utf8'));
}

// Goal: a file is there whole or not at all, also on a file system that takes half of it without an error; and so is the directory
// that it lies in. Method: a limit on the size of files, which cuts a write off as a full disk does, in a process of its own.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {root} from '../helpers/command.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(`${tmpdir()}/systole-durable-`);
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

/** No file of this process may be longer than 8 KiB. Prints the error's code, or what the call gives. */
function limited(module: string, call: string): string {
  const script = `import * as it from '${root}/dist/src/runtime/${module}.js';
    try { console.log(${call} ?? 'no error'); } catch (error) { console.log(error.code ?? error.message); }`;
  const words = `ulimit -f 8; exec "${process.execPath}" --input-type=module`;
  const {stdout, stderr} = spawnSync('bash', ['-c', words], {input: script, encoding: 'utf8'});
  return `${stdout}${stderr}`.trim();
}
const LONG = `{list: Array.from({length: 600}, (_, index) => 'entry ' + index + ' ................')}`;

describe('cut off in the middle', () => {
  test('durable: an error, the old text stays, and no half file lies beside it', () => {
    writeFileSync(`${dir}/j.json`, '"old"');
    assert.equal(limited('drbd/durable', `it.writeDurably('${dir}/j.json', ${LONG})`), 'EFBIG');
    assert.equal(readFileSync(`${dir}/j.json`, 'utf8'), '"old"');
    assert.deepEqual([...readdirSync(dir)], ['j.json']);
  });

  test('the index of a backup, in its last line: an error', () => {
    writeFileSync(`${dir}/disk`, Buffer.alloc(4096));
    // Lines of 72 bytes, the last of which ends behind the limit.
    const extents = `Array.from({length: 114}, (_, index) => ({offset: 1000 + index * 10, length: 8}))`;
    const task = `{directory: '${dir}', volume: 0, disk: '${dir}/disk', deviceBytes: 4096, extents: ${extents}, kind: 'changed'}`;
    assert.equal(limited('drbd/backup', `JSON.stringify(await it.saveExtents(${task}))`), 'EFBIG');
  });

  test('a crash file: it is not named as one, and takes no room', () => {
    const report = `{version: '1', wallMs: 0, error: 'x', config: {}, state: ${LONG}, events: []}`;
    assert.equal(limited('crash', `it.writeCrashFile('${dir}', ${report})`), 'no error');
    assert.deepEqual([...readdirSync(dir)], []);
  });
});

import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, test} from '@jest/globals';
import {findAgent} from '../../src/runtime/agents.js';

const root = mkdtempSync(join(tmpdir(), 'systole-agents-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));
for (const dir of ['one', 'two', 'units', 'two/subdir']) mkdirSync(join(root, dir));
function file(path: string, mode = 0o755): void {
  writeFileSync(join(root, path), '#!/bin/sh\n');
  chmodSync(join(root, path), mode);
}
file('one/both');
file('two/both');
file('one/shadowed', 0o644);
file('two/shadowed');
file('one/plain', 0o644);
file('two/systemd');
file('units/nginx.service', 0o644);
const dirs = [join(root, 'one'), join(root, 'two')];
const find = (name: string) => findAgent(dirs, name, [join(root, 'units')]);

test('directories are searched in order, executables only', () => {
  assert.deepEqual(find('both'), {found: true, path: join(root, 'one/both'), leadingArgs: []});
  assert.deepEqual(find('shadowed'), {found: true, path: join(root, 'two/shadowed'), leadingArgs: []});
  const plain = find('plain');
  assert.match(plain.found ? '' : plain.reason, /one\/plain is not executable/);
  assert.equal(find('subdir').found, false);
});

test('a systemd unit is run through the systemd agent', () => {
  const expected = {found: true, path: join(root, 'two/systemd'), leadingArgs: ['nginx.service']};
  assert.deepEqual(find('nginx'), expected);
  assert.deepEqual(find('nginx.service'), expected);
  assert.equal(find('apache').found, false);
});

test('the drbddisk of drbd-utils does not stand before ours; one that somebody wrote does', () => {
  const [first, ours] = [join(root, 'one/drbddisk'), join(root, 'two/drbddisk')];
  file('one/drbddisk');
  writeFileSync(first, '#!/bin/bash\n#\n# Copright 2003-2008 LINBIT Information Technologies\n');
  assert.deepEqual(find('drbddisk'), {found: true, path: first, leadingArgs: []}, 'the only one there is');
  file('two/drbddisk');
  assert.deepEqual(find('drbddisk'), {found: true, path: ours, leadingArgs: [], passedOver: first});
  writeFileSync(first, '#!/bin/sh\n# by the administrator\n');
  assert.deepEqual(find('drbddisk'), {found: true, path: first, leadingArgs: []});
});

test('a name never leaves the agent directories', () => {
  for (const name of ['../two/both', '/bin/sh', '', '.', '..', 'a\0b', 'subdir/x'])
    assert.equal(find(name).found, false);
});

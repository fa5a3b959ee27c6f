// Goal: `systole uninstall` takes back exactly what `systole install` laid out. Method: a tree below a temporary directory that
// also holds what an administrator and Debian's package have there.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {afterEach, beforeEach, test} from '@jest/globals';
import {type Place, place, runBin, runProgram} from '../helpers/command.js';

let where: Place;
beforeEach(() => {
  where = place();
});
afterEach(() => where.remove());

/** What an administrator has, and what Debian's package leaves below /etc when it is removed. */
const theirs = ['ha.cf', 'authkeys', 'haresources', 'harc', 'rc.d/mine', 'resource.d/IPaddr'];

function filesOf(tree: string): string[] {
  return execFileSync('find', [tree, '!', '-type', 'd', '-printf', '/%P\n'], {encoding: 'utf8'})
    .split('\n')
    .filter(Boolean)
    .sort();
}

test('what was installed goes, what was there or was changed stays, and a second run finds nothing', async () => {
  const tree = `${where.dir}/root`;
  for (const directory of ['etc/ha.d/rc.d', 'etc/ha.d/resource.d', 'var/lib/heartbeat'])
    mkdirSync(`${tree}/${directory}`, {recursive: true});
  for (const name of theirs) writeFileSync(`${tree}/etc/ha.d/${name}`, `of somebody: ${name}\n`);
  writeFileSync(`${tree}/var/lib/heartbeat/hb_generation`, '             17\n');
  const before = filesOf(tree);
  assert.equal((await runBin('systole', ['install', '--destdir', tree], where)).status, 0);
  assert.ok(filesOf(tree).includes('/etc/ha.d/harc.systole-new'));

  const installed = `${tree}/usr/sbin/systole`;
  const whole = filesOf(tree);
  const dry = await runProgram(installed, ['uninstall', '--destdir', tree, '--dry-run'], where.env);
  assert.match(dry.stdout, /\nwould be: \d+ removed, 1 kept\n$/, dry.stderr);
  assert.deepEqual(filesOf(tree), whole);

  writeFileSync(`${tree}/etc/ha.d/shellfuncs`, '# changed since\n');
  const done = await runProgram(installed, ['uninstall', '--destdir', tree], where.env);
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /removed {3}\/usr\/sbin\/heartbeat\n/);
  assert.match(done.stdout, /kept {6}\/etc\/ha\.d\/harc {2}\(not ours, or changed by somebody\)\n/);
  assert.deepEqual(filesOf(tree), [...before, '/etc/ha.d/shellfuncs'].sort());

  const again = await runBin('systole', ['uninstall', '--destdir', tree], where);
  assert.match(again.stdout, /\n0 removed, 2 kept\n$/);
}, 60_000);

test('a program of another package in the way: install changes nothing at all', async () => {
  const tree = `${where.dir}/root`;
  mkdirSync(`${tree}/usr/share/heartbeat`, {recursive: true});
  mkdirSync(`${tree}/lib/systemd/system`, {recursive: true});
  writeFileSync(`${tree}/usr/share/heartbeat/hb_standby`, 'of another package\n');
  writeFileSync(`${tree}/lib/systemd/system/heartbeat.service`, 'of another package\n');
  const before = filesOf(tree);
  const {status, stdout} = await runBin('systole', ['install', '--destdir', tree], where);
  assert.equal(status, 1);
  assert.match(stdout, /^refused {3}\/usr\/share\/heartbeat\/hb_standby .*\n1 refused: nothing was changed\n$/);
  assert.deepEqual(filesOf(tree), before);
  assert.equal(readFileSync(`${tree}/lib/systemd/system/heartbeat.service`, 'utf8'), 'of another package\n');
}, 30_000);

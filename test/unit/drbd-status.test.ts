// Goal: what drbddisk says of a disk, and what it lets go of, is what the kernel has, whatever drbd.conf says by now; what nobody
// can tell is never called stopped. Method: the agent itself against the stand-in tools, whose drbd.conf gets a typing error
// (drbdadm then ends with 10, as for a resource that is down), and whose kernel gives half an answer or none.

import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {demote} from '../../src/runtime/drbd/disk.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {root, runProgram} from '../helpers/command.js';
import {FakeDrbd} from '../helpers/drbd.js';

let drbd: FakeDrbd;
beforeEach(() => {
  drbd = new FakeDrbd({role: 'Primary'});
});
afterEach(() => drbd.remove());

const agent = (...words: readonly string[]) =>
  runProgram(`${root}/resource.d/drbddisk`, words, {...drbd.env, HA_RUNDIR: drbd.dir});
async function status(...words: readonly string[]): Promise<readonly [number | null, string]> {
  const ended = await agent(...words, 'status');
  return [ended.status, ended.stdout];
}
const RUNNING = [0, 'running (Primary)\n'];
const SECONDARY = [3, 'stopped (Secondary)\n'];
const DOWN = [3, 'stopped (Unconfigured)\n'];
const isUnsure = async (...words: readonly string[]): Promise<void> => {
  const [code, said] = await status(...words);
  assert.equal(code, 4, said);
  assert.match(said, /^cannot determine status, may be running \(.+\)\n$/);
};
const typo = () => drbd.put('typo', '');

describe('status of one resource', () => {
  test('a typing error in drbd.conf changes nothing', async () => {
    typo();
    assert.deepEqual(await status('data'), RUNNING);
    drbd.set({});
    assert.deepEqual(await status('data'), SECONDARY);
    drbd.set({up: 'no'});
    assert.deepEqual(await status('data'), DOWN);
  });

  test('costs one process, which is drbdsetup', async () => {
    assert.deepEqual(await status('data/0'), RUNNING);
    assert.equal(drbd.allCalls(), 'drbdsetup events2 --now\n');
  });

  test('another resource, also one whose name begins alike, is not meant', async () => {
    drbd.put('more', 'exists resource name:database role:Secondary suspended:no\n');
    assert.deepEqual(await status('data'), RUNNING);
    assert.deepEqual(await status('database'), SECONDARY);
    assert.deepEqual(await status('dat'), DOWN);
  });

  test('half an answer, no answer, an error, a role without a name: may be running', async () => {
    for (const trouble of [
      'echo "exists resource name:data role:Secondary suspended:no"; exit 1',
      'exit 0',
      'echo "error receiving netlink reply" >&2; exit 20',
      'echo "received netlink error reply: Interrupted" >&2; exit 10',
      'echo "exists resource name:data role:Unknown suspended:no"; echo "exists -"; exit 0',
      'kill -9 $$',
    ]) {
      drbd.put('on-events2', trouble);
      await isUnsure('data');
      await isUnsure('all');
    }
  });

  const testHere = existsSync('/sys/module/drbd') || existsSync('/proc/drbd') ? test.skip : test;
  testHere('without the module nothing can be Primary', async () => {
    // drbdsetup and drbdsetup-84 of 9.22.
    for (const text of [
      'Failed to modprobe drbd (No such file or directory)',
      'Could not stat /proc/drbd: No such file or directory',
      "Could not connect to 'drbd' generic netlink family",
    ]) {
      drbd.put('on-events2', `echo "${text}" >&2; exit 20`);
      assert.deepEqual(await status('data'), DOWN, text);
      assert.deepEqual(await status('all'), DOWN, text);
      typo();
      assert.equal((await agent('all', 'stop')).status, 0, text);
    }
  });

  test('what names no resource of the kernel is refused: nothing could be found under it', async () => {
    for (const word of ['minor-0', '/dev/drbd0', 'a/b'])
      for (const action of ['status', 'stop']) assert.equal((await agent(word, action)).status, 2, `${word} ${action}`);
  });
});

describe('status of all', () => {
  const more = (role: string) => drbd.put('more', `exists resource name:logs role:${role} suspended:no\n`);
  for (const words of [[], ['all']])
    test(`${words.join() || 'no name'}: all Primary, all Secondary, none up`, async () => {
      assert.deepEqual(await status(...words), RUNNING);
      drbd.set({});
      assert.deepEqual(await status(...words), SECONDARY);
      drbd.set({up: 'no'});
      assert.deepEqual(await status(...words), DOWN);
    });

  test('some Primary and some not, up or down: may be running', async () => {
    drbd.put('resources', 'data logs\n');
    more('Secondary');
    await isUnsure('all');
    drbd.lose('more');
    await isUnsure('all');
    more('Primary');
    assert.deepEqual(await status('all'), RUNNING);
    drbd.set({});
    await isUnsure('all');
  });

  test('a resource that is Primary though drbd.conf does not have it any more is not let go', async () => {
    more('Primary');
    assert.deepEqual(await status('all'), RUNNING);
    drbd.set({});
    await isUnsure('all');
  });

  test('drbd.conf that cannot be read: what is up counts', async () => {
    typo();
    assert.deepEqual(await status('all'), RUNNING);
    more('Secondary');
    await isUnsure('all');
    drbd.set({});
    assert.deepEqual(await status('all'), SECONDARY);
  });
});

describe('stop', () => {
  for (const version of ['8.4', '9'])
    test(`${version}: a typing error in drbd.conf does not keep the disk`, async () => {
      if (version === '9') drbd.put('nine', '');
      typo();
      for (const word of ['data', 'all']) {
        drbd.set({role: 'Primary'});
        const stop = await agent(word, 'stop');
        assert.equal(stop.status, 0, stop.stderr);
        assert.equal(drbd.get('role'), 'Secondary', word);
        assert.deepEqual(await status(word), SECONDARY);
      }
    });

  test('drbd.conf names another minor now: read back, and the right one demoted', async () => {
    drbd.put('on-secondary', 'case $0 in *adm) exit 0 ;; esac');
    assert.equal((await agent('data', 'stop')).status, 0);
    assert.equal(drbd.get('role'), 'Secondary');
  });

  test('held open, and drbd.conf cannot be read: failed, with the reason that counts', async () => {
    typo();
    drbd.put('held', 'x');
    const escalationMs = {patience: 20, term: 20, kill: 20};
    const quiet = {info: () => {}, warn: () => {}, holders: () => [], pollMs: 10};
    const ended = await demote('data', {tools: new DrbdTools(drbd.env), escalationMs, ...quiet});
    assert.equal(ended.exit, 1);
    assert.match(ended.text, /held open by someone/);
    assert.equal(drbd.get('role'), 'Primary');
  });

  test('the kernel gives no answer: failed, whatever drbdadm says', async () => {
    drbd.put('on-secondary', 'exit 10');
    for (const code of [0, 10, 20]) {
      drbd.put('on-events2', `echo "received netlink error reply: Interrupted" >&2; exit ${code}`);
      for (const word of ['data', 'all']) assert.equal((await agent(word, 'stop')).status, 1, `${word} ${code}`);
    }
    typo();
    assert.equal((await agent('all', 'stop')).status, 1);
  });

  test('all: also what drbd.conf does not have any more', async () => {
    drbd.put('resources', '\n');
    assert.equal((await agent('stop')).status, 0);
    assert.equal(drbd.get('role'), 'Secondary');
  });
});

test('start of all: no word of drbd.conf, or no resource in it, is a failure', async () => {
  drbd.set({});
  typo();
  const start = await agent('all', 'start');
  assert.equal(start.status, 1);
  assert.match(start.stderr, /drbd\.conf cannot be read: .*data\.res:3: Parse error/);
  drbd.lose('typo');
  drbd.put('resources', '\n');
  const none = await agent('all', 'start');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /drbd\.conf gives this node no resource/);
  assert.equal(drbd.get('role'), 'Secondary');
});

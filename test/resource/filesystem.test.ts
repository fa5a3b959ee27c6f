// Goal: Filesystem never hides or doubles a mount, and gets a busy one free while naming whom it ended. Method: an ext4
// image on a loop device in a private mount namespace.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {rmdirSync} from 'node:fs';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {isRoot, runAgent} from '../helpers/agent.js';
import {Sandbox} from '../helpers/sandbox.js';

if (!isRoot) process.stderr.write('file systems: skipped, namespaces need root\n');

(isRoot ? describe : describe.skip)('Filesystem', () => {
  let box: Sandbox;
  let dir: string;
  beforeEach(async () => {
    box = await Sandbox.open();
    dir = box.sh('mktemp -d /tmp/systole-fs-XXXXXX').trim();
    box.sh(`mount -t tmpfs none ${dir}; cd ${dir}; mkdir data other; truncate -s 20M image; mkfs.ext4 -q image`);
  });
  afterEach(async () => {
    await box.close();
    rmdirSync(dir);
  });
  const call = (
    action: string,
    args: string[] = [`${dir}/image`, `${dir}/data`, 'ext4'],
    env: Record<string, string> = {},
  ) => runAgent({agent: 'Filesystem', args, sandbox: box, env}, action);
  const isMounted = (where: string) => box.sh('cat /proc/self/mountinfo').includes(` ${dir}/${where} `);

  /** A process in the file system; the second line of its output is its pid. */
  async function hold(line: string) {
    const script = `${line}; echo $$; while :; do sleep 1; done`;
    const child = spawn(box.prefix[0]!, [...box.prefix.slice(1), 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
    const [pid] = (await once(child.stdout, 'data')) as [Buffer];
    return {pid: pid.toString().trim(), ended};
  }

  test('a busy file system: the holder is named, asked, and then killed', async () => {
    await call('start');
    const polite = await hold(`exec 3>${dir}/data/file`);
    const stubborn = await hold(`cd ${dir}/data; trap '' TERM`);
    const bystander = await hold(`cd ${dir}/other`);
    const outcome = await call('stop', undefined, {SYSTOLE_UMOUNT_TERM_S: '1'});
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(outcome.stderr, new RegExp(`SIGTERM to process ${polite.pid} \\(sh -c`));
    assert.match(outcome.stderr, new RegExp(`SIGKILL to process ${stubborn.pid} \\(sh -c`));
    assert.doesNotMatch(outcome.stderr, new RegExp(`process ${bystander.pid} `));
    assert.equal((await polite.ended)[1], 'SIGTERM');
    assert.equal((await stubborn.ended)[1], 'SIGKILL');
    assert.ok(!isMounted('data'));
    process.kill(Number(bystander.pid), 'SIGKILL');
    await bystander.ended;
  });

  test('a program that runs from the file system holds it through its mapping', async () => {
    await call('start');
    box.sh(`cp /bin/sleep ${dir}/data/program`);
    const holder = spawn(box.prefix[0]!, [...box.prefix.slice(1), `${dir}/data/program`, '60']);
    await once(holder, 'spawn');
    // nsenter becomes the program a moment after the spawn.
    while (!box.sh(`readlink /proc/${holder.pid}/exe`).includes('/program'));
    const ended = once(holder, 'exit');
    const outcome = await call('stop');
    assert.match(outcome.stderr, new RegExp(`SIGTERM to process ${holder.pid} `));
    await ended;
    assert.ok(!isMounted('data'));
  });

  test('a device in use elsewhere and a directory in use by another mount are refused', async () => {
    await call('start');
    const elsewhere = await call('start', [`${dir}/image`, `${dir}/other`]);
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.stderr, new RegExp(`already mounted on ${dir}/data`));
    box.sh(`cd ${dir}; truncate -s 20M image2; mkfs.ext4 -q image2`);
    const hidden = await call('start', [`${dir}/image2`, `${dir}/data`]);
    assert.equal(hidden.code, 1);
    assert.match(hidden.stderr, /already mounted on/);
    assert.match((await call('status', [`${dir}/image2`, `${dir}/data`])).stdout, /^not running/);
    // Stopping what is not there must not unmount what is.
    assert.equal((await call('stop', [`${dir}/image2`, `${dir}/data`])).code, 0);
    assert.ok(isMounted('data'));
  });

  test('what is mounted below goes first', async () => {
    await call('start');
    box.sh(`mkdir ${dir}/data/sub; mount -t tmpfs none ${dir}/data/sub`);
    assert.equal((await call('stop')).code, 0);
    assert.ok(!isMounted('data'));
  });

  test('a file system that became read-only does not count as serving', async () => {
    await call('start');
    assert.match((await call('status')).stdout, /^running/);
    box.sh(`mount -o remount,ro ${dir}/data`);
    const status = await call('status');
    assert.match(status.stdout, /^not running \(.*read-only/);
    assert.equal(status.code, 1);
    assert.equal((await call('stop')).code, 0);
    // Asked for, it is as it should be.
    const readOnly = [`${dir}/image`, `${dir}/data`, 'ext4', 'ro'];
    assert.equal((await call('start', readOnly)).code, 0);
    assert.match((await call('status', readOnly)).stdout, /^running/);
  });

  test('recorded errors are repaired before the mount, unless forbidden', async () => {
    const state = () => box.sh(`dumpe2fs -h ${dir}/image 2>/dev/null | grep state`);
    box.sh(`debugfs -w -R 'ssv state 2' ${dir}/image 2>/dev/null`);
    assert.match(state(), /errors/);
    await call('start', undefined, {SYSTOLE_FSCK: 'never'});
    await call('stop');
    assert.match(state(), /errors/);
    const outcome = await call('start');
    assert.match(outcome.stderr, /checking/);
    await call('stop');
    assert.match(state(), /clean/);
    assert.doesNotMatch((await call('start')).stderr, /checking/);
  });

  test('a bind mount, and a device found by its label', async () => {
    const bind = [`${dir}/other`, `${dir}/data`, 'none', 'bind'];
    assert.equal((await call('start', bind)).code, 0);
    assert.match((await call('status', bind)).stdout, /^running/);
    assert.match((await call('status')).stdout, /^not running/);
    assert.equal((await call('stop', bind)).code, 0);
    assert.ok(!isMounted('data'));

    const label = dir.slice(-6);
    const loop = box.sh(`e2label ${dir}/image ${label}; losetup -f --show ${dir}/image`).trim();
    try {
      assert.equal((await call('start', [`LABEL=${label}`, `${dir}/data`])).code, 0);
      assert.match((await call('status', [loop, `${dir}/data`])).stdout, /^running/);
      assert.equal((await call('stop', [`LABEL=${label}`, `${dir}/data`])).code, 0);
      assert.ok(!isMounted('data'));
    } finally {
      box.sh(`losetup -d ${loop}`);
    }
  });
});

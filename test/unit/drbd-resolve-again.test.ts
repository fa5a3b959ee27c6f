// Goal: `systole drbd resolve` is called again: with other words, after a backup that failed, was lost or was damaged, after a stop half
// way through. Nothing that was saved is lost, nothing is overwritten before it is saved, and what cannot be done is said. Method: as in
// drbd-resolve.test.ts.

import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {describe, test} from '@jest/globals';
import {nextResolveStep, type ResolveSight} from '../../src/drbd/resolve-plan.js';
import {readManifest} from '../../src/runtime/drbd/manifest.js';
import {
  BLOCK,
  backupDirectory,
  changes,
  disk,
  drbd,
  dump,
  HERE,
  journal,
  laidOver,
  loser,
  resolve,
  systole,
  THERE,
  where,
  winner,
  written,
} from '../helpers/resolve.js';

describe('the words of a later call', () => {
  /** Outdated, and not saved: the disk under it cannot be read. */
  async function stopped(...words: readonly string[]): Promise<void> {
    drbd.put('on-dump-md', 'exit 1\n');
    const ended = await resolve('--yes', ...words);
    assert.equal(ended.status, 3);
    if (!words.includes('--no-backup')) assert.match(ended.stderr, /--backup DIRECTORY .*--no-backup does without/);
    drbd.lose('on-dump-md');
  }
  /** Outdated, and stopped before it met. */
  async function stoppedBare(): Promise<void> {
    drbd.put('on-pause-sync', 'exit 1\n');
    assert.equal((await resolve('--yes', '--no-backup')).status, 3);
    drbd.lose('on-pause-sync');
  }

  test('no backup at first, the whole disk then: it is saved', async () => {
    await stoppedBare();
    const ended = await resolve('--backup-full');
    assert.equal(ended.status, 0, ended.stderr);
    assert.ok(readFileSync(`${backupDirectory()}/volume-0.blocks`).equals(loser));
  });

  test('no backup, and no other word: it is said again', async () => {
    await stoppedBare();
    const ended = await resolve();
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /going on with .*No backup is made: what is thrown away is lost/s);
  });

  test('another place, because the first one was full', async () => {
    await stopped();
    const ended = await resolve('--backup', `${where.dir}/usb`);
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /What lies in .*drbd-backup.* is an unfinished backup/);
    const [name] = readdirSync(`${where.dir}/usb`);
    assert.equal(readManifest(`${where.dir}/usb/${name}`).isExact, true);
  });

  test('another place keeps the kind', async () => {
    await stopped('--backup-full');
    assert.equal((await resolve('--backup', `${where.dir}/usb`)).status, 0);
    const [name] = readdirSync(`${where.dir}/usb`);
    assert.ok(readFileSync(`${where.dir}/usb/${name}/volume-0.blocks`).equals(loser));
  });

  test('none any more', async () => {
    await stopped();
    const ended = await resolve('--no-backup');
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /No backup is made/);
    assert.ok(disk().equals(winner));
  });

  test('when the backup is made, other words are refused', async () => {
    drbd.put('on-pause-sync', 'exit 1\n');
    assert.equal((await resolve('--yes')).status, 3);
    drbd.lose('on-pause-sync');
    drbd.put('calls', '');
    for (const words of [['--backup-full'], ['--no-backup'], ['--backup', '/tmp']]) {
      const ended = await resolve(...words);
      assert.equal(ended.status, 3, ended.stdout);
      assert.match(ended.stderr, /the backup is made already, in \/.*hint: without --backup/s);
    }
    assert.deepEqual(changes(), []);
    assert.equal((await resolve('--backup', `${where.dir}/lib/drbd-backup`)).status, 0);
  });

  test('a backup when the synchronisation has begun', async () => {
    drbd.put('on-resume-sync', 'exit 1\n');
    assert.equal((await resolve('--yes', '--no-backup')).status, 3);
    drbd.lose('on-resume-sync');
    const ended = await resolve('--backup-full');
    assert.equal(ended.status, 3, ended.stdout);
    assert.match(ended.stderr, /the synchronisation has begun/);
    assert.equal((await resolve('--no-backup')).status, 0);
  });

  test('a relative place is one of the first call', async () => {
    await stopped('--backup', `..${where.dir}/usb`);
    const {directory} = JSON.parse(readFileSync(journal(), 'utf8')) as {directory: string};
    assert.ok(directory.startsWith(`${where.dir}/usb/data-`), directory);
  });

  test('words that exclude each other', async () => {
    assert.equal((await resolve('--yes', '--no-backup', '--backup-full')).status, 2);
    assert.match((await systole('resolve', '--help')).stdout.replace(/\s+/g, ' '), /2 wrong words/);
  });
});

describe('the backup failed, and somebody connected it by hand', () => {
  async function connected(...words: readonly string[]): Promise<void> {
    drbd.put('on-dump-md', 'exit 1\n');
    assert.equal((await resolve('--yes', ...words)).status, 3);
    drbd.lose('on-dump-md');
    drbd.put('paused', '');
    drbd.put('md', dump([...HERE, ...THERE]));
    const meets = {up: 'yes', conn: 'Connected', repl: 'PausedSyncT', prole: 'Primary', pdisk: 'UpToDate'};
    drbd.set({...meets, disk: 'Inconsistent', meta: 'Outdated'});
  }
  /** What the winner wrote while it was paused: a block that was changed here, too. */
  function mirrored(): void {
    drbd.put('received', '4\n');
    writeFileSync(`${drbd.dir}/disk`, written(disk(), [40], 'winner'));
    writeFileSync(`${drbd.dir}/winner`, written(readFileSync(`${drbd.dir}/winner`), [40], 'winner'));
  }

  test.each([['paused'], ['parted again']])(
    '%s: what is left is saved first, and it says what may be lost',
    async (how) => {
      await connected();
      mirrored();
      if (how === 'parted again') drbd.set({up: 'yes', conn: 'StandAlone', repl: 'Off', disk: 'Inconsistent'});
      const ended = await resolve();
      assert.equal(ended.status, 0, ended.stdout + ended.stderr);
      assert.match(ended.stdout, /what it had overwritten by then is lost/);
      assert.equal(readManifest(backupDirectory()).isPartial, true);
      assert.equal(readManifest(backupDirectory()).isExact, false);
      const copy = await laidOver();
      for (const block of [1, 2]) {
        const [start, end] = [block * BLOCK, (block + 1) * BLOCK];
        assert.ok(copy.subarray(start, end).equals(loser.subarray(start, end)));
      }
      assert.match((await systole('restore', backupDirectory())).stdout, /overwritten by then is lost/);
    },
  );

  test('it cannot be saved now either: nothing is released, until --no-backup is said', async () => {
    await connected();
    drbd.put('on-dump-md', 'exit 1\n');
    drbd.put('calls', '');
    const ended = await resolve();
    assert.equal(ended.status, 3, ended.stdout);
    assert.ok(!drbd.calls().some((call) => /^(resume-sync|up|connect)/.test(call)), drbd.calls().join('; '));
    assert.ok(disk().equals(loser));
    assert.equal((await resolve('--no-backup')).status, 0);
    assert.ok(disk().equals(readFileSync(`${drbd.dir}/winner`)));
  });

  test('another place is taken, as the first one is full', async () => {
    await connected('--backup-full');
    const ended = await resolve('--backup', `${where.dir}/usb`);
    assert.equal(ended.status, 0, ended.stderr);
    const [name] = readdirSync(`${where.dir}/usb`);
    assert.ok(readFileSync(`${where.dir}/usb/${name}/volume-0.blocks`).equals(loser));
    assert.equal(readManifest(`${where.dir}/usb/${name}`).isExact, false);
  });

  test('it runs: said, and how to save the rest', async () => {
    await connected();
    drbd.set({up: 'yes', conn: 'Connected', repl: 'SyncTarget', disk: 'Inconsistent', meta: 'Inconsistent'});
    const ended = await systole('resolve', 'data', '--discard-node', 'n1', '--wait', '1');
    assert.equal(ended.status, 4);
    assert.match(ended.stdout, /the backup is not made. To save what is left: drbdadm disconnect data/);
  });

  test('two volumes, one of which runs: it stops', () => {
    const sight = {
      isUp: true,
      role: 'Secondary',
      connection: 'Connected',
      disks: ['Inconsistent', 'Inconsistent'],
    } as const;
    const at = (...replications: ResolveSight['replications'][number][]) =>
      nextResolveStep(['outdated'], 'changed', {...sight, replications, peerDisks: ['UpToDate', 'UpToDate']});
    const next = at('PausedSyncT', 'SyncTarget');
    assert.ok(next.do === 'stop');
    assert.match(next.why, /the backup is not made/);
    assert.match(next.todo, /drbdadm disconnect.*--no-backup/);
    for (const other of ['PausedSyncT', 'Established', 'Off'] as const)
      assert.equal(at('PausedSyncT', other).do, 'save');
  });
});

describe('the backup was made, and then', () => {
  async function saved(): Promise<void> {
    drbd.put('on-pause-sync', 'exit 1\n');
    assert.equal((await resolve('--yes')).status, 3);
    drbd.lose('on-pause-sync');
  }

  test('somebody removed it before the nodes met: it is made anew', async () => {
    await saved();
    rmSync(backupDirectory(), {recursive: true});
    const ended = await resolve();
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /the backup cannot be used any more.*saved 12 KiB/s);
    assert.ok((await laidOver()).equals(loser));
  });

  test('it is damaged while the run goes on: it stops before anything is overwritten, and what is left is saved when it is said', async () => {
    drbd.put('on-disconnect', `: >"$(echo ${where.dir}/lib/drbd-backup/data-*/manifest.json)"\n`);
    const ended = await resolve('--yes');
    assert.equal(ended.status, 3, ended.stdout);
    assert.match(ended.stderr, /manifest.json is damaged/);
    assert.doesNotMatch(ended.stdout, /What was changed here is\./);
    assert.ok(disk().equals(loser));
    drbd.lose('on-disconnect');
    const second = await resolve();
    assert.equal(second.status, 3, second.stdout);
    assert.match(
      second.stderr,
      /the backup was made and cannot be used: .*damaged.*hint: mount its disk.*--backup DIRECTORY/s,
    );
    assert.ok(disk().equals(loser));
    const third = await resolve('--backup', `${where.dir}/usb`);
    assert.equal(third.status, 0, third.stderr);
    const [name] = readdirSync(`${where.dir}/usb`);
    assert.equal(readManifest(`${where.dir}/usb/${name}`).isPartial, true);
  });

  test('DRBD synchronised by itself, and its disk is not mounted: the run is over, and it is not said to be none', async () => {
    await saved();
    rmSync(backupDirectory(), {recursive: true});
    drbd.set({role: 'Secondary', disk: 'UpToDate', pdisk: 'UpToDate', conn: 'Connected', repl: 'Established'});
    const ended = await resolve();
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /the backup was made, and cannot be used any more: .*no finished backup/);
  });

  test('its disk is full at the very end: that ends nothing, and the run is over', async () => {
    await saved();
    mkdirSync(`${backupDirectory()}/journal.json.new`);
    const ended = await resolve();
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /journal.json cannot be written/);
    assert.ok(!existsSync(journal()));
  });
});

describe('it stopped within attach', () => {
  const HALF = {
    'killed before the minor': ['new-minor', 'up=yes disk=none conn=StandAlone; save; kill -9 $PPID; exit 1;'],
    'killed before the disk': ['attach', 'up=yes disk=Diskless conn=StandAlone; save; kill -9 $PPID; exit 1;'],
    'the disk is busy': [
      'attach',
      'up=yes disk=Diskless conn=StandAlone; save; echo "(104) Can not open" >&2; exit 10;',
    ],
  } as const;

  test.each([
    ['killed before the minor', '--backup-full'],
    ['killed before the disk', '--backup-full'],
    ['killed before the disk', '--no-backup'],
    ['the disk is busy', '--backup-full'],
  ] as const)('%s, %s: down, and once more', async (what, word) => {
    const [verb, script] = HALF[what];
    drbd.put(`on-${verb}`, `[ -e once ] || { touch once; ${script} }\n`);
    drbd.set({up: 'no'});
    assert.notEqual((await resolve('--yes', word)).status, 0);
    const ended = await resolve();
    assert.equal(ended.status, 0, ended.stderr + ended.stdout);
    assert.ok(disk().equals(winner));
  });

  test('it does not attach: that is said, each time', async () => {
    drbd.put('on-attach', HALF['the disk is busy'][1]);
    for (let time = 0; time < 2; time += 1) {
      const ended = await resolve('--yes');
      assert.equal(ended.status, 3);
      assert.match(ended.stderr, /drbdadm attach data: .*Can not open/);
    }
    assert.ok(disk().equals(loser));
  });
});

// What a disk does to the service: a lower device that fails, a file system without space.

import assert from 'node:assert/strict';
import {during, log, ready, type Scenarios, statusOf} from '../run.js';
import {until} from '../slow.js';

export const scenarios: Scenarios = {
  'disk-errors': {
    about:
      "errors on the Primary's lower device: it is detached, and the service goes on with the other node's disk, or there",
    order: 110,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const before = await run.written();
      const table = (target: string): string =>
        `DM_DISABLE_UDEV=1 sh -c 'dmsetup suspend --noflush --nolockfs lower && dmsetup load lower --table "0 $(blockdev --getsz /dev/lab-drbd) ${target}" && dmsetup resume --noudevsync lower'`;
      await active.run(table('error'));
      await until(async () => (await cluster.see(active))?.minor?.disk === 'Diskless', {
        timeoutMs: 60_000,
        everyMs: 200,
        what: () => 'the failing disk is not detached',
      });
      await run.serving((await run.written()) + 30, 120_000);
      const served = await cluster.active(30_000);
      await active.run(table('linear /dev/lab-drbd 0'));
      await active.run('drbdadm attach data || drbdadm adjust data', 60_000);
      await cluster.synchronised();
      await run.serving(await run.written(), 60_000);
      await run.note('disk-errors', before, served === active ? 'went on without a disk' : `moved to ${served.name}`);
    },
  },

  'full-disk': {
    about: 'the file system is full: the client gets errors, nothing flaps, and it goes on once there is space',
    order: 120,
    kinds: ['systole', 'real', 'mixed'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const before = await run.written();
      const started = startsIn(await log(active));
      await active.run('mariadb --defaults-file=/etc/my.cnf demo -e "CREATE TABLE filler (b VARCHAR(3000))"', 60_000);
      // All but nothing of the space; then rows until the server says that it is full.
      await active.run('dd if=/dev/zero of=/data/fill bs=64k 2>/dev/null; sync; df /data | grep -q 100%', 240_000);
      // Small rows: MariaDB 10.11 itself ends by an assertion when the space ends in the middle of a BLOB.
      const rows = Array.from({length: 50}, () => `(REPEAT('x', 3000))`).join(',');
      const insert = `mariadb --defaults-file=/etc/my.cnf demo -e "INSERT INTO filler VALUES ${rows}"`;
      const said = await until(
        async () => {
          const {code, stderr} = await active.exec(insert, 120_000);
          return code === 0 ? undefined : stderr;
        },
        {timeoutMs: 180_000, what: () => 'the database is never full'},
      );
      assert.match(said, /full|No space|errno: 28|ERROR 1114|ERROR 1021|ERROR 1030/i);
      await during(20_000, async () => {
        assert.equal(await cluster.active(1000), active, 'the group moved');
      });
      if (cluster.kindOf(active) === 'systole') {
        const [group] = (await statusOf(active)).groups;
        assert.equal(group?.state, 'running');
        assert.equal(group.failCount, 0);
      }
      assert.equal(startsIn(await log(active)), started, 'the group was started again');
      await active.run('rm /data/fill; sync');
      await run.serving(await run.written(), 120_000);
      await active.run('mariadb --defaults-file=/etc/my.cnf demo -e "DROP TABLE filler"', 120_000);
      await run.note('full-disk', before, `the client was told: ${said.trim().slice(0, 50)}`);
    },
  },
};

function startsIn(text: string): number {
  return text.split('\n').filter((line) => /GROUP_RUNNING|is running here|mysqld.* start/.test(line)).length;
}

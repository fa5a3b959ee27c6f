// What a disk does to the service: a lower device that fails, a file system without space.

import assert from 'node:assert/strict';
import {dropFiller, failLower, fill, makeSpace, mendLower} from '../disk-faults.js';
import {during, log, ready, type Scenarios, statusOf} from '../run.js';

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
      await failLower(cluster, active);
      await run.serving((await run.written()) + 30, 120_000);
      const served = await cluster.active(30_000);
      await mendLower(active);
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
      const said = await fill(active);
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
      await makeSpace(cluster, 10_000);
      await run.serving(await run.written(), 120_000);
      await dropFiller(active);
      await run.note('full-disk', before, `the client was told: ${said.trim().slice(0, 50)}`);
    },
  },
};

function startsIn(text: string): number {
  return text.split('\n').filter((line) => /GROUP_RUNNING|is running here|mysqld.* start/.test(line)).length;
}

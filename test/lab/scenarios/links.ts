// Cut cables: of the replication, of the heartbeats, of both.

import {until} from '../../../src/lab/wait.js';
import * as network from '../network.js';
import {log, ready, type Scenarios, seconds} from '../run.js';

export const scenarios: Scenarios = {
  // The peer is outdated although its DRBD believes itself connected, and says so truthfully, in time.
  'link-cut': {
    about: 'the replication link alone is lost: the standby is outdated, truthfully and in time',
    order: 50,
    isCore: true,
    kinds: ['systole', 'real'],
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const standby = cluster.other(active);
      const before = await run.written();
      await network.cutCable(1, 'eth1');
      // Debian's dopd writes nothing when it is asked, only what it answers.
      const asked = /asks this node to outdate data|sending return code/;
      await until(async () => asked.test(await log(standby)), {
        timeoutMs: 40_000,
        everyMs: 200,
        what: () => 'nobody asks the standby to outdate its disk',
      });
      const askedMs = performance.now();
      await until(async () => (await cluster.see(standby))?.minor?.disk === 'Outdated', {
        timeoutMs: 20_000,
        everyMs: 100,
        what: () => 'the standby is not outdated',
      });
      const tookMs = performance.now() - askedMs;
      await until(async () => (await cluster.see(active))?.minor?.peerDisk === 'Outdated', {
        timeoutMs: 20_000,
        everyMs: 200,
        what: () => 'the Primary does not learn of it',
      });
      await run.serving(await run.written(), 30_000);
      await network.healCable(1, 'eth1');
      await cluster.synchronised();
      await run.note('link-cut', before, `outdated ${seconds(tookMs)} after it was asked`);
    },
  },
};

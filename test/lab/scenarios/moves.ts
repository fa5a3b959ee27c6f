// A planned move onto a disk that is still being synchronised.

import assert from 'node:assert/strict';
import {packageRoot} from '../../../src/lab/host.js';
import {until} from '../../../src/lab/wait.js';
import {both, type Cluster} from '../cluster.js';
import type {Guest} from '../guest.js';
import {type Run, ready, type Scenarios} from '../run.js';

const FILL = '/data/fill';

export const scenarios: Scenarios = {
  // The original starts the move, and the taker runs on what its peer still sends.
  'move-waits': {
    about: 'nothing moves onto a SyncTarget; status shows how far it is, hb_standby --wait waits and then moves',
    order: 42,
    play: async (run) => {
      const {cluster} = run;
      const active = await ready(run);
      const standby = cluster.other(active);
      const before = await run.written();
      await beginSlowSync(run, active, standby);
      const refused = await active.exec(`${packageRoot}/bin/hb_standby all`, 120_000);
      assert.equal(refused.code, 3, refused.stdout + refused.stderr);
      assert.match(refused.stderr, /data-1-\d cannot take .+ still being synchronised to it, [\d.]+ %, .+ to go/);
      const taken = await standby.exec(`${packageRoot}/bin/hb_takeover all`, 120_000);
      assert.equal(taken.code, 3, taken.stdout + taken.stderr);
      await showsProgress(active);
      assert.equal(await cluster.active(5000), active, 'it moved all the same');
      const waited = await active.exec(`${packageRoot}/bin/hb_standby all --wait --timeout 300`, 400_000);
      assert.equal(waited.code, 0, waited.stderr);
      assert.match(waited.stderr, /^waiting: /m);
      assert.equal(await cluster.active(10_000), standby);
      await run.serving(await run.written(), 90_000);
      const [said = ''] = refused.stderr.split('\n');
      await run.note('move-waits', before, `"${said.slice(said.indexOf('still')).slice(0, 60)}"`);
      await standby.run(`rm ${FILL}`, 60_000);
      await both(cluster.guests, async (guest) => {
        await cluster.configure(guest);
        await guest.run('drbdadm adjust data', 30_000);
      });
      await cluster.synchronised();
    },
  },
};

/** The standby loses its power, misses 64 MiB, and gets them at 1 MiB/s when it is back, brought up by nobody but the daemon. */
async function beginSlowSync({cluster}: Run, active: Guest, standby: Guest): Promise<void> {
  await standby.powerCut();
  await until(async () => (await cluster.see(active))?.minor?.connection === 'Connecting', {
    timeoutMs: 60_000,
    everyMs: 500,
    what: () => 'DRBD does not notice that its peer is gone',
  });
  await active.run(`dd if=/dev/urandom of=${FILL} bs=1M count=64 conv=fsync`, 300_000);
  await standby.boot();
  await both(cluster.guests, (guest) => slowDown(cluster, guest));
  await active.run('drbdadm adjust data', 30_000);
  await cluster.start(standby);
  await until(async () => (await cluster.see(active))?.minor?.replication === 'SyncSource', {
    timeoutMs: 90_000,
    everyMs: 200,
    what: () => 'the synchronisation does not begin',
  });
}

async function slowDown(cluster: Cluster, guest: Guest): Promise<void> {
  await cluster.configure(guest);
  await guest.run("sed -i 's/resync-rate 60M;/c-plan-ahead 0; resync-rate 1M;/' /etc/drbd.conf");
}

async function showsProgress(active: Guest): Promise<void> {
  let shown = '';
  const isComplete = async (): Promise<boolean> => {
    shown = (await active.exec(`${packageRoot}/bin/systole status`, 60_000)).stdout;
    return /synchronising: [\d.]+ %, [\d.]+ [KM]iB to go, [\d.]+ [KM]iB\/s, about \d+:\d\d left/.test(shown);
  };
  await until(isComplete, {timeoutMs: 90_000, everyMs: 500, what: () => `status shows no progress:\n${shown}`});
  process.stdout.write(`${/\nDisks\n[\s\S]*?(?=\n\n|$)/.exec(shown)?.[0] ?? ''}\n`);
}

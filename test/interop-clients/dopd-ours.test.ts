// Goal: our dopd and the original at either end of one outdating. Ours passes on no 4 that is not true, although the original says
// 4 without having looked, and answers the original truthfully. Method: n1 has our dopd, n2 Debian's; DRBD is the stand-in of
// fixtures/drbd/bin, which has the trap: while it believes itself connected, `drbdadm outdate` ends with 0 and does nothing.
// The test decides when each side notices a cut, and reads the disk when the helper has ended.

import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {packageRoot} from '../../src/lab/host.js';
import type {LabNode} from '../../src/lab/lab.js';
import {until} from '../../src/lab/wait.js';
import {libexec, logged, online, packageTest, withClientsLab} from '../helpers/clients-lab.js';
import {outdate} from '../helpers/debian-dopd.js';

const CUTS = 6;
/** The original's 4 is believed 4.5 s after the request: 1 s and 0.5 s for DRBD to notice, and 3 s. */
const SHOW = 'resource data { net { timeout 5; ping-int 1; ping-timeout 5; connect-int 1; } }';
const SECONDARY = 'up=yes role=Secondary disk=UpToDate meta=UpToDate';
const CONNECTED = `${SECONDARY} conn=Connected repl=Established prole=Primary pdisk=UpToDate`;
const NOTICED = `${SECONDARY} conn=Connecting repl=Off prole=Unknown pdisk=DUnknown`;

const rules = ['respawn hacluster /var/lib/heartbeat/bin/dopd', 'apiauth dopd gid=haclient uid=hacluster'];
const before =
  'chmod 755 /var/lib/heartbeat; mkdir -p /run/drbd; : >/run/drbd/calls; ' +
  `echo '${SHOW}' >/run/drbd/show; echo '${CONNECTED}' >/run/drbd/state; ` +
  'chmod 777 /run/drbd; chmod 666 /run/drbd/*; export PATH=/var/lib/heartbeat/bin:$PATH; ';

function prepare({machine, daemon}: LabNode): void {
  const bin = `${machine.directory}/heartbeat/bin`;
  mkdirSync(bin, {recursive: true, mode: 0o755});
  symlinkSync(daemon.kind === 'systole' ? `${packageRoot}/bin/dopd` : `${libexec}/dopd`, `${bin}/dopd`);
  for (const name of ['drbdadm', 'drbdsetup']) {
    const script = `#!/bin/sh\nexport SYSTOLE_DRBD=/run/drbd\nexec ${packageRoot}/fixtures/drbd/bin/${name} "$@"\n`;
    writeFileSync(`${bin}/${name}`, script);
    chmodSync(`${bin}/${name}`, 0o755);
  }
}

async function set({machine}: LabNode, state: string): Promise<void> {
  await machine.run(`cd /run/drbd; echo '${state}' >state.test; chmod 666 state.test; mv state.test state; : >calls`);
}

async function disk({machine}: LabNode): Promise<string> {
  return /\bdisk=(\w+)/.exec(await machine.run('cat /run/drbd/state'))?.[1] ?? '';
}

const ours = `${packageRoot}/bin/drbd-peer-outdater`;
const debians = `${libexec}/drbd-peer-outdater`;

const outdater = (helper: string, peer: string): string => `${helper} -r data -p ${peer} -t 20`;

const calls = async ({machine}: LabNode): Promise<string> => machine.run('cat /run/drbd/calls');

packageTest(
  'our dopd asks the original: no untrue 4, whoever notices the cut first',
  () =>
    withClientsLab({kinds: ['systole', 'real'], haCf: rules, prepare, before}, async (_lab, n1, n2) => {
      await online('dopd', n1, n2);
      await logged(n1, /dopd of n1 is ready/);
      for (let cut = 0; cut < CUTS; cut += 1) {
        await set(n1, NOTICED.replace('Secondary', 'Primary'));
        // Each second time the peer notices only after it has said 4.
        const isLate = cut % 2 === 0;
        await set(n2, isLate ? CONNECTED : NOTICED);
        const asking = n1.machine.exec(outdater(cut % 3 === 0 ? debians : ours, 'n2'), {timeoutMs: 30_000});
        if (isLate) {
          const hasLied = async () => (await calls(n2)).includes('drbdadm outdate data');
          await until(hasLied, {timeoutMs: 10_000, everyMs: 50, what: () => 'the original does nothing'});
          assert.equal(await disk(n2), 'UpToDate', 'the trap is none');
          await n2.machine.run(
            `cd /run/drbd; echo '${NOTICED}' >state.test; chmod 666 state.test; mv state.test state`,
          );
        }
        assert.equal((await asking).code, 4, `cut ${cut}`);
        assert.equal(await disk(n2), 'Outdated', `cut ${cut}: 4 was not true`);
      }
      assert.match(await n1.log(), /n2 says that data is outdated, but its dopd does not look: asking again/);
    }),
  180_000,
);

packageTest(
  'the original asks our dopd: the disk is Outdated before 4 is said, noticed or not',
  () =>
    withClientsLab({kinds: ['systole', 'real'], haCf: rules, prepare, before}, async (_lab, n1, n2) => {
      await online('dopd', n1, n2);
      for (let cut = 0; cut < CUTS; cut += 1) {
        await set(n2, NOTICED.replace('Secondary', 'Primary'));
        await set(n1, cut % 2 === 0 ? CONNECTED : NOTICED);
        assert.equal(await outdate(n2, outdater(debians, 'n1')), 4, `cut ${cut}`);
        assert.equal(await disk(n1), 'Outdated', `cut ${cut}: 4 was not true`);
        await until(async () => /conn=Connecting/.test(await n1.machine.run('cat /run/drbd/state')), {
          timeoutMs: 10_000,
          everyMs: 50,
          what: () => 'the connection is not taken up again',
        });
      }
      await set(n1, NOTICED.replace('Secondary', 'Primary'));
      assert.equal(await outdate(n2, outdater(debians, 'n1')), 6, 'a Primary');
      assert.equal(await disk(n1), 'UpToDate');
    }),
  180_000,
);

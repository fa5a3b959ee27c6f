// Goal: Debian's dopd and drbd-peer-outdater, unmodified, work beside either daemon: respawned as hacluster under their apiauth
// rule they exchange their messages through the two daemons. Method: the outdater is called as DRBD's fence-peer handler calls
// it; drbdadm is a stand-in that records its arguments and exits as told (the host's kernel has no DRBD).

import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, writeFileSync} from 'node:fs';
import {packageRoot} from '../../src/lab/host.js';
import type {LabNode} from '../../src/lab/lab.js';
import {type Kinds, libexec, logged, mixtures, online, packageTest, withClientsLab} from '../helpers/clients-lab.js';
import {dopdPid, helper, outdate} from '../helpers/debian-dopd.js';

const rules = [`respawn hacluster ${libexec}/dopd`, 'apiauth dopd gid=haclient uid=hacluster'];

/** Into /var/lib/heartbeat: the only directory of a node that both this process and the node may fill before it is on. */
function putStandIn({machine}: LabNode): void {
  const bin = `${machine.directory}/heartbeat/bin`;
  mkdirSync(bin, {recursive: true, mode: 0o755});
  const script =
    '#!/bin/sh\necho "$(id -un): drbdadm $*" >>/run/drbdadm.log\nread -r code </run/drbdadm.exit\nexit "$code"\n';
  writeFileSync(`${bin}/drbdadm`, script);
  chmodSync(`${bin}/drbdadm`, 0o755);
}
const before =
  'chmod 755 /var/lib/heartbeat; : >/run/drbdadm.log; echo 0 >/run/drbdadm.exit; chmod 666 /run/drbdadm.*; export PATH=/var/lib/heartbeat/bin:$PATH; ';

for (const [what, kinds] of mixtures) {
  packageTest(`dopd, ${what}: the peer outdates its disk and its answer becomes the exit code`, () =>
    withClientsLab({kinds, haCf: rules, prepare: putStandIn, before}, async (_lab, n1, n2) => {
      await online('dopd', n1, n2);
      for (const [asker, asked] of [
        [n1, n2],
        [n2, n1],
      ] as const) {
        assert.equal(await outdate(asker, helper(asked.name)), 4, 'outdated');
        const recorded = await asked.machine.run('cat /run/drbdadm.log');
        assert.equal(recorded, 'hacluster: drbdadm outdate r0\n');
      }
      for (const [exit, code] of [
        [5, 3],
        [17, 6],
        [1, 20],
      ] as const) {
        await n2.machine.run(`echo ${exit} >/run/drbdadm.exit`);
        assert.equal(await outdate(n1, helper('n2')), code, `drbdadm exits ${exit}`);
      }
      assert.equal(await outdate(n1, helper('n2', `${packageRoot}/bin`)), 20, 'our helper');
      assert.equal(await outdate(n1, helper('nobody')), 5, 'a peer that is no node');
      await n2.powerCut();
      await logged(n1, /node n2: is dead/);
      assert.equal(await outdate(n1, helper('n2')), 5, 'a dead peer');
    }),
  );
}

const kinds: Kinds = ['systole', 'real'];
packageTest('dopd: the answer comes with one link of two', () =>
  withClientsLab({kinds: ['systole', 'systole'], haCf: rules, prepare: putStandIn, before}, async (lab, n1, n2) => {
    await online('dopd', n1, n2);
    await lab.cutLink('eth0');
    assert.equal(await outdate(n1, helper('n2')), 4);
  }),
);

packageTest('dopd: without an apiauth rule it is refused, and not respawned for ever', () =>
  withClientsLab({kinds, haCf: rules.slice(0, 1)}, async (_lab, n1, n2) => {
    for (const node of [n1, n2]) {
      await logged(node, /Client \[dopd\] pid \d+ failed authorization/);
      await logged(node, /"?respawning too fast"?/, 40_000);
      assert.equal(await dopdPid(node), '');
    }
  }),
);

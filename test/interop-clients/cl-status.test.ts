// Goal: Debian's cl_status against our daemon, and ours against the real daemon, say and return what the real program says and
// returns beside the real daemon. Method: two clusters of the same configuration side by side; every sub-command, by both
// programs, on both; the answers of real program and real daemon are the reference.

import assert from 'node:assert/strict';
import type {DaemonKind} from '../../src/lab/daemon.js';
import {packageRoot} from '../../src/lab/host.js';
import type {LabNode} from '../../src/lab/lab.js';
import {clientAddress} from '../../src/lab/network.js';
import {debianClStatus, libexec, online, packageTest, withClientsLab} from '../helpers/clients-lab.js';

const parameters =
  'deadtime keepalive initdead warntime deadping udpport baud auto_failback hopfudge watchdog logfile debugfile logfacility FOO node hbgenmethod realtime msgfmt cluster crm pacemaker use_logd compression uuidfrom nonsense apiauth debug autojoin nice_failback stonith';

const commands = [
  'hbstatus',
  'hbstatus -v',
  'hbstatus extra',
  ...['', '-n', '-p', '-v', '-m', '-n -v', '-z'].map((options) => `listnodes ${options}`),
  ...['n1', 'n2', 'N2', '-m n2', 'gate', clientAddress, 'nope', ''].map((node) => `nodestatus ${node}`),
  ...['n1', 'gate', '-m n2', 'nope', ''].map((node) => `nodetype ${node}`),
  ...['n1', 'n2', 'gate', '-m n2', 'nope', ''].map((node) => `nodeweight ${node}`),
  ...['n1', 'gate', '-m n2', 'nope', ''].map((node) => `nodesite ${node}`),
  ...['n1', '-v n1', 'n2', '-v n2', '-m n2', 'gate', '-v gate', 'nope', ''].map((node) => `listhblinks ${node}`),
  ...['n2 eth0', 'n1 eth0', 'n2 eth9', 'nope eth0', '-m n2 eth0', 'gate gate', 'n2', ''].map(
    (link) => `hblinkstatus ${link}`,
  ),
  ...[
    'n1 ipfail',
    'n1 nope',
    'n2 ipfail 5000',
    'n2 nope 5000',
    'nope ipfail',
    'gate ipfail',
    'n1',
    '-m n1 ipfail',
    '',
  ].map((client) => `clientstatus ${client}`),
  ...['', '-m', 'extra'].map((options) => `rscstatus ${options}`),
  ...parameters.split(' ').map((name) => `hbparameter -p ${name}`),
  'hbparameter',
  'hbparameter -m -p deadtime',
  'test',
  'bogus',
];

type Answers = Readonly<Record<string, string>>;

async function answers(node: LabNode, program: string): Promise<Answers> {
  const all: Record<string, string> = {};
  for (const command of commands) {
    const {code, stdout, stderr} = await node.machine.exec(`${program} ${command}`);
    // The time and pid before an error, and the name of a build.
    const errors = stderr.replace(/^.*cl_status: \[\d+\]: |^cl_status\[\d+\]: \S+ /gm, 'cl_status: ');
    all[command] = `${code}\n${stdout.replace(/\(node: [0-9a-z]+\)/, '(node: X)')}${errors}`;
  }
  return all;
}

async function ask(kind: DaemonKind): Promise<readonly [Answers, Answers]> {
  const haCf = [
    `respawn hacluster ${libexec}/ipfail`,
    `ping ${clientAddress}`,
    'ping_group gate 10.77.0.253 10.77.0.252',
  ];
  let found: readonly [Answers, Answers] | undefined;
  await withClientsLab({kinds: [kind, kind], haCf: [...haCf, 'env FOO=bar']}, async (_lab, n1, n2) => {
    await online('ipfail', n1, n2);
    found = [await answers(n1, debianClStatus), await answers(n1, `${packageRoot}/bin/cl_status`)];
  });
  assert(found);
  return found;
}

packageTest('cl_status: every sub-command, both programs, both daemons', async () => {
  const [[debianAtOurs, oursAtOurs], [reference, oursAtReal]] = await Promise.all([ask('systole'), ask('real')]);
  assert.match(reference['hbstatus'] ?? '', /^0\nHeartbeat is running/);
  assert.deepEqual(debianAtOurs, reference, "Debian's cl_status beside our daemon");
  assert.deepEqual(oursAtReal, reference, 'our cl_status beside the real daemon');
  assert.deepEqual(oursAtOurs, reference, 'our cl_status beside our daemon');
});

packageTest('cl_status: a stopped daemon', async () => {
  await withClientsLab({kinds: ['systole', 'real']}, async (_lab, n1, n2) => {
    await Promise.all([n1.stop(), n2.stop()]);
    for (const command of [
      'hbstatus',
      'hbstatus -v',
      'listnodes',
      'rscstatus',
      'nodestatus n1',
      'hbparameter -p deadtime',
    ]) {
      const outcomes = [];
      for (const node of [n1, n2])
        for (const program of [debianClStatus, `${packageRoot}/bin/cl_status`]) {
          const {code, stdout} = await node.machine.exec(`${program} ${command}`);
          outcomes.push({code, stdout});
        }
      for (const each of outcomes) assert.deepEqual(each, outcomes[2], command);
      assert.equal(outcomes[2]?.code, 1, command);
    }
  });
});

// Goal: a client that speaks the raw protocol gets the same answers from both daemons, may do the same, and reaches its like on
// the other node, whichever daemon runs there. Method: the same questions to a node of ours and to a real one of one
// cluster, compared field by field; then a named client on each node, and Debian's own API programs.

import assert from 'node:assert/strict';
import type {LabNode} from '../../src/lab/lab.js';
import {clientAddress} from '../../src/lab/network.js';
import {until} from '../../src/lab/wait.js';
import {groupId, userAccount} from '../../src/runtime/accounts.js';
import {ApiSession, type Fields} from '../helpers/api-session.js';
import {type Kinds, libexec, logged, mixtures, packageTest, withClientsLab} from '../helpers/clients-lab.js';

const hacluster = {uid: userAccount('hacluster')?.uid ?? 0, gid: groupId('haclient') ?? 0};
const daemon = {uid: 1, gid: 1};
const haCf = [
  'apiauth tester uid=root',
  'apiauth group gid=haclient',
  'apiauth other uid=daemon',
  `ping ${clientAddress}`,
];

const questions: readonly (readonly [string, Fields])[] = [
  ['nodelist', {}],
  ['numnodes', {}],
  ...['n1', 'N2', clientAddress, 'nope'].flatMap((node) =>
    ['nodestatus', 'nodetype', 'nodeweight', 'nodesite', 'iflist'].map((type) => [type, {node}] as const),
  ),
  ['nodestatus', {}],
  ['ifstatus', {node: 'n2', ifname: 'eth9'}],
  ['getuuid', {queryname: 'n1'}],
  ['getuuid', {queryname: 'n2'}],
  ['getuuid', {queryname: clientAddress}],
  ['getuuid', {queryname: 'nope'}],
  ['getparm', {pname: 'deadtime'}],
  ['getparm', {pname: 'nonsense'}],
  ['clientstatus', {node: clientAddress, cn: 'tester'}],
  ['clientstatus', {cn: 'tester'}],
  ['clientstatus', {node: 'nope', cn: 'tester'}],
  ['setfilter', {fmask: '1'}],
  ['setfilter', {}],
  ['setsignal', {signal: '0'}],
  ['setsignal', {signal: '10'}],
  ['setsignal', {signal: '9'}],
  ['frobnicate', {}],
];

/** The build has its own name. */
function comparable(answers: readonly Fields[]): unknown {
  return answers.map(({hbversion, ...rest}) => rest);
}

async function answersOf(node: LabNode): Promise<Readonly<Record<string, unknown>>> {
  const session = new ApiSession(node.machine);
  const all: Record<string, unknown> = {signon: comparable([await session.signOn()])};
  for (const [type, fields] of questions)
    all[`${type} ${JSON.stringify(fields)}`] = comparable(await session.ask(type, fields));
  const own = await session.ask('clientstatus', {node: node.name, cn: 'tester'});
  session.close();
  return {...all, own: comparable(own)};
}

/** How a signon in this name, by this user, ends. */
async function signOn(node: LabNode, name?: string, user?: typeof hacluster): Promise<readonly [string, string]> {
  const session = new ApiSession(node.machine, user);
  const answer = await session.signOn(name);
  if (answer['result'] !== 'OK') await session.next((each) => 'closed' in each, 'end of a refused client');
  session.close();
  return [answer['result'] ?? '', answer['info'] ?? ''];
}

packageTest('API: both daemons answer the same, and let the same clients in', () =>
  withClientsLab({kinds: ['systole', 'real'], haCf}, async (lab, n1, n2) => {
    await until(async () => (await lab.owners()).length === 1, {timeoutMs: 20_000, what: () => 'no owner'});
    const [ours, real] = await Promise.all([answersOf(n1), answersOf(n2)]);
    const ofNode = (text: unknown, from: string, to: string): unknown =>
      JSON.parse(JSON.stringify(text).replaceAll(`"node":"${from}"`, `"node":"${to}"`));
    // Each node lists its own links as dead, and calls itself by its own name at signon.
    for (const differs of ['signon', 'iflist {"node":"n1"}', 'iflist {"node":"N2"}']) {
      const mirrored: Readonly<Record<string, string>> = {
        'iflist {"node":"n1"}': 'iflist {"node":"N2"}',
        'iflist {"node":"N2"}': 'iflist {"node":"n1"}',
      };
      assert.deepEqual(ofNode(ours[differs], 'n1', 'n2'), real[mirrored[differs] ?? differs], differs);
    }
    const {signon: _s, 'iflist {"node":"n1"}': _a, 'iflist {"node":"N2"}': _b, ...rest} = ours;
    const {signon: _s2, 'iflist {"node":"n1"}': _a2, 'iflist {"node":"N2"}': _b2, ...reference} = real;
    assert.deepEqual(rest, reference);

    for (const [name, user, result, info] of [
      [undefined, undefined, 'OK', ''],
      [undefined, hacluster, 'OK', ''],
      ['tester', undefined, 'OK', ''],
      ['tester', hacluster, 'badreq', 'client failed authorization'],
      ['group', hacluster, 'OK', ''],
      ['other', undefined, 'badreq', 'client failed authorization'],
      ['unlisted', undefined, 'badreq', 'no default client auth'],
    ] as const)
      for (const node of [n1, n2])
        assert.deepEqual(await signOn(node, name, user), [result, info], `${name} at ${node.daemon.kind}`);
    // Who is neither root nor in haclient does not even reach our socket.
    const stranger = new ApiSession(n1.machine, daemon);
    assert.match((await stranger.next((each) => 'error' in each, 'an error'))['error'] ?? '', /EACCES/);
  }),
);

for (const [what, kinds] of mixtures) {
  packageTest(`API, ${what}: named clients hear each other, and see who comes and goes`, () =>
    withClientsLab({kinds, haCf}, async (_lab, n1, n2) => {
      const [a, b] = [new ApiSession(n1.machine), new ApiSession(n2.machine)];
      await a.signOn('tester');
      await b.signOn('tester');
      await a.isSent('hbapi-clstat', {st: 'join', src: 'n2', from_id: 'tester', info: 'signon'});
      const third = new ApiSession(n1.machine);
      assert.equal((await third.signOn('tester'))['info'], 'duplicate add request');

      a.send({t: 'to-all', word: 'one'});
      for (const each of [a, b])
        assert.equal((await each.isSent('to-all', {src: 'n1', from_id: 'tester'}))['word'], 'one');
      b.send({t: 'to-one', dest: 'n1', src: 'forged', from_id: 'forged'});
      await a.isSent('to-one', {src: 'n2', from_id: 'tester', to_id: 'tester'});
      assert(!b.got.some((each) => each['t'] === 'to-one'), 'what goes to one node is not shown here');

      const question = n1.daemon.kind === 'real' ? b : a;
      const [asked, other] = question === a ? [n2, n1] : [n1, n2];
      question.send({...question.request('clientstatus'), node: asked.name, cn: 'tester'});
      await question.isSent('respond-cstatus', {cn: 'tester', cs: 'online', src: asked.name, dest: other.name});

      b.close();
      const {info} = await a.isSent('hbapi-clstat', {st: 'leave', src: 'n2'});
      // The original looks whether the process is still there, and on a busy machine finds it gone.
      assert.ok(info === 'EOF' || (info === 'died' && n2.daemon.kind === 'real'), info);
      a.send(a.request('signoff'));
      await a.next((each) => 'closed' in each, 'end after signoff');
    }),
  );
}

const slow = {keepaliveMs: 200, warntimeMs: 3000, deadtimeMs: 10_000, initdeadMs: 11_000};
const burst = 600;

for (const peer of ['systole', 'real'] as const) {
  packageTest(`API: a client cannot run ahead of a ${peer} peer that hears nothing, and loses nothing`, () =>
    withClientsLab({kinds: ['systole', peer], haCf, timing: slow}, async (_lab, n1, n2) => {
      const [a, b] = [new ApiSession(n1.machine), new ApiSession(n2.machine)];
      await a.signOn('tester');
      await b.signOn('tester');
      const links = ['eth0', 'eth1'] as const;
      // What n1 sends goes to a hardware address that nobody has; what n2 sends arrives.
      for (const [index, link] of links.entries())
        await n1.machine.run(`ip neigh replace 10.77.${index}.2 lladdr 02:00:00:00:00:99 dev ${link} nud permanent`);
      for (let number = 0; number < burst; number += 1) a.send({t: 'burst', number: String(number)});
      await logged(n1, /all clients are now paused/);
      const arrived = (session: ApiSession): readonly number[] =>
        session.got.filter((each) => each['t'] === 'burst').map((each) => Number(each['number']));
      assert(arrived(a).length < 250, `${arrived(a).length} were taken`);
      for (const [index, link] of links.entries()) await n1.machine.run(`ip neigh del 10.77.${index}.2 dev ${link}`);
      await logged(n1, /all clients are now resumed/);
      // The original drops without a word what its client does not read at once, so only packets prove something there.
      if (peer === 'real') await logged(n2, /No pkts missing from n1!/);
      const judge = peer === 'real' ? a : b;
      await until(() => arrived(judge).length === burst, {
        timeoutMs: 20_000,
        what: () => `${arrived(judge).length} of ${burst} arrived`,
      });
      assert.equal(new Set(arrived(judge)).size, burst);
    }),
  );
}

packageTest("Debian's api_test walks nodes, links and parameters of our daemon", () =>
  withClientsLab({kinds: ['systole', 'systole'], haCf: [...haCf, 'apiauth ping uid=root']}, async (_lab, n1) => {
    const command = `timeout -k 1 5 ${libexec}/api_test`;
    const {stderr} = await n1.machine.exec(command);
    for (const wanted of [
      'Parameter deadtime is [500ms]',
      'Optional Parameter logfile is [/var/log/ha-log]',
      'Current resource status: local',
      'Cluster node: n2: status: active',
      'node n2: intf: eth1 ifstatus: up',
      `Cluster node: ${clientAddress}: status: ping`,
      'node n1: intf: eth0 ifstatus: dead',
    ])
      assert(stderr.includes(wanted), `${wanted}\n${stderr}`);
  }),
);

/** What ccm_testclient is told by ccm in the seconds it runs. */
async function membership(node: LabNode): Promise<readonly string[]> {
  const {stderr} = await node.machine.exec(`timeout -k 1 2 ${libexec}/ccm_testclient`);
  const last = stderr.split('event=').at(-1) ?? '';
  const members = last.split(/NEW MEMBERS$/m)[0] ?? '';
  return [...members.matchAll(/nodeid=\d+, uname=(\w+)/g)].map((each) => each[1] ?? '').sort();
}

const ccmKinds: Kinds = ['systole', 'real'];
packageTest("Debian's ccm finds the membership through both daemons, and a death", () =>
  withClientsLab({kinds: ccmKinds, haCf: [`respawn hacluster ${libexec}/ccm`]}, async (_lab, n1, n2) => {
    for (const node of [n1, n2])
      await until(async () => (await membership(node)).join() === 'n1,n2', {
        timeoutMs: 30_000,
        what: () => `${node.name}: not both`,
      });
    await n2.powerCut();
    await until(async () => (await membership(n1)).join() === 'n1', {
      timeoutMs: 30_000,
      what: () => 'n2 is still a member',
    });
  }),
);

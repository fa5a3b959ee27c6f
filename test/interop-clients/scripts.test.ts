// Goal: the scripts of Debian's heartbeat package (resource.d, rc.d, harc, shellfuncs, ResourceManager and its helpers) run unchanged
// beside our daemon when /etc/ha.d holds them, and ours run unchanged beside the real daemon. Method: a group of address, file
// system and a third agent moves by every helper script of either set; the truth is what kernel and agents show.

import assert from 'node:assert/strict';
import {chmodSync, cpSync, mkdirSync, writeFileSync} from 'node:fs';
import {packageRoot} from '../../src/lab/host.js';
import type {Lab, LabNode} from '../../src/lab/lab.js';
import {serviceAddress} from '../../src/lab/network.js';
import {until} from '../../src/lab/wait.js';
import {logged, ownedBy, packageTest, settle, withClientsLab} from '../helpers/clients-lab.js';

const debianPrograms = '/usr/share/heartbeat';
const group = `IPaddr::${serviceAddress}/24/eth0`;
const haresources = (): string => `n1 ${group} Filesystem::tmpfs::/data/shared::tmpfs::size=1m marker::one::two\n`;
/** A message that no daemon knows, so that rc.d gets it. */
const hookName = 'hello';

/** An old style agent that uses the functions of whichever shellfuncs /etc/ha.d holds. */
const marker = `#!/bin/sh
. /etc/ha.d/shellfuncs
case $3 in
start) ha_log "info: marker $1 $2 on $HA_CURHOST"; : >/run/marker ;;
stop) rm -f /run/marker ;;
status) if [ -e /run/marker ]; then echo running; else echo stopped; fi ;;
esac
`;
const hook = `#!/bin/sh
. $HA_FUNCS
echo "$HA_src $HA_word $HA_OSTATUS $HA_NICEFAILBACK $*" >>/run/hook
ha_log "info: hook saw $HA_word"
`;

function put(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

function putOwn({machine}: LabNode): void {
  const haDir = `${machine.directory}/ha.d`;
  mkdirSync(`${haDir}/resource.d`, {recursive: true});
  mkdirSync(`${haDir}/rc.d`, {recursive: true});
  put(`${haDir}/resource.d/marker`, marker);
  put(`${haDir}/rc.d/${hookName}`, hook);
}

/** As after `apt install heartbeat`: its scripts where they belong, ours nowhere. */
function putDebian(node: LabNode): void {
  cpSync('/etc/ha.d', `${node.machine.directory}/ha.d`, {recursive: true, dereference: true, force: false});
  putOwn(node);
}

/** Our scripts in place of Debian's; those outside /etc/ha.d are covered by `coverPrograms`. */
function putOurs(node: LabNode): void {
  const haDir = `${node.machine.directory}/ha.d`;
  for (const part of ['harc', 'rc.d', 'shellfuncs'])
    cpSync(`${packageRoot}/ha.d/${part}`, `${haDir}/${part}`, {recursive: true});
  cpSync(`${packageRoot}/resource.d`, `${haDir}/resource.d`, {recursive: true});
  putOwn(node);
}

const programs = [
  'ResourceManager',
  'mach_down',
  'req_resource',
  'hb_standby',
  'hb_takeover',
  'hb_addnode',
  'hb_delnode',
];
/** A shell line: each program of Debian's directory becomes ours, in this machine alone. */
const coverPrograms = `mkdir -p /data/shared /run/ours; ${programs
  .map((name) => {
    const file = `/run/ours/${name}`;
    const call = `#!/bin/sh\\nexec ${packageRoot}/bin/${name} "$@"\\n`;
    return `printf '${call}' >${file}; chmod 755 ${file}; mount --bind ${file} ${debianPrograms}/${name}; `;
  })
  .join('')}`;

async function runsWhole(lab: Lab, node: LabNode): Promise<void> {
  await ownedBy(lab, node);
  const isWhole = async ({machine}: LabNode): Promise<string> =>
    (await machine.exec('findmnt -n -o FSTYPE /data/shared; test -e /run/marker && echo marker')).stdout;
  await until(async () => (await isWhole(node)) === 'tmpfs\nmarker\n', {
    timeoutMs: 20_000,
    everyMs: 50,
    what: () => `the group is not whole on ${node.name}`,
  });
  assert.equal(await isWhole(lab.other(node)), '', `something is left on ${lab.other(node).name}`);
}

/** The whole life of the group, driven by the scripts at `/usr/share/heartbeat`. */
async function drive(lab: Lab, n1: LabNode, n2: LabNode): Promise<void> {
  const run = ({machine}: LabNode, command: string) =>
    machine.exec(`. /etc/profile; export HA_CURHOST=${machine.name}; ${debianPrograms}/${command}`);
  await runsWhole(lab, n1);
  for (const [command, giver, taker] of [
    ['hb_standby all', n1, n2],
    ['hb_takeover all', n1, n1],
    ['hb_standby local', n1, n2],
    ['hb_standby foreign', n2, n1],
  ] as const) {
    const {code, stderr} = await run(giver, command);
    assert.equal(code, 0, `${command}: ${stderr}`);
    await runsWhole(lab, taker === giver ? n1 : taker);
    await settle(lab);
  }
  // What the ResourceManager answers, on the node that runs the group and on the other.
  assert.equal((await run(n1, 'ResourceManager listkeys n1')).stdout.trim(), group);
  assert.equal((await run(n1, `ResourceManager status ${group}`)).code, 0);
  assert.notEqual((await run(n2, `ResourceManager status ${group}`)).code, 0);
  assert.equal((await run(n1, `req_resource ${group}`)).code, 0);
}

/** A message from the FIFO reaches rc.d on both nodes, through harc. */
async function sendHook(n1: LabNode, n2: LabNode): Promise<void> {
  const message = `t=${hookName}\\nword=world\\n`;
  await n1.machine.run(`. /etc/ha.d/shellfuncs; HA_FIFO=/var/lib/heartbeat/fifo; printf '${message}' | ha_clustermsg`);
  for (const {machine, name} of [n1, n2]) {
    let seen = '';
    const isSeen = async (): Promise<boolean> => {
      seen = (await machine.exec('cat /run/hook')).stdout;
      return seen !== '';
    };
    await until(isSeen, {timeoutMs: 15_000, everyMs: 50, what: () => `${name}: the hook did not run`});
    assert.equal(seen, `n1 world active yes ${hookName}\n`, name);
  }
}

packageTest(
  "Debian's scripts beside our daemon: agents, helpers, hooks, a death",
  () =>
    withClientsLab({kinds: ['systole', 'systole'], haresources, prepare: putDebian}, async (lab, n1, n2) => {
      await drive(lab, n1, n2);
      await logged(n1, /Running \/etc\/ha\.d\/\/?resource\.d\/IPaddr/);
      await sendHook(n1, n2);
      await n1.powerCut();
      await ownedBy(lab, n2);
    }),
  180_000,
);

packageTest(
  'our scripts beside the real daemon: agents, helpers, hooks, a death',
  () =>
    withClientsLab(
      {kinds: ['real', 'real'], haresources, prepare: putOurs, before: coverPrograms},
      async (lab, n1, n2) => {
        await drive(lab, n1, n2);
        await sendHook(n1, n2);
        await n1.powerCut();
        await ownedBy(lab, n2);
      },
    ),
  180_000,
);

// What the packets go through and how they are made: lossy links, keys, media, framing, sizes.

import assert from 'node:assert/strict';
import {addressOf} from '../../../src/lab/network.js';
import {until} from '../../../src/lab/wait.js';
import {type Case, every, label, nice, other, pause, type Role, roles, round, startBoth, undisturbed} from '../case.js';
import {type ClusterOptions, relayed} from '../lab.js';
import type {InteropNode} from '../node.js';

/** Both links lose, double or delay packets all the time, from the first one on. */
function faulty(name: string, faults: {loss?: number; duplication?: number; reordering?: number}): Case {
  return {
    name,
    modes: every,
    // At 50 % the next fifteen heartbeats on both links are all lost once in a billion times.
    options: {media: relayed, deadtimeMs: 3000},
    run: async (scene) => {
      await scene.lab.relay({loss: 0, duplication: 0, reordering: 0, ...faults});
      await round(scene);
    },
  };
}

/** The same cluster with other options. */
function variant(name: string, options: Case['options'] & object): Case {
  return {name, modes: nice, options, run: round};
}

type Media = NonNullable<ClusterOptions['media']>;
const bcast: Media = () => ['bcast eth0 eth1'];
const mcast: Media = () => ['mcast eth0 225.0.0.1 694 1 0', 'mcast eth1 239.0.0.42 694 1 0'];
const mixed: Media = ({peers}) => ['bcast eth0', ...peers.map((peer) => `ucast eth1 ${addressOf(peer, 'eth1')}`)];
const mixedMcast: Media = ({peers}) => [
  ...peers.map((peer) => `ucast eth0 ${addressOf(peer, 'eth0')}`),
  'mcast eth1 225.0.0.1 694 1 0',
];
/** The same ha.cf on both nodes: each line's own address is there too. */
const sameFile: Media = () =>
  [1, 2].flatMap((node) => [`ucast eth0 ${addressOf(node, 'eth0')}`, `ucast eth1 ${addressOf(node, 'eth1')}`]);

const first = '1 sha1 HA_JACKBILLOW\n';
const second = '2 sha1 SECOND\n';

/** Both nodes have both keys; then one after the other signs with the second, well within deadtime. */
function newKey(role: Role): Case {
  return {
    name: `authkeys-change-${label[role]}-first`,
    modes: every,
    options: {deadtimeMs: 3000},
    run: async (scene) => {
      const {lab} = scene;
      await startBoth(scene);
      const check = undisturbed(scene);
      const order = [scene[role], other(scene, scene[role])];
      for (const sender of [1, 2]) {
        for (const node of order) {
          node.configure('authkeys', `auth ${sender}\n${first}${second}`);
          await node.reload();
        }
        await pause(4000);
      }
      check();
      await lab.settled(lab.home());
      // The second key alone must do.
      for (const node of order) node.configure('authkeys', `auth 2\n${second}`);
      for (const node of order) await node.reload();
      await pause(1000);
      check();
      await order[0]?.powerCut();
      const [dead, left] = order;
      if (dead && left) await lab.settled(lab.allOn(left.name), {words: {[dead.name]: ['']}});
    },
  };
}

/** Another method with the same key: 3.0.6 takes the method from the packet, so there is all the time in the world. */
function newMethod(role: Role): Case {
  return {
    name: `authkeys-method-${label[role]}-first`,
    modes: every,
    run: async (scene) => {
      await startBoth(scene);
      const check = undisturbed(scene);
      for (const sender of [1, 2]) {
        for (const node of [scene[role], other(scene, scene[role])]) {
          node.configure('authkeys', `auth ${sender}\n${first}2 md5 HA_JACKBILLOW\n`);
          await node.reload();
          await pause(2500);
        }
      }
      check();
      await scene.lab.settled(scene.lab.home());
    },
  };
}

/** Counts what a message of type `interop` brought: the sender, its serial number, and the bytes of its fields. */
const hook = `#!/bin/sh
echo "$HA_src $HA_serial $(env | grep '^HA_piece' | wc -c)" >>/var/log/rsc/messages
exit 0
`;
const pieceBytes = 480;

function pieces(bytes: number): Record<string, string> {
  const count = Math.round(bytes / pieceBytes);
  return Object.fromEntries(Array.from({length: count}, (_, at) => [`piece${1000 + at}`, 'x'.repeat(pieceBytes - 14)]));
}

/** Over one Ethernet packet, near what a datagram holds, and above: the last goes nowhere and harms nothing. */
const sizes: Case = {
  name: 'sizes',
  modes: nice,
  run: async (scene) => {
    const {lab, ours, theirs} = scene;
    for (const node of lab.nodes) node.install('rc.d/interop', hook);
    await startBoth(scene);
    const heard = async (node: InteropNode, from: InteropNode) => {
      const text = (await node.machine.exec('cat /var/log/rsc/messages')).stdout;
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${from.name} `))
        .map((line) => line.split(' '));
    };
    const limits = [500, 1400, 1500, 8000, 30_000, 62_000];
    for (const bytes of limits) {
      for (const sender of lab.nodes) {
        const receiver = other(scene, sender);
        await sender.say({t: 'interop', serial: `${bytes}`, ...pieces(bytes)});
        const arrived = async () => (await heard(receiver, sender)).find(([, serial]) => serial === `${bytes}`);
        const found = await until(arrived, {
          timeoutMs: 10_000,
          what: () => `${bytes} bytes of ${sender.name} are not heard`,
          everyMs: 100,
        });
        assert.ok(Math.abs(Number(found[2]) - bytes) < pieceBytes, `${bytes} bytes arrived as ${found[2]}`);
      }
    }
    for (const bytes of [68_000, 300_000]) {
      for (const sender of lab.nodes) await sender.say({t: 'interop', serial: `${bytes}`, ...pieces(bytes)});
      await pause(2000);
      await lab.settled(lab.home());
    }
    // From 256 KiB on the real daemon compresses, and these pieces compress well.
    const serials = async (receiver: InteropNode, sender: InteropNode) =>
      (await heard(receiver, sender)).map(([, serial]) => Number(serial));
    assert.deepEqual(await serials(ours, theirs), [...limits, 300_000]);
    assert.deepEqual(await serials(theirs, ours), limits);
    await theirs.say({t: 'interop', serial: 'last'});
    await until(async () => (await heard(ours, theirs)).some(([, serial]) => serial === 'last'), {
      timeoutMs: 10_000,
      what: () => 'nothing is heard any more',
      everyMs: 100,
    });
    await ours.standby('all');
    await lab.settled(lab.allOn(theirs.name));
  },
};

function msgfmt(formats: {readonly systole: string; readonly real: string}): Case {
  const name = `msgfmt-ours-${formats.systole}-real-${formats.real}`;
  return variant(name, {haCf: (_, kind) => [`msgfmt ${formats[kind]}`]});
}

export const networkCases: readonly Case[] = [
  faulty('loss-10', {loss: 10}),
  faulty('loss-30', {loss: 30}),
  faulty('loss-50', {loss: 50}),
  faulty('duplication', {duplication: 60}),
  faulty('reordering', {reordering: 60}),
  faulty('loss-duplication-reordering', {loss: 20, duplication: 20, reordering: 20}),
  ...roles.flatMap((role) => [newKey(role), newMethod(role)]),
  variant('sha1', {authkeys: 'auth 3\n3 sha1 a-key-of-its-own\n'}),
  variant('md5', {authkeys: 'auth 2\n2 md5 another-key\n'}),
  variant('crc', {authkeys: 'auth 1\n1 crc\n'}),
  variant('bcast', {media: bcast}),
  variant('mcast', {media: mcast}),
  variant('mixed-bcast-ucast', {media: mixed}),
  variant('mixed-ucast-mcast', {media: mixedMcast}),
  variant('ucast-same-file', {media: sameFile}),
  msgfmt({systole: 'classic', real: 'netstring'}),
  msgfmt({systole: 'netstring', real: 'classic'}),
  msgfmt({systole: 'netstring', real: 'netstring'}),
  sizes,
];

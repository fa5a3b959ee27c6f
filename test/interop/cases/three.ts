// Three nodes: all of them members, the resources with a pair of them (docs/interop.md).

import {until} from '../../../src/lab/wait.js';
import {afterReturn, type Case, nice, type Scene, startBoth} from '../case.js';
import type {InteropNode} from '../node.js';

const hook = '#!/bin/sh\necho "$HA_src $HA_serial" >>/var/log/rsc/messages\nexit 0\n';

/** Every living node says this of every node. */
async function agreed({lab}: Scene, wanted: Readonly<Record<string, string>>): Promise<void> {
  const seen: Record<string, string> = {};
  const isSo = async () => {
    for (const node of lab.nodes) {
      if (wanted[node.name] !== 'active') continue;
      for (const name of Object.keys(wanted)) {
        const status = (await node.command('cl_status', 'nodestatus', name)).stdout.trim();
        seen[`${node.name} of ${name}`] = status;
        if (status !== wanted[name]) return false;
      }
    }
    return true;
  };
  await until(isSo, {
    timeoutMs: 20_000,
    everyMs: 200,
    what: () => `${JSON.stringify(wanted)}: ${JSON.stringify(seen)}`,
  });
  lab.note(`agreed: ${JSON.stringify(wanted)}`);
}

async function everybodyHears({lab}: Scene, sender: InteropNode, serial: string): Promise<void> {
  await sender.say({t: 'interop', serial});
  for (const node of lab.nodes) {
    if (node === sender) continue;
    const heard = async () =>
      (await node.machine.exec('cat /var/log/rsc/messages')).stdout.split('\n').includes(`${sender.name} ${serial}`);
    await until(heard, {timeoutMs: 10_000, everyMs: 100, what: () => `${node.name} does not hear ${sender.name}`});
  }
}

const membership: Case = {
  name: 'three-nodes',
  modes: ['on', 'off', 'legacy'],
  third: 'mixed',
  options: {haresources: '# none\n', deadtimeMs: 2000},
  run: async (scene) => {
    const {lab} = scene;
    for (const node of lab.nodes) node.install('rc.d/interop', hook);
    await Promise.all(lab.nodes.map((node) => node.start()));
    await agreed(scene, {n1: 'active', n2: 'active', n3: 'active'});
    for (const node of lab.nodes) await everybodyHears(scene, node, 'one');
    for (const victim of lab.nodes) {
      const left = {n1: 'active', n2: 'active', n3: 'active', [victim.name]: 'dead'};
      if (victim === scene.ours) await victim.powerCut();
      else await victim.stop();
      await agreed(scene, left);
      await victim.start();
      await agreed(scene, {n1: 'active', n2: 'active', n3: 'active'});
    }
    for (const node of lab.nodes) await everybodyHears(scene, node, 'two');
  },
};

/** A node that is home of nothing only watches: it takes nothing when a node dies, and gives nothing when it returns. */
const observer: Case = {
  name: 'three-nodes-observer',
  modes: nice,
  third: 'ours',
  options: {deadtimeMs: 3000},
  run: async (scene) => {
    const {lab, ours, theirs} = scene;
    await startBoth(scene);
    await agreed(scene, {n1: 'active', n2: 'active', n3: 'active'});
    await theirs.powerCut();
    await lab.settled(lab.allOn(ours.name), {words: {[theirs.name]: ['']}});
    await theirs.start();
    await lab.settled(afterReturn(scene, ours));
  },
};

export const three: readonly Case[] = [membership, observer];

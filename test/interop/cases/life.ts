// Starts, deaths, stops and returns of either node.

import {until} from '../../../src/lab/wait.js';
import {afterReturn, type Case, every, label, other, pause, type Role, roles, startBoth} from '../case.js';

/** So that a loaded host has started the daemon again before the peer declares it dead. */
const backInTime = {deadtimeMs: 6000};

const startTogether: Case = {name: 'start-together', modes: every, run: startBoth};

function startFirst(role: Role): Case {
  return {
    name: `start-first-${label[role]}`,
    modes: every,
    run: async (scene) => {
      const first = scene[role];
      await first.start();
      await scene.lab.settled(scene.lab.allOn(first.name), {words: {[other(scene, first).name]: ['']}});
      await other(scene, first).start();
      await scene.lab.settled(afterReturn(scene, first));
    },
  };
}

function crash(role: Role): Case {
  return {
    name: `crash-${label[role]}`,
    modes: every,
    run: async (scene) => {
      await startBoth(scene);
      const victim = scene[role];
      const survivor = other(scene, victim);
      await victim.powerCut();
      await scene.lab.settled(scene.lab.allOn(survivor.name), {words: {[victim.name]: ['']}});
      await victim.start();
      await scene.lab.settled(afterReturn(scene, survivor));
    },
  };
}

function stop(role: Role): Case {
  return {
    name: `stop-${label[role]}`,
    modes: every,
    run: async (scene) => {
      await startBoth(scene);
      const leaver = scene[role];
      const survivor = other(scene, leaver);
      await leaver.stop();
      await scene.lab.settled(scene.lab.allOn(survivor.name), {words: {[leaver.name]: ['']}});
      await leaver.start();
      await scene.lab.settled(afterReturn(scene, survivor));
      await survivor.stop();
      await scene.lab.settled(scene.lab.allOn(leaver.name), {words: {[survivor.name]: ['']}});
    },
  };
}

const stopBoth: Case = {
  name: 'stop-both',
  modes: every,
  run: async (scene) => {
    await startBoth(scene);
    await Promise.all(scene.lab.nodes.map((node) => node.stop()));
    await pause(300);
    await scene.lab.settled({n1: '', n2: ''}, {words: {n1: [''], n2: ['']}});
  },
};

/** Stopped and started again faster than the peer declares it dead. */
function quickRestart(role: Role): Case {
  return {
    name: `restart-${label[role]}`,
    modes: every,
    run: async (scene) => {
      await startBoth(scene);
      const node = scene[role];
      const peer = other(scene, node);
      await node.stop();
      // Within a takeover of its own the original gives back what it is about to take (docs/interop.md).
      if (peer.kind === 'real' && scene.mode === 'on')
        await scene.lab.settled(scene.lab.allOn(peer.name), {words: {[node.name]: ['']}});
      await node.start();
      await scene.lab.settled(afterReturn(scene, peer));
    },
  };
}

/** Started again while the peer's takeover goes on. */
function restartWithinTakeover(role: Role): Case {
  return {
    name: `restart-within-takeover-${label[role]}`,
    modes: role === 'ours' ? ['off', 'legacy'] : every,
    run: async (scene) => {
      await startBoth(scene);
      const node = scene[role];
      const peer = other(scene, node);
      const [first = ''] = node.running();
      peer.inject(first, 'start', 'delay 2');
      await node.stop();
      await node.start();
      await scene.lab.settled(afterReturn(scene, peer));
    },
  };
}

/** A power cut after which the node is back before its peer noticed: nothing of it runs, and nobody took it over. */
function reboot(role: Role): Case {
  return {
    name: `reboot-quick-${label[role]}`,
    modes: every,
    options: backInTime,
    run: async (scene) => {
      await startBoth(scene);
      const node = scene[role];
      await node.powerCut();
      await node.start();
      await scene.lab.settled(scene.lab.home());
    },
  };
}

/** The daemon alone dies and is started again within deadtime; its resources run on. */
function killDaemon(role: Role): Case {
  return {
    name: `kill9-${label[role]}-restarted`,
    modes: every,
    options: backInTime,
    run: async (scene) => {
      await startBoth(scene);
      await scene[role].killDaemon();
      await scene[role].start();
      await scene.lab.settled(scene.lab.home());
    },
  };
}

/** The daemon alone dies for good: without STONITH nobody stops what runs there, so the node is switched off then. */
function killForGood(role: Role): Case {
  return {
    name: `kill9-${label[role]}`,
    modes: every,
    mayOverlap: 'a dead daemon stops nothing and no fencing is configured',
    run: async (scene) => {
      const {lab} = scene;
      await startBoth(scene);
      const victim = scene[role];
      const survivor = other(scene, victim);
      await victim.killDaemon();
      const everything = lab.allOn(survivor.name)[survivor.name];
      await until(() => survivor.running().join(' ') === everything, {timeoutMs: 20_000, what: () => 'no takeover'});
      await victim.powerCut();
      await lab.settled(lab.allOn(survivor.name), {words: {[victim.name]: ['']}});
      await victim.start();
      await lab.settled(afterReturn(scene, survivor));
    },
  };
}

export const life: readonly Case[] = [
  startTogether,
  ...roles.flatMap((role) => [
    startFirst(role),
    crash(role),
    stop(role),
    quickRestart(role),
    restartWithinTakeover(role),
    reboot(role),
  ]),
  stopBoth,
  ...roles.flatMap((role) => [killDaemon(role), killForGood(role)]),
];

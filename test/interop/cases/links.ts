// Links cut and healed, and silences around deadtime.

import {type Case, every, pastDeadtimeMs, pause, startBoth} from '../case.js';
import {deadtimeMs} from '../lab.js';

const oneCut: Case = {
  name: 'cut-one',
  modes: every,
  run: async (scene) => {
    await startBoth(scene);
    for (const link of ['eth0', 'eth1'] as const) {
      await scene.lab.cut(link);
      await pause(pastDeadtimeMs);
      await scene.lab.settled(scene.lab.home());
      await scene.lab.heal(link);
      await pause(500);
    }
    await scene.lab.settled(scene.lab.home());
  },
};

const shortCut: Case = {
  name: 'cut-both-short',
  modes: every,
  run: async (scene) => {
    await startBoth(scene);
    await scene.lab.cut('eth0', 'eth1');
    // On a busy machine cutting and healing take half a second themselves.
    await pause(deadtimeMs - 1000);
    await scene.lab.heal('eth0', 'eth1');
    await pause(1500);
    await scene.lab.settled(scene.lab.home());
  },
};

/** The real node restarts itself after the heal, ours keeps serving; then it is as if the real one had come back. */
const bothCut: Case = {
  name: 'cut-both',
  modes: every,
  mayOverlap: 'all links are cut and no fencing is configured',
  run: async (scene) => {
    await startBoth(scene);
    const {lab, ours, mode} = scene;
    await lab.cut('eth0', 'eth1');
    await pause(pastDeadtimeMs + 1500);
    await lab.heal('eth0', 'eth1');
    await pause(3000);
    await lab.settled(mode === 'off' ? lab.allOn(ours.name) : lab.home(), {withinMs: 40_000});
  },
};

/** Silence just beyond deadtime: seen as death by one side, both or none. The real one may restart itself. */
function late(ms: number): Case {
  return {
    name: `late-${ms}`,
    modes: every,
    mayOverlap: 'both links are silent for longer than deadtime and no fencing is configured',
    run: async (scene) => {
      await startBoth(scene);
      await scene.lab.cut('eth0', 'eth1');
      await pause(ms);
      await scene.lab.heal('eth0', 'eth1');
      await pause(6000);
      await scene.lab.settledAny({withinMs: 40_000});
    },
  };
}

/** All processes of a node stand still for a while. */
function frozen(role: 'ours' | 'theirs', ms: number): Case {
  return {
    name: `pause-${role === 'ours' ? 'ours' : 'real'}-${ms}`,
    modes: every,
    mayOverlap: 'a node pauses for longer than deadtime and no fencing is configured',
    run: async (scene) => {
      await startBoth(scene);
      await scene[role].freeze();
      await pause(ms);
      await scene[role].thaw();
      await pause(6000);
      await scene.lab.settledAny({withinMs: 40_000});
    },
  };
}

export const linkCases: readonly Case[] = [
  oneCut,
  shortCut,
  bothCut,
  late(1450),
  late(1650),
  frozen('ours', 1000),
  frozen('theirs', 1000),
  frozen('ours', 1600),
  frozen('theirs', 1600),
  frozen('ours', 4000),
  frozen('theirs', 4000),
];

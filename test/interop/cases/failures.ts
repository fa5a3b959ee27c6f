// Scripts that fail, hang or take long, and nodes that die or stop in the middle of a move.

import {type Case, label, nice, other, pause, type Role, startBoth} from '../case.js';
import type {InteropNode} from '../node.js';

/** The node's own group: its resources in order. */
function own(node: InteropNode): {readonly first: string; readonly last: string} {
  return node.name === 'n1' ? {first: 'A', last: 'A2'} : {first: 'B', last: 'B'};
}

/** Ours offers the group that failed to the real node, which runs it. */
const startFailsHere: Case = {
  name: 'start-fails-ours',
  modes: nice,
  run: async (scene) => {
    const {lab, ours, theirs} = scene;
    ours.inject(own(ours).last, 'start', 'fail');
    await Promise.all(lab.nodes.map((node) => node.start()));
    await lab.settled(lab.allOn(theirs.name));
    ours.cure();
    await theirs.standby('foreign');
    await lab.settled(lab.home(), {withinMs: 15_000});
  },
};

/**
 * The real node says it holds a group whose start failed, and 30 s later offers the wrong one (resource-engine.md 3.6):
 * the group runs nowhere until an operator asks for it. Then ours runs it.
 */
const startFailsThere: Case = {
  name: 'start-fails-real',
  modes: nice,
  run: async (scene) => {
    const {lab, ours, theirs} = scene;
    theirs.inject(own(theirs).last, 'start', 'fail');
    await Promise.all(lab.nodes.map((node) => node.start()));
    await theirs.called(`${own(theirs).first} stop`, 1, 30_000);
    const stranded = {...lab.home(), [theirs.name]: ''};
    await lab.settled(stranded, {words: {[theirs.name]: ['local']}});
    await ours.takeover('foreign');
    await lab.settled(lab.allOn(ours.name), {withinMs: 15_000});
    theirs.cure();
    await ours.standby('foreign');
    await lab.settled(lab.home(), {withinMs: 15_000});
  },
};

/** The taker of a crash cannot start the dead node's group: tried again, and served once it can be. */
const takeoverFails: Case = {
  name: 'takeover-start-fails-ours',
  modes: nice,
  run: async (scene) => {
    const {lab, ours, theirs} = scene;
    await startBoth(scene);
    ours.inject(own(theirs).first, 'start', 'fail');
    await theirs.powerCut();
    await ours.called(`${own(theirs).first} start failed`);
    await pause(1000);
    ours.cure();
    await lab.settled(lab.allOn(ours.name), {words: {[theirs.name]: ['']}, withinMs: 40_000});
  },
};

const startHangs: Case = {
  name: 'start-hangs-ours',
  modes: nice,
  options: {systoleConf: '[timeouts]\nstart = 2s\n[resources]\nmonitor-interval = 0\nkill-delay = 500ms\n'},
  run: async (scene) => {
    const {lab, ours, theirs} = scene;
    ours.inject(own(ours).first, 'start', 'hang');
    await Promise.all(lab.nodes.map((node) => node.start()));
    await lab.settled(lab.allOn(theirs.name));
  },
};

/** A stop that fails at first delays the move, and nothing else. */
function stopFailsOnce(role: Role): Case {
  return {
    name: `stop-fails-at-first-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const giver = scene[role];
      giver.inject(own(giver).first, 'stop', 'fail');
      await giver.standby('all');
      await giver.called(`${own(giver).first} stop failed`);
      giver.cure();
      await scene.lab.settled(scene.lab.allOn(other(scene, giver).name));
    },
  };
}

/** The real node reboots when a stop fails eleven times; its groups are taken over after its dead time. */
const stopFailsThere: Case = {
  name: 'stop-fails-real-reboots',
  modes: ['off'],
  run: async (scene) => {
    await startBoth(scene);
    const {lab, ours, theirs} = scene;
    theirs.inject(own(theirs).first, 'stop', 'fail');
    await theirs.standby('local');
    await theirs.called(`${own(theirs).first} stop failed`, 11, 20_000);
    theirs.cure();
    await lab.settled(lab.allOn(ours.name), {words: {[theirs.name]: ['']}});
    await theirs.start();
    await lab.settled(lab.allOn(ours.name));
  },
};

/** A stop that goes on failing here: the group stays with us, blocked, and nobody else starts it. */
const stopFailsHere: Case = {
  name: 'stop-fails-ours-blocked',
  modes: ['off'],
  options: {systoleConf: '[resources]\nmonitor-interval = 0\nstop-retries = 1\nstop-retry-delay = 200ms\n'},
  run: async (scene) => {
    await startBoth(scene);
    const {lab, ours, theirs} = scene;
    ours.inject(own(ours).first, 'stop', 'fail');
    await ours.beginStop();
    await ours.called(`${own(ours).first} stop failed`, 2);
    await pause(4000);
    if (theirs.running().includes(own(ours).first)) throw new Error('the peer started what cannot be stopped here');
    ours.cure();
    await ours.machine.run('/bin/true');
    await lab.settled(lab.allOn(theirs.name), {words: {[ours.name]: ['']}, withinMs: 45_000});
  },
};

function standbyInFlux(role: Role): Case {
  return {
    name: `standby-in-flux-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await Promise.all(scene.lab.nodes.map((node) => node.start()));
      await pause(3000);
      const outcome = await scene[role].standby('all');
      if (role === 'ours' && outcome.code === 0) throw new Error('hb_standby in flux must be refused by ours');
      await scene.lab.settled(scene.lab.home());
    },
  };
}

/** Both at once: at most one of the moves is made. */
const concurrent: Case = {
  name: 'standby-from-both',
  modes: nice,
  run: async (scene) => {
    await startBoth(scene);
    await Promise.all(scene.lab.nodes.map((node) => node.standby('all')));
    await pause(1500);
    await scene.lab.settledAny({withinMs: 25_000});
  },
};

/** The giver's power is cut while its stop script runs. */
function giverDies(role: Role): Case {
  return {
    name: `giver-dies-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const giver = scene[role];
      giver.inject(own(giver).first, 'stop', 'delay 5');
      await giver.standby('all');
      await giver.called(`${own(giver).first} stop`);
      await pause(300);
      await giver.powerCut();
      giver.cure();
      const taker = other(scene, giver);
      await scene.lab.settled(scene.lab.allOn(taker.name), {words: {[giver.name]: ['']}});
    },
  };
}

function takerDiesStarting(role: Role): Case {
  return {
    name: `taker-dies-starting-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const taker = scene[role];
      const giver = other(scene, taker);
      taker.inject(own(giver).first, 'start', 'delay 5');
      await giver.standby('all');
      await taker.called(`${own(giver).first} start`);
      await pause(300);
      await taker.powerCut();
      taker.cure();
      await scene.lab.settled(scene.lab.allOn(giver.name), {words: {[taker.name]: ['']}});
    },
  };
}

/** Our node takes, and dies while the real one still stops: the real one's own defect strands its group (2.13). */
const takerDiesGiverStops: Case = {
  name: 'taker-dies-while-real-stops',
  modes: nice,
  run: async (scene) => {
    await startBoth(scene);
    const {lab, ours, theirs} = scene;
    theirs.inject(own(theirs).first, 'stop', 'delay 4');
    await theirs.standby('local');
    await theirs.called(`${own(theirs).first} stop`);
    await pause(300);
    await ours.powerCut();
    await theirs.called(`${own(theirs).first} DOWN`);
    theirs.cure();
    await pause(2000);
    await ours.start();
    const stranded = own(theirs).first;
    await pause(14_000);
    if (!theirs.running().includes(stranded)) {
      lab.note(`the real daemon reports ${await theirs.word()} and runs ${theirs.running().join(' ') || 'nothing'}`);
      await ours.takeover('all');
      await lab.settled(lab.allOn(ours.name), {withinMs: 15_000});
    } else await lab.settledAny();
  },
};

const takerDiesOursStops: Case = {
  name: 'taker-dies-while-ours-stops',
  modes: nice,
  run: async (scene) => {
    await startBoth(scene);
    const {lab, ours, theirs} = scene;
    ours.inject(own(ours).first, 'stop', 'delay 4');
    await ours.standby('local');
    await ours.called(`${own(ours).first} stop`);
    await pause(300);
    await theirs.powerCut();
    await ours.called(`${own(ours).first} DOWN`);
    ours.cure();
    await lab.settled(lab.allOn(ours.name), {words: {[theirs.name]: ['']}});
  },
};

/** A graceful stop asked for while a move is under way. */
function stopDuringStandby(role: Role): Case {
  return {
    name: `stop-during-standby-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const giver = scene[role];
      giver.inject(own(giver).first, 'stop', 'delay 2');
      await giver.standby('all');
      await giver.called(`${own(giver).first} stop`);
      await giver.stop();
      const taker = other(scene, giver);
      await scene.lab.settled(scene.lab.allOn(taker.name), {words: {[giver.name]: ['']}});
    },
  };
}

/** A graceful stop of the taker while it starts what it is given. */
function takerStops(role: Role): Case {
  return {
    name: `taker-stops-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const taker = scene[role];
      const giver = other(scene, taker);
      taker.inject(own(giver).first, 'start', 'delay 2');
      await giver.standby('all');
      await taker.called(`${own(giver).first} start`);
      await taker.stop();
      await scene.lab.settled(scene.lab.allOn(giver.name), {words: {[taker.name]: ['']}});
    },
  };
}

export const failures: readonly Case[] = [
  startFailsHere,
  startFailsThere,
  takeoverFails,
  startHangs,
  stopFailsOnce('ours'),
  stopFailsOnce('theirs'),
  stopFailsThere,
  stopFailsHere,
  standbyInFlux('ours'),
  standbyInFlux('theirs'),
  concurrent,
  giverDies('ours'),
  giverDies('theirs'),
  takerDiesStarting('ours'),
  takerDiesStarting('theirs'),
  takerDiesGiverStops,
  takerDiesOursStops,
  stopDuringStandby('ours'),
  stopDuringStandby('theirs'),
  takerStops('ours'),
  takerStops('theirs'),
];

// Planned moves: hb_standby and hb_takeover in every scope, from either side.

import {type Case, label, nice, type Role, type Scene, startBoth} from '../case.js';
import type {InteropNode, Scope} from '../node.js';

interface Move {
  readonly who: 'actor' | 'other';
  readonly command: 'standby' | 'takeover';
  readonly scope: Scope;
  /** Where everything is then: all on one node, or home. */
  readonly end: 'actor' | 'other' | 'home';
}

/** From home through every scope of hb_standby and back, as seen by the actor. */
const standbys: readonly Move[] = [
  {who: 'actor', command: 'standby', scope: 'all', end: 'other'},
  {who: 'other', command: 'standby', scope: 'foreign', end: 'home'},
  {who: 'actor', command: 'standby', scope: 'local', end: 'other'},
  {who: 'other', command: 'standby', scope: 'failback', end: 'home'},
  {who: 'other', command: 'standby', scope: 'local', end: 'actor'},
  {who: 'actor', command: 'standby', scope: 'foreign', end: 'home'},
];

const takeovers: readonly Move[] = [
  {who: 'actor', command: 'takeover', scope: 'foreign', end: 'actor'},
  {who: 'other', command: 'takeover', scope: 'local', end: 'home'},
  {who: 'actor', command: 'takeover', scope: 'all', end: 'actor'},
  {who: 'actor', command: 'standby', scope: 'foreign', end: 'home'},
  {who: 'other', command: 'takeover', scope: 'all', end: 'other'},
  {who: 'actor', command: 'takeover', scope: 'local', end: 'home'},
  {who: 'other', command: 'takeover', scope: 'foreign', end: 'other'},
];

function moves(role: Role, kind: 'standby' | 'takeover'): Case {
  return {
    name: `${kind}-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const [actor, other] = role === 'ours' ? [scene.ours, scene.theirs] : [scene.theirs, scene.ours];
      for (const move of kind === 'standby' ? standbys : takeovers) await perform(scene, move, {actor, other});
    },
  };
}

async function perform(scene: Scene, move: Move, nodes: {actor: InteropNode; other: InteropNode}): Promise<void> {
  const {lab} = scene;
  const node = nodes[move.who];
  await (move.command === 'standby' ? node.standby(move.scope) : node.takeover(move.scope));
  await lab.settled(move.end === 'home' ? lab.home() : lab.allOn(nodes[move.end].name), {withinMs: 15_000});
}

/** Between two real nodes `failback` means everything; as soon as one of them is ours it means what it says. */
function takeoverFailback(role: Role): Case {
  return {
    name: `takeover-failback-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const [actor, other] = role === 'ours' ? [scene.ours, scene.theirs] : [scene.theirs, scene.ours];
      await actor.standby('all');
      await scene.lab.settled(scene.lab.allOn(other.name), {withinMs: 15_000});
      await actor.takeover('failback');
      const isAsSaid = actor.kind === 'real' && other.kind === 'real';
      const end = isAsSaid ? scene.lab.allOn(actor.name) : scene.lab.home();
      await scene.lab.settled(end, {withinMs: 15_000});
    },
  };
}

export const planned: readonly Case[] = [
  moves('ours', 'standby'),
  moves('theirs', 'standby'),
  moves('ours', 'takeover'),
  moves('theirs', 'takeover'),
  takeoverFailback('ours'),
  takeoverFailback('theirs'),
];

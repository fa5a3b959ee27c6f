// What a case of the mixed cluster is: what happens to the cluster, and how it must end. Each case runs in both roles
// (our node is n1, our node is n2) and in several modes of auto_failback. After its own steps every case is audited:
// nothing may have run on two nodes at once unless the case says why that cannot be helped.

import assert from 'node:assert/strict';
import {type ClusterOptions, deadtimeMs, type InteropLab, type Layout, type Mode} from './lab.js';
import type {InteropNode} from './node.js';

export interface Scene {
  readonly lab: InteropLab;
  /** The node under test and the real one. */
  readonly ours: InteropNode;
  readonly theirs: InteropNode;
  readonly n1: InteropNode;
  readonly n2: InteropNode;
  readonly mode: Mode;
}

export type Role = 'ours' | 'theirs';
/** How the roles are called in names of cases. */
export const label = {ours: 'ours', theirs: 'real'} as const;
export const roles: readonly Role[] = ['ours', 'theirs'];

export function other(scene: Scene, node: InteropNode): InteropNode {
  return node === scene.ours ? scene.theirs : scene.ours;
}

export interface Case {
  readonly name: string;
  readonly modes: readonly Mode[];
  readonly options?: Partial<Omit<ClusterOptions, 'kinds' | 'mode'>>;
  /** A third node: `mixed`: real where ours is n1, else ours; `ours`: always ours. */
  readonly third?: 'mixed' | 'ours';
  /** Why two nodes may run one resource for a while here. */
  readonly mayOverlap?: string;
  run(scene: Scene): Promise<void>;
}

export const nice: readonly Mode[] = ['on', 'off'];
export const every: readonly Mode[] = ['on', 'off', 'legacy'];

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Both daemons start together; every group ends at home. */
export async function startBoth({lab}: Scene): Promise<void> {
  await Promise.all(lab.nodes.map((node) => node.start()));
  await lab.settled(lab.home());
}

/** Where the groups belong once `node` came back to a survivor that holds everything. */
export function afterReturn(scene: Scene, survivor: InteropNode): Layout {
  return scene.mode === 'off' ? scene.lab.allOn(survivor.name) : scene.lab.home();
}

/** Long enough for every death to have been declared and every takeover to have begun. */
export const pastDeadtimeMs = deadtimeMs + 1000;

/** Everything that a working cluster does, in short: a move there and back, a death, and a takeover. */
export async function round(scene: Scene): Promise<void> {
  const {lab, ours, theirs, mode} = scene;
  await startBoth(scene);
  if (mode !== 'legacy') {
    await ours.standby('all');
    await lab.settled(lab.allOn(theirs.name));
    await theirs.standby('foreign');
    await lab.settled(lab.home());
  }
  await theirs.powerCut();
  await lab.settled(lab.allOn(ours.name), {words: {[theirs.name]: ['']}});
}

/** Fails when anything was started or stopped since, or a node declared another dead. */
export function undisturbed(scene: Scene): () => void {
  const state = () => scene.lab.nodes.map((node) => node.calls().join('\n'));
  const deaths = () => scene.lab.nodes.map((node) => node.log().match(/node \S+ is dead/gi)?.length ?? 0);
  const before = {calls: state(), deaths: deaths()};
  return () => {
    assert.deepEqual(state(), before.calls, 'a resource was touched');
    assert.deepEqual(deaths(), before.deaths, 'a node was declared dead');
  };
}

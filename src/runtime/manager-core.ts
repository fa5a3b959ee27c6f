// What the manager's process needs of a core, so that tests can give it a small one of their own.

import type {Hold} from '../model/cluster.js';
import type {ClusterConfig} from '../model/config.js';
import type {ClusterStatus} from '../model/control.js';
import type {ManagerEffect, ManagerEvent} from '../model/manager.js';
import type {GroupsInForce} from '../model/resource.js';
import type {Now, Step} from '../model/time.js';

export interface SteppingCore<State> {
  start(config: ClusterConfig, now: Now, claims: GroupsInForce['claims']): Step<State, ManagerEffect>;
  step(state: State, event: ManagerEvent, now: Now): Step<State, ManagerEffect>;
  /** monoMs; Infinity: never. */
  wakeAt(state: State): number;
}

export interface ManagerCore<State> extends SteppingCore<State> {
  status(state: State, now: Now): ClusterStatus;
  rscstatus(state: State): Hold | 'transition';
}

/** Loaded when needed: the pid file and the sockets come first. */
export async function loadManagerCore(): Promise<ManagerCore<unknown>> {
  const core = await import('../core/step.js');
  const typed: ManagerCore<import('../core/step.js').ManagerState> = {
    start: core.startManager,
    step: core.stepManager,
    wakeAt: core.wakeAt,
    status: core.readStatus,
    rscstatus: core.readRscstatus,
  };
  // The process hands back exactly the states that the core made, so their type need not be known there.
  return typed as unknown as ManagerCore<unknown>;
}

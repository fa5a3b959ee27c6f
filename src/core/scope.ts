// Which groups a standby scope means. The scope is always from the giver's point of view.

import {mirror, type StandbyScope} from '../model/cluster.js';
import {classOf, type Draft} from './draft.js';
import type {GroupState, Standby} from './state.js';

export function inScope(draft: Draft, group: GroupState, standby: Pick<Standby, 'role' | 'scope'>): boolean {
  const scope = standby.role === 'giver' ? standby.scope : mirror(standby.scope);
  return scope === 'all' || scope === classOf(draft, group);
}

export function readScope(word: string | undefined): StandbyScope {
  return word === 'local' || word === 'foreign' ? word : 'all';
}

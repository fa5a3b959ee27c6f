// Which two nodes the resources belong to. R1 knows a pair: with a third node in ha.cf, which the real daemon allows, both
// survivors of a death would start the same groups. So a node outside the pair only watches: it has no groups and says
// nothing of holdings, which a peer would take for those of its partner.

import type {ClusterConfig} from '../model/config.js';
import type {ResourceGroup} from '../model/resource.js';
import type {ManagerState} from './state.js';

/** The nodes that are home of any group, filled up with the others, in ha.cf order. */
function pairOf({ha, groups}: ClusterConfig): readonly string[] {
  const isHomeOfAny = (node: string) => groups.some((group) => group.home === node);
  return [...ha.nodes.filter(isHomeOfAny), ...ha.nodes.filter((node) => !isHomeOfAny(node))].slice(0, 2);
}

export function partnerOf(config: ClusterConfig): string | undefined {
  const pair = pairOf(config);
  return pair.includes(config.ha.node) ? pair.find((node) => node !== config.ha.node) : undefined;
}

/** The groups that may run on this node. */
export function groupsHere(config: ClusterConfig): readonly ResourceGroup[] {
  return pairOf(config).includes(config.ha.node) ? config.groups : [];
}

/** This node is not of the pair. */
export function isObserver({config, self}: Pick<ManagerState, 'config' | 'self'>): boolean {
  return !pairOf(config).includes(self);
}

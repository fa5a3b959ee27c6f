// What the client API answers from: the core's picture of the cluster, completed by what only the edge knows (uuids as they came
// over the wire, the links of this node, the order of ha.cf). Pure.

import type {Hold} from '../model/cluster.js';
import type {HaConfig} from '../model/config.js';
import type {ClusterStatus} from '../model/control.js';
import type {ApiView} from './client-api-requests.js';
import type {Uuids} from './client-api-uuids.js';
import {linkNames} from './links/plan.js';

export interface ClusterPicture {
  readonly status: ClusterStatus;
  readonly rscstatus: Hold | 'transition';
}

export function apiViewOf(picture: ClusterPicture, ha: HaConfig, uuids: Uuids): ApiView {
  const order = linkNames(ha.media);
  const nodes = picture.status.nodes.map((node) => {
    if (node.type !== 'normal') return node;
    // This node does not listen to itself. The real daemon lists its links all the same, and always as dead.
    if (node.name === ha.node) return {...node, links: order.map((name) => ({name, status: 'dead' as const}))};
    const rank = (name: string): number => (order.indexOf(name) + order.length + 1) % (order.length + 1);
    return {...node, links: [...node.links].sort((one, other) => rank(one.name) - rank(other.name))};
  });
  return {node: ha.node, nodes, uuids: uuids.of(nodes)};
}

/** The parameters that `hbparameter` knows: `env` lines are no parameters there. */
export function apiParameters(ha: HaConfig): Readonly<Record<string, string>> {
  const parameters = Object.entries(ha.parameters).filter(([name]) => !Object.hasOwn(ha.env, name));
  return {crm: 'false', debug: String(ha.debug), ...Object.fromEntries(parameters)};
}

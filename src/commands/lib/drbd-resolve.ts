// What `systole drbd resolve` asks around before it judges: who holds the device here, and whether a group of the cluster uses it.

import {resourceOf} from '../../config/haresources.js';
import type {Report} from '../../drbd/describe.js';
import {type Refusal, refusalToResolve} from '../../drbd/resolve-check.js';
import type {View} from '../../drbd/view.js';
import type {ClusterStatus} from '../../model/control.js';
import {diskOf} from '../../model/disk.js';
import {holdersOf} from '../../runtime/drbd/holders.js';
import {ask} from './daemon.js';

export interface ResolveQuestion {
  readonly report: Report;
  readonly ours: View;
  readonly theirs: View | undefined;
  readonly discard: string;
  readonly peerGi: string | undefined;
  readonly kernelLog: string;
}

export async function mayResolve(question: ResolveQuestion): Promise<Refusal | undefined> {
  const {report, ...rest} = question;
  const {resource, node, state} = report;
  const holders = (state?.volumes ?? []).flatMap(({minor}) => (minor === undefined ? [] : holdersOf(minor)));
  const groups = await groupsHere(resource);
  return refusalToResolve({...rest, resource, node, state, holders: holders.map(({text}) => text), groups});
}

/** Without a daemon no group runs here. */
async function groupsHere(resource: string): Promise<readonly string[]> {
  const reply = await ask({command: 'status'});
  return reply.ok && reply.status ? groupsUsing(resource, reply.status) : [];
}

/** A group that is stopped or only tried elsewhere is in nobody's way. */
export function groupsUsing(resource: string, {groups, node}: ClusterStatus): readonly string[] {
  const isActive = (state: string): boolean => state === 'running' || state === 'starting' || state === 'stopping';
  const isOf = (word: string): boolean => ['all', resource].includes(diskOf(resourceOf(word)) ?? '');
  return groups
    .filter((group) => group.owner === node || isActive(group.state))
    .filter((group) => group.resources.some(({word}) => isOf(word)))
    .map(({key}) => key);
}

// What `systole drbd resolve` asks around before it judges: who holds the device here, and whether a group of the cluster uses it.

import type {Report} from '../../drbd/describe.js';
import {type Refusal, refusalToResolve} from '../../drbd/resolve-check.js';
import type {View} from '../../drbd/view.js';
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

/** Without a daemon no group runs here; a group that is stopped or only tried elsewhere is in nobody's way. */
async function groupsHere(resource: string): Promise<readonly string[]> {
  const reply = await ask({command: 'status'});
  if (!reply.ok || !reply.status) return [];
  const {groups, node} = reply.status;
  const isActive = (state: string): boolean => state === 'running' || state === 'starting' || state === 'stopping';
  return groups
    .filter((group) => group.owner === node || isActive(group.state))
    .filter((group) => group.resources.some(({word}) => word === `drbddisk::${resource}` || word === 'drbddisk::all'))
    .map(({key}) => key);
}

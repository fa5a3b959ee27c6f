// What the `systole drbd` commands share: this node's name, and the resources that drbd.conf gives it.

import {hostname} from 'node:os';
import type {DrbdTools} from '../../runtime/drbd/tools.js';
import {EXIT, Exit} from './program.js';

export function nodeHere(): string {
  return (process.env['HA_CURHOST'] ?? hostname()).toLowerCase();
}

export async function resourcesHere(tools: DrbdTools, only?: string): Promise<readonly string[]> {
  const resources = await tools.resources();
  if (resources.length === 0)
    throw new Exit(
      EXIT.unconfigured,
      'systole drbd: drbd.conf gives this node no resource, or drbdadm does not work\n    hint: drbdadm sh-resources; `on NAME` in drbd.conf must be the output of uname -n',
    );
  if (only === undefined) return resources;
  if (!resources.includes(only))
    throw new Exit(
      EXIT.usage,
      `systole drbd: ${only} is not a resource of this node\n    hint: there is ${resources.join(', ')}`,
    );
  return [only];
}

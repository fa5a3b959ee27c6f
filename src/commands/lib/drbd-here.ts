// What the `systole drbd` commands share: this node's name, the resources that drbd.conf gives it, and what it lacks for them.

import {hostname} from 'node:os';
import type {Diagnostic} from '../../model/config.js';
import {confQuestion} from '../../runtime/disks.js';
import {confWarnings} from '../../runtime/drbd/conf-warnings.js';
import type {DrbdTools} from '../../runtime/drbd/tools.js';
import {loadConfig} from '../../runtime/load-config.js';
import {EXIT, Exit, paths} from './program.js';

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

/** Of those that haresources names, too. A configuration with errors judges nothing: `systole check` names them. */
export async function warningsHere(tools: DrbdTools, resources: readonly string[]): Promise<readonly Diagnostic[]> {
  const {config} = loadConfig(paths(), process.env);
  if (!config) return [];
  const question = confQuestion(config);
  const isNamed = (resource: string): boolean => question.names.includes(resource) || question.names.includes('all');
  return confWarnings(tools, {...question, names: resources.filter(isNamed)});
}

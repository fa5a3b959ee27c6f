// Takes this node down at once, as failfast clients and the `reboot` rule for failed stops demand. Only a daemon in the default
// run directory owns the machine: one that runs elsewhere (a test, a demo, a second instance in a namespace) shares it with
// others and must never reboot it, so there this process group is killed instead, which is as silent to the peer.
// SYSTOLE_REBOOT names another command.

import {spawn} from 'node:child_process';
import type {Paths} from '../model/paths.js';

export interface RebootPlan {
  /** undefined: no reboot, kill ourselves. */
  readonly command: readonly string[] | undefined;
}

export function rebootPlan(paths: Paths, env: Readonly<Record<string, string | undefined>>): RebootPlan {
  const own = env['SYSTOLE_REBOOT'];
  if (own !== undefined && own !== '') return {command: ['/bin/sh', '-c', own]};
  return {command: paths.runDir === '/run/heartbeat' ? ['reboot', '-nf'] : undefined};
}

/** Does not wait: after it the caller stops feeding anything and exits. */
export function startReboot(plan: RebootPlan): void {
  if (plan.command === undefined) return;
  const [path = '', ...args] = plan.command;
  const child = spawn(path, args, {detached: true, stdio: 'ignore', cwd: '/'});
  child.on('error', () => {});
  child.unref();
}

// `heartbeat -k`: SIGTERM, then wait until the daemon is gone. There is no limit on purpose: giving up would tell an init
// script that resources are released while they still run. A person at a terminal sees what is being waited for.

import {readFileSync} from 'node:fs';
import type {ClusterStatus} from '../../model/control.js';
import {ask, findDaemon} from './daemon.js';
import {EXIT, Exit} from './program.js';

const POLL_MS = 20;
const TELL_MS = 3000;
const NO_PERMISSION = 4;

export async function stopDaemon(): Promise<number> {
  const found = findDaemon();
  if (found.state !== 'running') {
    process.stderr.write('INFO: Heartbeat already stopped.\n');
    return EXIT.ok;
  }
  try {
    process.kill(found.pid, 'SIGTERM');
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'EPERM') throw new Exit(NO_PERMISSION, `ERROR: no permission to stop heartbeat [pid ${found.pid}]`);
    if (code !== 'ESRCH') throw error;
  }
  await untilGone(found.pid);
  return EXIT.ok;
}

async function untilGone(pid: number): Promise<void> {
  let tellAt = performance.now() + TELL_MS;
  for (;;) {
    const now = findDaemon();
    // Another pid means that ours is gone and somebody started heartbeat again. Without a pid file the process may
    // still be on its way out, so the process itself is looked at too.
    if ((now.state !== 'running' || now.pid !== pid) && !exists(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (!process.stderr.isTTY || performance.now() < tellAt) continue;
    tellAt = performance.now() + TELL_MS;
    const reply = await ask({command: 'status'}, 1000);
    process.stderr.write(`waiting for heartbeat [pid ${pid}]: ${reply.ok ? whatRuns(reply.status) : reply.text}\n`);
  }
}

/** False for a zombie: it runs nothing, only its parent has not looked yet. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !/^\d+ \(.*\) [ZX]/s.test(readStat(pid));
}

function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return '';
  }
}

function whatRuns(status: ClusterStatus | undefined): string {
  const busy = status?.groups.filter((group) => group.activity !== undefined) ?? [];
  if (busy.length > 0) return busy.map((group) => `${group.key}: ${group.activity}`).join(', ');
  const held = status?.groups.filter((group) => group.owner === status.node).map((group) => group.key) ?? [];
  return held.length > 0 ? `still holds ${held.join(', ')}` : 'all groups are released';
}

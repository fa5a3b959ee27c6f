// `heartbeat -k`: SIGTERM, then wait until the daemon is gone. There is no limit on purpose: giving up would tell an init
// script that resources are released while they still run. A manager that dies meanwhile is replaced by its messaging process,
// and its successor is told the same. A person at a terminal sees what is being waited for.

import {readFileSync} from 'node:fs';
import type {ClusterStatus} from '../../model/control.js';
import {livingMessaging} from '../../runtime/messaging-pid.js';
import {ask, findDaemon, isUp} from './daemon.js';
import {EXIT, Exit, paths} from './program.js';

const POLL_MS = 20;
const TELL_MS = 3000;
const NO_PERMISSION = 4;

export async function stopDaemon(): Promise<number> {
  if (!isUp(findDaemon())) {
    process.stderr.write('INFO: Heartbeat already stopped.\n');
    return EXIT.ok;
  }
  let messaging: number | undefined;
  let told: number | undefined;
  let tellAt = performance.now() + TELL_MS;
  for (;;) {
    const found = findDaemon();
    // Without a pid file the process may still be on its way out, so the process itself is looked at too.
    const isToldGone = told === undefined || !exists(told);
    const now = livingMessaging(paths().messagingPidFile);
    if (told === undefined || !isToldGone) messaging = now;
    // Another daemon without the messaging process that we know is another start, and not ours to stop.
    const isSame = messaging !== undefined && now === messaging;
    if (isToldGone && !isSame && (told !== undefined || found.state !== 'running')) return EXIT.ok;
    if (isToldGone && found.state === 'running') {
      terminate(found.pid);
      told = found.pid;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (!process.stderr.isTTY || performance.now() < tellAt) continue;
    tellAt = performance.now() + TELL_MS;
    const reply = await ask({command: 'status'}, 1000);
    process.stderr.write(`waiting for heartbeat: ${reply.ok ? whatRuns(reply.status) : reply.text}\n`);
  }
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'EPERM') throw new Exit(NO_PERMISSION, `ERROR: no permission to stop heartbeat [pid ${pid}]`);
    if (code !== 'ESRCH') throw error;
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

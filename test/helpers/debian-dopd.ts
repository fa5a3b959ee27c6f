// Asking Debian's dopd to have a peer outdated, whatever its double free does to it: it mostly dies after a request that it
// answered, its daemon starts it again, and it takes requests only some time after it is signed on there.

import type {LabNode} from '../../src/lab/lab.js';
import {until} from '../../src/lab/wait.js';
import {libexec, online} from './clients-lab.js';

/** A dopd that did not die of a request in this time has survived it. */
const SURVIVES_MS = 5000;

/** Where drbd-peer-outdater connects to dopd; dopd listens there only some time after it is signed on at its daemon. */
const SOCKET = '/run/heartbeat/dopd/outdater';

/** Waits until dopd takes requests: one that comes between the sign-on and the socket ends with 5. */
async function listening({machine}: LabNode): Promise<void> {
  const isListening = async () => (await machine.exec(`grep -q ' 00010000 .* ${SOCKET}$' /proc/net/unix`)).code === 0;
  await until(isListening, {timeoutMs: 20_000, everyMs: 50, what: () => 'dopd does not listen for requests'});
}

export async function dopdPid({machine}: LabNode): Promise<string> {
  return (await machine.exec('pgrep -x dopd')).stdout.trim();
}

/** drbd-peer-outdater, Debian's or ours, as DRBD calls its fence-peer handler. */
export function helper(peer: string, directory = libexec): string {
  return `env DRBD_RESOURCE=r0 DRBD_PEER=${peer} ${directory}/drbd-peer-outdater`;
}

/** Runs a helper once dopd listens, and gives its exit code when dopd is ready for the next. */
export async function outdate(node: LabNode, command: string): Promise<number | undefined> {
  await online('dopd', node);
  await listening(node);
  const pid = await dopdPid(node);
  const {code} = await node.machine.exec(command, {timeoutMs: 30_000});
  const isAnother = async () => !['', pid].includes(await dopdPid(node));
  const what = () => `dopd is not back (it was process ${pid})`;
  try {
    await until(isAnother, {timeoutMs: SURVIVES_MS, everyMs: 50, what});
  } catch {
    // With a broken heap it would die of the next request, whose helper then says 5.
    await node.machine.exec(`kill -9 ${pid}`);
    await until(isAnother, {timeoutMs: 30_000, everyMs: 50, what});
  }
  return code;
}

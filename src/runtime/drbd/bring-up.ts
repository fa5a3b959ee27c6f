// At the manager's start, and for groups that a reload adds: the DRBD resources of its groups are brought up on this node,
// so that a standby that rebooted synchronises without anybody's hand. Never promotes, never forces, never discards. One
// resource after the other, in the background, every call with a bound; the agent does the same for itself when a group
// starts here. A resource that stands alone gets one attempt to connect: after a split brain DRBD drops the connection
// again, and then somebody has to decide whose data to keep, so it is left and said.

import {hasMet, type ResourceState} from '../../drbd/state.js';
import {type LogRecord, log} from '../../model/log.js';
import {secondAttemptMs, whyNotUp} from './disk.js';
import {type DrbdTools, reasonOf} from './tools.js';

export interface BringUpOptions {
  readonly tools: DrbdTools;
  readonly log: (record: LogRecord) => void;
  /** Known to be split, or under repair: connecting it is the administrator's business. */
  readonly isSplit: (resource: string) => boolean;
  /** After an attempt to connect, DRBD has shaken hands with a peer that is there. */
  readonly lookMs?: number;
  readonly pollMs?: number;
}

const TOOL_MS = 30_000;
const LOOK_MS = 8000;

export async function bringUpHere(resource: string, options: BringUpOptions): Promise<void> {
  const {tools} = options;
  const sight = await tools.read(resource);
  switch (sight.found) {
    case 'nothing':
      return warn(options, resource, `the state of ${resource} cannot be read: ${sight.why}`);
    case 'down':
      return bringUp(resource, options);
    case 'up':
      if (lacksDisk(sight.state)) return attach(resource, options);
      if (!standsAlone(sight.state)) return;
      return options.isSplit(resource) ? leaveSplit(resource, options) : connect(resource, options);
  }
}

function leaveSplit(resource: string, options: BringUpOptions): void {
  warn(options, resource, `${resource} stands alone after a split brain, and is left so: see systole drbd status`);
}

async function bringUp(resource: string, options: BringUpOptions): Promise<void> {
  const {tools} = options;
  options.log(log('info', 'DISK_UP', `${resource} is not up: running drbdadm up ${resource}`, {resource}));
  const exit = await tools.admAlone('up', resource, TOOL_MS);
  // An agent may have been faster.
  if (exit.code === 0 || (await tools.read(resource)).found === 'up') return;
  warn(options, resource, `cannot bring ${resource} up: ${whyNotUp(resource, exit)}`);
}

/** A Primary reads and writes its peer's disk at this moment: whatever adjust would change is the administrator's business. */
async function attach(resource: string, options: BringUpOptions): Promise<void> {
  options.log(
    log('info', 'DISK_ADJUST', `${resource} has no disk here: running drbdadm adjust ${resource}`, {resource}),
  );
  const exit = await options.tools.admAlone('adjust', resource, TOOL_MS);
  if (exit.code !== 0)
    warn(options, resource, `cannot attach the disk of ${resource}: ${whyNotUp(resource, exit, 'adjust')}`);
}

async function connect(resource: string, options: BringUpOptions): Promise<void> {
  const {tools} = options;
  const text = `${resource} stands alone: one attempt to connect it`;
  options.log(log('info', 'DISK_CONNECT', text, {resource}));
  const exit = await tools.adm(['connect', resource], TOOL_MS);
  if (exit.code !== 0) return warn(options, resource, `drbdadm connect ${resource}: ${reasonOf(exit)}`);
  const lookMs = options.lookMs ?? (await secondAttemptMs(resource, tools, LOOK_MS));
  const endMs = performance.now() + lookMs;
  while (performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, options.pollMs ?? 500));
    const sight = await tools.read(resource);
    if (sight.found !== 'up' || hasMet(sight.state)) return;
    if (!standsAlone(sight.state)) continue;
    const why = `${resource} stands alone again after an attempt to connect, and is left so: nothing is replicated. Probably both nodes were Primary apart from each other (split brain): see systole drbd status`;
    return warn(options, resource, why);
  }
}

function lacksDisk(state: ResourceState): boolean {
  if (state.role === 'Primary') return false;
  return state.volumes.length === 0 || state.volumes.some((volume) => volume.disk === 'Diskless');
}

/** StandAlone; 8.4 shows no peer at all then. */
function standsAlone(state: ResourceState): boolean {
  return state.peers.every((peer) => peer.connection === 'StandAlone');
}

function warn(options: BringUpOptions, resource: string, text: string): void {
  options.log(log('WARN', 'DISK_NOT_UP', text, {resource}));
}

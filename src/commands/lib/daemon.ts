// How the programs speak to whatever heartbeat runs here: ours through its control socket, a real one through its FIFO.
// Promises an answer within the time given, and one exit status for each kind of failure.

import {readlinkSync} from 'node:fs';
import {basename} from 'node:path';
import {askDaemon} from '../../control/client.js';
import type {ControlReply, ControlRequest} from '../../model/control.js';
import {livingMessaging} from '../../runtime/messaging-pid.js';
import {isRunningHeartbeat, readPidFile} from '../../runtime/pid-file.js';
import {writeFifo} from './fifo.js';
import {EXIT, Exit, paths} from './program.js';

const ANSWER_MS = 5000;

export type Running =
  | {readonly state: 'stopped'}
  /** A pid file of a process that is gone. */
  | {readonly state: 'stale'; readonly pid: number}
  /** Its manager died, and its messaging process, of this pid, replaces it or releases the resources: not stopped. */
  | {readonly state: 'replacing'; readonly pid: number}
  | {readonly state: 'running'; readonly pid: number};

export function ask(request: ControlRequest, timeoutMs = ANSWER_MS): Promise<ControlReply> {
  return askDaemon(paths().controlSocket, request, {timeoutMs});
}

/** The exit status for a reply; see program.ts. */
export function statusOf(reply: ControlReply): number {
  if (reply.ok) return EXIT.ok;
  if (reply.code === 'NOT_RUNNING') return EXIT.notRunning;
  if (['NO_PERMISSION', 'NO_ANSWER', 'CONNECTION_LOST', 'BAD_ANSWER'].includes(reply.code)) return EXIT.unreachable;
  return EXIT.refused;
}

/** Ends the program when the reply is a refusal. */
export function orExit(reply: ControlReply, program: string): ControlReply & {readonly ok: true} {
  if (reply.ok) return reply;
  throw new Exit(statusOf(reply), explain(reply, program));
}

export function explain(reply: ControlReply & {readonly ok: false}, program: string): string {
  return `${program}: ${reply.text}${reply.hint === undefined ? '' : `\n    hint: ${reply.hint}`}`;
}

/**
 * Asks our daemon; where only a real heartbeat runs, writes the equivalent block to its FIFO. That one gives no answer,
 * so `reply` is undefined then.
 */
export async function askOrInject(
  request: ControlRequest,
  fields: Readonly<Record<string, string>>,
  program: string,
  question: () => Promise<ControlReply> = () => ask(request),
): Promise<(ControlReply & {readonly ok: true}) | undefined> {
  const reply = await question();
  if (reply.ok || reply.code !== 'NOT_RUNNING') return orExit(reply, program);
  const {fifo} = paths();
  const result = writeFifo(fifo, fields);
  if (result === 'written') return undefined;
  if (result === 'denied') throw new Exit(EXIT.unreachable, `${program}: ${fifo}: Permission denied`);
  if (result === 'full') throw new Exit(EXIT.unreachable, `${program}: heartbeat does not read ${fifo}`);
  if (result === 'invalid') throw new Exit(EXIT.usage, `${program}: unusable argument`);
  return orExit(reply, program);
}

export function findDaemon(): Running {
  const pid = readPidFile(paths().pidFile);
  if (pid !== undefined && isRunningHeartbeat(pid)) return {state: 'running', pid};
  const messaging = livingMessaging(paths().messagingPidFile);
  if (messaging !== undefined) return {state: 'replacing', pid: messaging};
  return pid === undefined ? {state: 'stopped'} : {state: 'stale', pid};
}

/** Somebody here may own resources. */
export function isUp(found: Running): found is Running & {readonly state: 'running' | 'replacing'} {
  return found.state === 'running' || found.state === 'replacing';
}

/**
 * Whether the running daemon is Heartbeat 3.0.6 itself: that one runs no agents, but calls ResourceManager, mach_down and
 * req_resource for it. Ours is a node program. In doubt it is ours, which nobody may work behind.
 */
export function isOriginalRunning(): boolean {
  const daemon = findDaemon();
  if (daemon.state !== 'running') return false;
  try {
    return basename(readlinkSync(`/proc/${daemon.pid}/exe`)) === 'heartbeat';
  } catch {
    return false;
  }
}

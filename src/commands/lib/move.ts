// hb_standby and hb_takeover are one program twice: which groups, ask, and perhaps wait until they have moved.

import type {StandbyScope} from '../../model/cluster.js';
import type {ClusterStatus, GroupStatus} from '../../model/control.js';
import {ask, askOrInject, orExit} from './daemon.js';
import {askWhenReady} from './move-disks.js';
import {calledAs, EXIT, Exit, stamp} from './program.js';

export type Direction = 'standby' | 'takeover';

export interface MoveRequest {
  readonly direction: Direction;
  readonly scope: StandbyScope;
  /** As the user wrote it; sent as it is to a daemon that is not ours. */
  readonly word: string;
  readonly wait: boolean;
  readonly timeoutMs: number;
}

/** What a look at the status says about the move. */
export type Progress =
  | {readonly done: true; readonly ok: boolean; readonly text: string}
  | {readonly done: false; readonly text: string};

export const SCOPES: Readonly<Record<string, StandbyScope>> = {
  all: 'all',
  foreign: 'foreign',
  local: 'local',
  failback: 'foreign',
};
const HELP = `With --wait: until the groups run there, at most 120 s or SECONDS. Disks that are being synchronised are waited for
first, and the progress is shown; without --wait the move is refused then.`;
const POLL_MS = 50;
const WAIT_MS = 120_000;

export function parseMove(direction: Direction, words: readonly string[]): MoveRequest {
  const rest: string[] = [];
  let wait = false;
  let timeoutMs = WAIT_MS;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const seconds = word === '--timeout' ? words[++at] : /^--timeout=(.*)$/.exec(word)?.[1];
    if (word === '--help') throw new Exit(EXIT.usage, `${usage()}\n${HELP}`);
    if (word === '--wait') wait = true;
    else if (word.startsWith('--timeout')) timeoutMs = milliseconds(seconds);
    else rest.push(word);
  }
  if (rest.length > 1) throw new Exit(EXIT.usage, `${calledAs()}: too many arguments\n${usage()}`);
  const word = rest[0] ?? 'all';
  const scope = Object.hasOwn(SCOPES, word) ? scopeOf(direction, word) : undefined;
  if (!scope) throw new Exit(EXIT.usage, `${calledAs()}: wrong resources(${word}).\n${usage()}`);
  return {direction, scope, word, wait, timeoutMs};
}

/** `failback` sends groups home: given, these are the foreign ones; taken, they are our own. */
function scopeOf(direction: Direction, word: string): StandbyScope | undefined {
  return direction === 'takeover' && word === 'failback' ? 'local' : SCOPES[word];
}

/** Resolves with the exit status; refusals and time-outs leave as Exit. */
export async function move(request: MoveRequest, program: string): Promise<number> {
  const {direction, scope} = request;
  const fields: Record<string, string> =
    direction === 'standby'
      ? {t: 'ask_resources', rsc_hold: scope, info: 'me'}
      : {t: 'hb_takeover', rsc_hold: request.word};
  const deadlineMs = performance.now() + request.timeoutMs;
  const wish = {command: direction, scope};
  const reply = await (request.wait
    ? askOrInject(wish, fields, program, () => askWhenReady({direction, scope}, deadlineMs, program))
    : askOrInject(wish, fields, program));
  if (direction === 'standby') process.stderr.write(`${stamp()} Going standby [${scope}].\n`);
  if (!request.wait) return EXIT.ok;
  if (!reply) throw new Exit(EXIT.usage, `${program}: --wait needs a Systole daemon; this heartbeat gives no answer`);
  process.stderr.write(`${await waitForMove({...request, timeoutMs: deadlineMs - performance.now()}, program)}\n`);
  return EXIT.ok;
}

/** Looks again and again until the groups in the scope have moved; the text says where they are. */
export async function waitForMove(
  request: Pick<MoveRequest, 'direction' | 'scope' | 'timeoutMs'>,
  program: string,
): Promise<string> {
  const deadline = performance.now() + request.timeoutMs;
  for (;;) {
    const remaining = deadline - performance.now();
    const reply = orExit(await ask({command: 'status'}, Math.max(1000, remaining)), program);
    const progress = judgeMove(request, reply.status);
    if (progress.done && progress.ok) return progress.text;
    if (progress.done) throw new Exit(EXIT.refused, `${program}: ${progress.text}`);
    if (remaining <= 0) throw new Exit(EXIT.timeout, `${program}: not finished in time: ${progress.text}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, remaining)));
  }
}

export function judgeMove(request: Pick<MoveRequest, 'direction' | 'scope'>, status?: ClusterStatus): Progress {
  if (!status) return {done: true, ok: false, text: 'the daemon gave no status'};
  const groups = status.groups.filter((group) => isInScope(group, request.scope, status.node));
  const moved = groups.filter((group) => hasMoved(group, request.direction, status.node));
  const rest = groups.filter((group) => !moved.includes(group));
  const busy = status.standby !== undefined || status.rscstatus === 'transition' || groups.some(isBusy);
  if (busy)
    return {done: false, text: [status.standby, ...groups.filter(isBusy).map(describe)].filter(Boolean).join(', ')};
  if (rest.length === 0) return {done: true, ok: true, text: moved.map(describe).join(', ') || 'no group to move'};
  return {done: true, ok: false, text: rest.map(describe).join(', ')};
}

function isInScope(group: GroupStatus, scope: StandbyScope, node: string): boolean {
  return scope === 'all' || (scope === 'local') === (group.home === node);
}

function hasMoved(group: GroupStatus, direction: Direction, node: string): boolean {
  if (direction === 'takeover') return group.owner === node && group.state === 'running';
  // Of a real peer only its holding is known, no state of a group.
  const runsThere = group.peerState === 'running' || group.peerState === undefined;
  return group.owner !== undefined && group.owner !== node && runsThere;
}

function isBusy(group: GroupStatus): boolean {
  const words: readonly (string | undefined)[] = [group.state, group.peerState];
  return words.includes('starting') || words.includes('stopping');
}

function describe(group: GroupStatus): string {
  const where = group.owner === undefined ? 'runs nowhere' : `is on ${group.owner}`;
  return `${group.key} ${where}${group.reason === undefined ? '' : ` (${group.reason})`}`;
}

function milliseconds(seconds: string | undefined): number {
  const value = Number(seconds);
  if (seconds === undefined || !(value > 0 && value <= 86_400)) {
    throw new Exit(EXIT.usage, `${calledAs()}: --timeout wants seconds, more than 0\n${usage()}`);
  }
  return value * 1000;
}

function usage(): string {
  return `usage:\n${calledAs()} [all|foreign|local|failback] [--wait [--timeout SECONDS]]`;
}

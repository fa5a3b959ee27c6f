// What drbddisk does: make a resource Primary here, or Secondary. Judges first (src/drbd/judge.ts), acts by drbdadm, looks
// again. Never forces. Waits are sized to the timers that DRBD has in force: a peer that lost its power is noticed by
// DRBD after them and not before. Promises: every refusal is explained on one line; every loop is bounded.

import {explainPromotion, judgePromotion, type Promotion} from '../../drbd/judge.js';
import {DEFAULT_SETTINGS, type DrbdSettings, noticeMs, settingsOf} from '../../drbd/show.js';
import {hasMet, type ResourceState} from '../../drbd/state.js';
import {newDiskText} from '../../drbd/words.js';
import {type Holder, holdersOf} from './holders.js';
import {type DrbdTools, reasonOf, refusalIn, type Sight, type ToolExit} from './tools.js';
import {isWhollyPrimary} from './wholly-primary.js';

export interface DiskOptions {
  readonly tools: DrbdTools;
  readonly info: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly holders?: (minor: number) => readonly Holder[];
  readonly procDrbd?: string;
  readonly pollMs?: number;
  /** Beyond DRBD's own timers, and how long a peer that comes up with us is waited for. */
  readonly slackMs?: number;
  readonly meetMs?: number;
  /** The state as it is to be judged; as DRBD says it where it is not given. */
  readonly judged?: (state: ResourceState) => ResourceState;
  /** From the first refusal of a demotion to SIGTERM, from there to SIGKILL, and from there to giving up. */
  readonly escalationMs?: {readonly patience: number; readonly term: number; readonly kill: number};
  readonly unmount?: (point: string) => Promise<boolean>;
}

/** exit: 0 done, 1 failed, 5 a program is missing. */
export interface DiskResult {
  readonly exit: 0 | 1 | 5;
  readonly text: string;
}

const TOOL_MS = 30_000;
/** drbdadm asks the fence-peer handler, which may wait for the peer's answer or its death. */
const PRIMARY_MS = 70_000;
/** A resource that we brought up finds its peer, if there is one, within a few round trips, or at DRBD's second attempt. */
const MEET_MS = 4000;
const AFTER_ATTEMPT_MS = 1000;
/** `connect-int` may be two minutes; no service waits that long for a peer that is probably dead. */
const ATTEMPT_MS_MAX = 30_000;

export async function promote(resource: string, options: DiskOptions): Promise<DiskResult> {
  const {tools} = options;
  const up = await bringUp(resource, options);
  if ('exit' in up) return up;
  const startedMs = performance.now();
  let sight: Sight = up;
  let settings: DrbdSettings | undefined;
  for (;;) {
    if (sight.found !== 'up') return failed(`cannot promote ${resource}: ${whyNot(sight, resource)}`);
    const isWhole = isWhollyPrimary(sight.state, options.procDrbd);
    if (isWhole === undefined) return askAgain(resource, tools);
    const judged = judgeRest(options.judged?.(sight.state) ?? sight.state, isWhole);
    if (judged.verdict === 'already') return done(`${resource} is Primary`);
    if (judged.verdict === 'refuse') return failed(explainPromotion(resource, judged));
    // Read only when there is something to wait for: the ordinary promotion is a matter of processes to start.
    if (judged.verdict === 'wait') settings ??= await settingsInForce(resource, tools);
    let last = explainPromotion(resource, judged);
    if (mayTry(judged, settings)) {
      const exit = await tools.adm(['primary', resource], PRIMARY_MS);
      // Believed only when it has been read back.
      if (exit.code === 0 && (await isPrimary(resource, options))) return done(`${resource} is Primary`);
      last = await explainRefusal(resource, exit, judged, sight.state, options);
      if (exit.missing || refusalIn(exit) === 'no-good-data') return failed(last);
    }
    settings ??= await settingsInForce(resource, tools);
    const patienceMs = noticeMs(settings ?? DEFAULT_SETTINGS) + (options.slackMs ?? 2000);
    if (performance.now() - startedMs >= patienceMs) return failed(last);
    await pause(options.pollMs ?? 200);
    sight = await tools.read(resource);
  }
}

/** undefined: they cannot be read, and defaults permit nothing that these might forbid. */
async function settingsInForce(resource: string, tools: DrbdTools): Promise<DrbdSettings | undefined> {
  const show = await tools.show(resource);
  return show === undefined ? undefined : settingsOf(show);
}

/**
 * A peer that looks Primary may have lost its power a moment ago: asking the kernel makes it test the connection at once, and
 * it never allows two Primaries, unless it was configured to. Then only DRBD's own timers may decide.
 */
function mayTry(judged: Promotion, settings: DrbdSettings | undefined): boolean {
  if (judged.verdict === 'promote') return true;
  return judged.verdict === 'wait' && judged.code === 'peer-primary' && settings?.allowsTwoPrimaries === false;
}

async function isPrimary(resource: string, {tools, procDrbd}: DiskOptions): Promise<boolean> {
  const sight = await tools.read(resource);
  return sight.found === 'up' && sight.state.role === 'Primary' && isWhollyPrimary(sight.state, procDrbd) !== false;
}

/** Of some volumes 8.4 has made only the first Primary; the others are judged as if none were. */
function judgeRest(state: ResourceState, isWhole: boolean): Promotion {
  return judgePromotion(state.role === 'Primary' && !isWhole ? {...state, role: 'Secondary'} : state);
}

/** Which of its volumes are Primary cannot be told; where all are, this is nothing to do, and ends well. */
async function askAgain(resource: string, tools: DrbdTools): Promise<DiskResult> {
  const exit = await tools.adm(['primary', resource], PRIMARY_MS);
  if (exit.code === 0) return done(`${resource} is Primary`);
  return failed(`cannot make every volume of ${resource} Primary: ${reasonOf(exit)}`);
}

/** What is there, once it is up; or why it cannot be. */
async function bringUp(resource: string, options: DiskOptions): Promise<DiskResult | Sight> {
  const {tools} = options;
  const sight = await tools.read(resource);
  if (sight.found === 'nothing') {
    const text = `cannot promote ${resource}: ${sight.why}`;
    return sight.why.endsWith('not installed') ? {exit: 5, text} : failed(text);
  }
  if (sight.found === 'up' && !isAlone(sight.state)) return sight;
  const word = sight.found === 'up' ? 'adjust' : 'up';
  const why = sight.found === 'up' ? 'has no connection (StandAlone) or no disk' : 'is not up';
  options.info(`${resource} ${why}: running drbdadm ${word} ${resource}`);
  const exit = await tools.admAlone(word, resource, TOOL_MS);
  // The manager may have brought it up in the meantime, and then there was nothing left to do.
  if (exit.code !== 0 && sight.found !== 'up' && (await tools.read(resource)).found !== 'up')
    return failed(`cannot promote ${resource}: ${whyNotUp(resource, exit)}`);
  if (exit.code !== 0) options.warn(whyNotUp(resource, exit, word));
  await meetPeer(resource, options);
  return tools.read(resource);
}

function isAlone(state: ResourceState): boolean {
  if (state.role === 'Primary') return false;
  const isDetached = state.volumes.length === 0 || state.volumes.some((volume) => volume.disk === 'Diskless');
  return isDetached || state.peers.length === 0 || state.peers.every((peer) => peer.connection === 'StandAlone');
}

/** The peer's word on who has the newer data is worth a short wait; a dead peer costs it once, at the first start only. */
async function meetPeer(resource: string, options: DiskOptions): Promise<void> {
  const startedMs = performance.now();
  const meetMs = options.meetMs ?? (await secondAttemptMs(resource, options.tools, MEET_MS));
  while (performance.now() - startedMs < meetMs) {
    const sight = await options.tools.read(resource);
    if (sight.found === 'up' && (hasMet(sight.state) || sight.state.peers.length === 0)) return;
    await pause(options.pollMs ?? 200);
  }
}

/** When DRBD has tried twice to connect, by the timers in force; between the given time and ATTEMPT_MS_MAX. */
export async function secondAttemptMs(resource: string, tools: DrbdTools, leastMs: number): Promise<number> {
  const {connectIntervalMs} = await tools.settings(resource);
  return Math.min(Math.max(leastMs, connectIntervalMs + AFTER_ATTEMPT_MS), ATTEMPT_MS_MAX);
}

/** What `drbdadm up` or `adjust` met, and what to do about it. */
export function whyNotUp(resource: string, exit: ToolExit, word: 'up' | 'adjust' = 'up'): string {
  if (refusalIn(exit) === 'not-configured')
    return `drbd.conf gives this host no resource ${resource}. What to do: compare \`on NAME\` in it with the output of uname -n`;
  if (refusalIn(exit) === 'no-metadata')
    return `its disk has no DRBD metadata. What to do: look whether the right disk is configured; ${newDiskText(resource)}`;
  return `drbdadm ${word} ${resource}: ${reasonOf(exit)}`;
}

async function explainRefusal(
  resource: string,
  exit: ToolExit,
  judged: Promotion,
  before: ResourceState,
  options: DiskOptions,
): Promise<string> {
  if (refusalIn(exit) === 'peer-primary' && judged.verdict === 'wait') return explainPromotion(resource, judged);
  if (refusalIn(exit) !== 'no-good-data') return `cannot make ${resource} Primary: ${reasonOf(exit)}`;
  const sight = await options.tools.read(resource);
  const now = sight.found === 'up' ? judgePromotion(sight.state) : judged;
  const wasGood = before.volumes.every((volume) => volume.disk === 'UpToDate');
  if (now.verdict === 'refuse' && now.code === 'outdated' && wasGood)
    return `not promoting ${resource}: the other node is Primary (the fence-peer handler asked it), so the disk here is Outdated now. What to do: repair the replication link; DRBD then synchronises by itself`;
  if (now.verdict === 'refuse') return explainPromotion(resource, now);
  return `not promoting ${resource}: the other node is out of reach, and the fence-peer handler did not confirm that it is dead or outdated (${reasonOf(exit)}). Promoting could make two Primaries. What to do: repair the links, or make sure that the other node is off`;
}

export async function demote(resource: string, options: DiskOptions): Promise<DiskResult> {
  const {tools} = options;
  const escalation = options.escalationMs ?? {patience: 2000, term: 3000, kill: 5000};
  const startedMs = performance.now();
  let stage: 'patience' | 'term' | 'kill' = 'patience';
  let endMs = startedMs + escalation.patience;
  for (;;) {
    const sight = await tools.read(resource);
    if (isDemoted(sight)) return done(`${resource} is not Primary here`);
    const exit =
      sight.found === 'up'
        ? await tools.secondary(sight.state, TOOL_MS)
        : await tools.adm(['secondary', resource], TOOL_MS);
    if (exit.code === 0 && isDemoted(await tools.read(resource))) return done(`${resource} is Secondary`);
    if (sight.found === 'nothing') return failed(`cannot make ${resource} Secondary: ${sight.why}; ${reasonOf(exit)}`);
    const holders = sight.found === 'up' ? findHolders(sight.state, options) : [];
    if (performance.now() >= endMs) {
      if (stage === 'kill') return failed(`cannot make ${resource} Secondary: ${reasonOf(exit)}; ${said(holders)}`);
      stage = stage === 'patience' ? 'term' : 'kill';
      endMs = performance.now() + escalation[stage];
      await free(resource, holders, stage === 'term' ? 'SIGTERM' : 'SIGKILL', options);
    }
    await pause(options.pollMs ?? 200);
  }
}

function isDemoted(sight: Sight): boolean {
  return sight.found === 'down' || (sight.found === 'up' && sight.state.role === 'Secondary');
}

function findHolders(state: ResourceState, options: DiskOptions): readonly Holder[] {
  const find = options.holders ?? holdersOf;
  return state.volumes.flatMap((volume) => (volume.minor === undefined ? [] : find(volume.minor)));
}

/** Processes that have the device itself open are ended; what is mounted is unmounted, never lazily. */
async function free(
  resource: string,
  holders: readonly Holder[],
  signal: NodeJS.Signals,
  options: DiskOptions,
): Promise<void> {
  for (const holder of holders) {
    if (holder.kind === 'open' && holder.pid !== undefined && holder.pid > 1) {
      options.info(`${resource} is held open: sending ${signal} to it: ${holder.text}`);
      send(holder.pid, signal);
    } else if (holder.kind === 'mount' && holder.isOurs && holder.point !== undefined && options.unmount) {
      const isFree = await options.unmount(holder.point);
      options.warn(`${resource} was still mounted on ${holder.point}: ${isFree ? 'unmounted' : 'umount failed'}`);
    } else options.warn(`${resource} is held open: ${holder.text}`);
  }
}

function said(holders: readonly Holder[]): string {
  if (holders.length === 0) return 'nobody can be seen who holds it (kernel threads, or another process namespace)';
  return holders.map((holder) => holder.text).join('; ');
}

function whyNot(sight: Sight, resource: string): string {
  if (sight.found === 'nothing') return sight.why;
  return `${resource} is not up, although drbdadm up ended without an error`;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

function done(text: string): DiskResult {
  return {exit: 0, text};
}

function failed(text: string): DiskResult {
  return {exit: 1, text};
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

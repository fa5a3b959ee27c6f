// Carries out what src/drbd/outdate.ts decides, on this node: look, act, look again, until an answer can be given. Promises:
// an answer within OUTDATE_LIMIT_MS and the time of one tool; a connection that was dropped for it is taken up again, by a
// later run too if this process dies in between (a note in the run directory remembers).

import {mkdirSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {type FenceAnswer, nextOutdateStep, type OutdateProgress, type OutdateStep} from '../../drbd/outdate.js';
import {type DrbdTools, reasonOf} from './tools.js';

const POLL_MS = 100;
const TOOL_MS = 10_000;

export interface OutdateResult {
  readonly value: FenceAnswer;
  readonly why: string;
  /** The answer need not wait for it, the next run for this resource must. */
  readonly reconnected: Promise<void>;
}

export interface OutdateOptions {
  readonly tools: DrbdTools;
  /** Notes about dropped connections. */
  readonly notesDir: string;
  readonly log: (level: 'info' | 'WARN' | 'ERROR', text: string) => void;
}

export async function outdateHere(
  resource: string,
  requester: string,
  options: OutdateOptions,
): Promise<OutdateResult> {
  const startedMs = performance.now();
  let progress: OutdateProgress = {elapsedMs: 0, outdates: 0, isForced: false};
  let complaint = '';
  for (;;) {
    progress = {...progress, elapsedMs: performance.now() - startedMs};
    const step = await look(resource, requester, progress, options.tools);
    if (step.do === 'answer') {
      const reconnected = progress.isForced ? reconnect(resource, options) : Promise.resolve();
      return {value: step.value, why: step.value === 20 ? `${step.why}${complaint}` : step.why, reconnected};
    }
    if (step.do === 'disconnect') {
      complaint = await drop(resource, step.peer, options);
      progress = {...progress, isForced: true};
    } else if (step.do === 'outdate') {
      const exit = await options.tools.adm(['outdate', resource], TOOL_MS);
      // Its exit code proves nothing; it only helps to explain a failure.
      complaint = exit.code === 0 ? '' : `; drbdadm outdate: ${reasonOf(exit)}`;
      progress = {...progress, outdates: progress.outdates + 1};
      if (exit.code !== 0) await pause();
    } else await pause();
  }
}

async function look(
  resource: string,
  requester: string,
  progress: OutdateProgress,
  tools: DrbdTools,
): Promise<OutdateStep> {
  const sight = await tools.read(resource);
  if (sight.found === 'nothing') return {do: 'answer', value: 20, why: `the state cannot be read: ${sight.why}`};
  const state = sight.found === 'up' ? sight.state : undefined;
  const metadata = state === undefined ? await tools.readMetadata(resource) : [];
  return nextOutdateStep({state, metadata}, progress, requester);
}

async function drop(resource: string, peer: string | undefined, options: OutdateOptions): Promise<string> {
  const what = peer === undefined ? resource : `${resource}:${peer}`;
  options.log('info', `${resource}: DRBD here has not noticed the loss: dropping the connection`);
  try {
    mkdirSync(options.notesDir, {recursive: true});
    writeFileSync(`${options.notesDir}/${noteOf(resource)}`, '');
  } catch (error) {
    options.log('WARN', `${options.notesDir}: ${String(error)}`);
  }
  const exit = await options.tools.adm(['disconnect', '--force', what], TOOL_MS);
  return exit.code === 0 ? '' : `; drbdadm disconnect: ${reasonOf(exit)}`;
}

async function reconnect(resource: string, options: OutdateOptions): Promise<void> {
  // `connect` where the peer is configured already ends with an error that does not matter; `adjust` makes it as configured.
  const exit = await options.tools.adm(['adjust', resource], TOOL_MS);
  if (exit.code === 0) rmSync(`${options.notesDir}/${noteOf(resource)}`, {force: true});
  else options.log('ERROR', `${resource} stays disconnected; run: drbdadm adjust ${resource} (${reasonOf(exit)})`);
}

/** At start: connections that an earlier process dropped and did not live to take up. */
export async function reconnectLeftovers(options: OutdateOptions): Promise<void> {
  for (const note of notes(options.notesDir)) await reconnect(decodeURIComponent(note.slice(PREFIX.length)), options);
}

const PREFIX = 'dropped-';

function noteOf(resource: string): string {
  return `${PREFIX}${encodeURIComponent(resource)}`;
}

function notes(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

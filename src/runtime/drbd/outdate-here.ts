// Carries out what src/drbd/outdate.ts decides, on this node: look, act, look again, until an answer can be given. What to do is
// judged by the picture that the event stream keeps, which costs no process; what is answered, by a look of its own at that
// moment. Promises: an answer within OUTDATE_LIMIT_MS and the time of one tool; a connection that was dropped for it is
// taken up again, by a later run too if this process dies in between (a note in the run directory remembers).

import {mkdirSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {
  type FenceAnswer,
  isLost,
  nextOutdateStep,
  type OutdateProgress,
  type OutdateSight,
} from '../../drbd/outdate.js';
import type {ShowBlock} from '../../drbd/show.js';
import type {ResourceState} from '../../drbd/state.js';
import {type DrbdTools, reasonOf, type ToolExit} from './tools.js';

const POLL_MS = 100;
const TOOL_MS = 10_000;
/** It may have to wait for another one. */
const ADJUST_MS = 30_000;

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
  /** The state as far as it is known without asking. */
  readonly guess?: (resource: string) => ResourceState | 'down' | undefined;
  /** `drbdsetup show` of the resource, as it was read when it was configured. */
  readonly show?: (resource: string) => ShowBlock | undefined;
  /** Settles when something may have changed, at the latest after so long. */
  readonly changed?: (timeoutMs: number) => Promise<void>;
  /** Who waits for the answer: nobody any more, the early request only, or one in earnest. */
  readonly wanted?: () => 'no' | 'early' | 'yes';
  /** This copy has what the one that asks lacks, as far as is known without asking. */
  readonly isNewer?: (resource: string) => boolean;
  /** What one tool may take; 10 s. */
  readonly toolMs?: number;
}

interface Seen extends OutdateSight {
  readonly isFresh: boolean;
  readonly trouble?: string;
}

export async function outdateHere(
  resource: string,
  requester: string,
  options: OutdateOptions,
): Promise<OutdateResult> {
  const startedMs = performance.now();
  let progress: OutdateProgress = {
    elapsedMs: 0,
    outdates: 0,
    isForced: false,
    wasLost: false,
    isWanted: true,
    isEarly: false,
  };
  let complaint = '';
  let seen = glance(resource, options) ?? (await look(resource, options.tools));
  for (;;) {
    progress = {
      ...progress,
      elapsedMs: performance.now() - startedMs,
      isWanted: options.wanted?.() !== 'no',
      isEarly: options.wanted?.() === 'early',
      wasLost: progress.wasLost || isLost(seen.state, requester),
    };
    const step = nextOutdateStep(seen, progress, requester, options.isNewer?.(resource) === true);
    if (step.do === 'answer' && seen.isFresh) {
      const reconnected = progress.isForced ? reconnect(resource, options) : Promise.resolve();
      const why = seen.trouble ?? step.why;
      return {
        value: seen.trouble === undefined ? step.value : 20,
        why: `${why}${step.value === 20 ? complaint : ''}`,
        reconnected,
      };
    }
    if (step.do === 'disconnect') {
      const exit = await drop(resource, step.peer, options);
      complaint = exit.code === 0 ? '' : `; disconnect: ${reasonOf(exit)}`;
      progress = {...progress, isForced: true};
      // What that changes is known; whether it is true is seen before anything is answered.
      if (exit.code === 0 && step.peer === undefined && seen.state) {
        seen = {...seen, state: {...seen.state, peers: []}, isFresh: false};
        continue;
      }
    } else if (step.do === 'outdate') {
      const exit = await outdate(resource, seen.state, progress.outdates, options);
      // Its exit code proves nothing; it only helps to explain a failure.
      complaint = exit.code === 0 ? '' : `; outdate: ${reasonOf(exit)}`;
      progress = {...progress, outdates: progress.outdates + 1};
      if (exit.code !== 0 && progress.outdates > 1) await pause(options);
    } else if (step.do === 'wait') {
      await pause(options);
      // Once it was contradicted, or not used, the picture is not gone back to: it may lag for longer.
      const glanced = seen.isFresh ? undefined : glance(resource, options);
      if (glanced) {
        seen = glanced;
        continue;
      }
    }
    seen = await look(resource, options.tools);
  }
}

/** From the picture; a resource that is down has its state in the metadata, which no picture shows. */
function glance(resource: string, options: OutdateOptions): Seen | undefined {
  const state = options.guess?.(resource);
  return state === undefined || state === 'down' ? undefined : {state, metadata: [], isFresh: false};
}

async function look(resource: string, tools: DrbdTools): Promise<Seen> {
  const sight = await tools.read(resource);
  if (sight.found === 'nothing') {
    const trouble = `the state cannot be read: ${sight.why}`;
    return {state: undefined, metadata: [], isFresh: true, trouble};
  }
  const state = sight.found === 'up' ? sight.state : undefined;
  return {state, metadata: state === undefined ? await tools.readMetadata(resource) : [], isFresh: true};
}

/** With 8.4 the kernel is told directly, by what is in force; where that does not do, and with 9, drbdadm works it out. */
async function outdate(
  resource: string,
  state: ResourceState | undefined,
  tries: number,
  options: OutdateOptions,
): Promise<ToolExit> {
  const toolMs = options.toolMs ?? TOOL_MS;
  const minors = (state?.volumes ?? []).flatMap(({minor}) => (minor === undefined ? [] : [minor]));
  if (tries > 0 || minors.length === 0 || addresses(options.show?.(resource)) === undefined)
    return options.tools.adm(['outdate', resource], toolMs);
  const exits = await Promise.all(minors.map((minor) => options.tools.setup(['outdate', String(minor)], toolMs)));
  return exits.find((exit) => exit.code !== 0) ?? (exits[0] as ToolExit);
}

async function drop(resource: string, peer: string | undefined, options: OutdateOptions): Promise<ToolExit> {
  options.log('info', `${resource}: DRBD here has not noticed the loss: dropping the connection`);
  try {
    mkdirSync(options.notesDir, {recursive: true});
    writeFileSync(`${options.notesDir}/${noteOf(resource)}`, '');
  } catch (error) {
    options.log('WARN', `${options.notesDir}: ${String(error)}`);
  }
  const toolMs = options.toolMs ?? TOOL_MS;
  const ends = peer === undefined ? addresses(options.show?.(resource)) : undefined;
  if (ends) {
    const exit = await options.tools.setup(['disconnect', ...ends, '--force'], toolMs);
    if (exit.code === 0 || exit.timedOut) return exit;
  }
  return options.tools.adm(['disconnect', '--force', peer === undefined ? resource : `${resource}:${peer}`], toolMs);
}

/** Of the one connection that 8.4 has, in the form that drbdsetup takes; undefined: not 8.4, or not known. */
function addresses(show: ShowBlock | undefined): readonly [string, string] | undefined {
  const blocks = show?.blocks.flatMap((block) => block.blocks) ?? [];
  const [here, there] = ['_this_host', '_remote_host'].map((name) => {
    const found = blocks.filter((block) => block.name === name);
    return found.length === 1 ? found[0]?.values['address'] : undefined;
  });
  return here === undefined || there === undefined ? undefined : [here.replace(' ', ':'), there.replace(' ', ':')];
}

async function reconnect(resource: string, options: OutdateOptions): Promise<void> {
  // `connect` where the peer is configured already ends with an error that does not matter; `adjust` makes it as configured.
  const exit = await options.tools.admAlone('adjust', resource, options.toolMs ?? ADJUST_MS);
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

function pause(options: OutdateOptions): Promise<void> {
  return options.changed?.(POLL_MS) ?? new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

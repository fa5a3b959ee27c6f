// Gathers what `systole drbd status` and `systole drbd resolve` need to know of a resource: the state as it is now, and the
// other node's view as dopd last heard it. Judged anew from both, so a finding that is over is not shown.

import {readFileSync} from 'node:fs';
import type {Report} from '../../drbd/describe.js';
import {parseProcDrbd, type SyncProgress} from '../../drbd/proc-drbd.js';
import {type Finding, judgeViews} from '../../drbd/split-brain.js';
import type {ResourceState} from '../../drbd/state.js';
import {readJournal} from './resolve-journal.js';
import type {DrbdTools} from './tools.js';
import {type DrbdPlaces, readFinding, viewHere} from './view-here.js';

export interface ReportSource {
  readonly tools: DrbdTools;
  readonly node: string;
  readonly places: DrbdPlaces;
  readonly procDrbd?: string;
}

export async function reportOf(resource: string, source: ReportSource): Promise<Report> {
  const {tools, node, places} = source;
  const [looked, sight] = await Promise.all([viewHere(tools, node, resource, places), tools.read(resource)]);
  const journal = readJournal(places, resource);
  const isResolving = 'view' in looked ? looked.view.isDiscarding : journal !== undefined;
  const oldRunMs = isResolving || typeof journal !== 'object' ? undefined : journal.startedMs;
  const base = {resource, node, nowMs: Date.now(), isResolving, oldRunMs};
  if (!('view' in looked) || sight.found === 'nothing') {
    const trouble = 'why' in looked ? looked.why : 'the tools do not answer';
    const nothing = {view: undefined, state: undefined, progress: undefined, heardMs: undefined};
    return {...base, ...nothing, trouble, finding: {kind: 'none'}};
  }
  const state = sight.found === 'up' ? sight.state : undefined;
  const kept = readFinding(places, resource);
  const finding: Finding = judgeViews(looked.view, kept?.theirs);
  const heardMs = kept?.theirs === undefined ? undefined : kept.seenMs;
  const progress = progressOf(state, source.procDrbd ?? '/proc/drbd');
  return {...base, trouble: undefined, view: looked.view, state, progress, finding, heardMs};
}

/** DRBD 8.4 computes speed and end itself. */
export function progressOf(state: ResourceState | undefined, path = '/proc/drbd'): SyncProgress | undefined {
  const minors = state?.volumes.map(({minor}) => minor) ?? [];
  try {
    const found = parseProcDrbd(readFileSync(path, 'latin1'))?.minors ?? [];
    return found.find((each) => minors.includes(each.minor) && each.progress !== undefined)?.progress;
  } catch {
    return undefined;
  }
}

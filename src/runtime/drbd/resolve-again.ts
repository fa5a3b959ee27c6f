// Before `systole drbd resolve` goes on with an earlier run: do its journal and the disk still belong together? The
// administrator was asked about the data that were here then; others need a new question, a new check and a new backup.

import {isBeingOverwritten, isHalfUp, type Journal, standingOf} from '../../drbd/resolve-journal.js';
import {nextResolveStep, sightOf} from '../../drbd/resolve-plan.js';
import {type DrbdTools, reasonOf} from './tools.js';
import {type DrbdPlaces, viewHere} from './view-here.js';

export type Again =
  /** canSave: another backup may be chosen; canDrop: none any more. */
  | {readonly found: 'go-on'; readonly canSave: boolean; readonly canDrop: boolean}
  | {readonly found: 'anew'; readonly why: string}
  | {readonly found: 'unknown'; readonly why: string};

const DOWN_MS = 60_000;

/** One run at a time, also when its terminal is gone and it works on. */
export function resolveLockPath({runDir}: DrbdPlaces, resource: string): string {
  return `${runDir}/drbd-resolve-${encodeURIComponent(resource)}.lock`;
}

export async function lookAgain(journal: Journal, tools: DrbdTools, places: DrbdPlaces): Promise<Again> {
  const {resource, node, done, backup} = journal;
  if (!done.includes('outdated')) return {found: 'anew', why: 'it had changed nothing yet'};
  const state = await stateOf(resource, tools);
  // Nothing can be read of it as it is, and nothing is lost by it.
  if (isHalfUp(sightOf(state))) {
    const exit = await tools.adm(['down', resource], DOWN_MS);
    if (exit.code !== 0) return {found: 'unknown', why: `drbdadm down ${resource}: ${reasonOf(exit)}`};
  }
  const looked = await viewHere(tools, node, resource, places);
  if (!('view' in looked)) return {found: 'unknown', why: looked.why};
  const standing = standingOf(journal, looked.view);
  if (standing === 'unknown') return {found: 'unknown', why: 'the generation identifiers cannot be read'};
  // At its end already, which overwrites nothing.
  const next = nextResolveStep(done, backup, sightOf(state)).do;
  const isOver = next === 'finish';
  if (standing === 'void' && !isOver)
    return {found: 'anew', why: 'the data here are others since, or the disk was made good again'};
  const isSaved = done.includes('saved');
  // Who wanted a backup and has none gets what is left; who wanted none let the blocks go.
  const canSave = !isOver && !isSaved && (next === 'save' || !isBeingOverwritten(looked.view));
  return {found: 'go-on', canSave, canDrop: !isOver && !isSaved};
}

async function stateOf(resource: string, tools: DrbdTools) {
  const sight = await tools.read(resource);
  return sight.found === 'up' ? sight.state : undefined;
}

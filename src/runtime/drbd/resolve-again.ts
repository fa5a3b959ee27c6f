// Before `systole drbd resolve` goes on with an earlier run: do its journal and the disk still belong together? The
// administrator was asked about the data that were here then; others need a new question, a new check and a new backup.

import {isBeingOverwritten, isHalfUp, type Journal, standingOf} from '../../drbd/resolve-journal.js';
import {nextResolveStep, sightOf} from '../../drbd/resolve-plan.js';
import {whyUnusable} from './manifest.js';
import {type DrbdTools, reasonOf} from './tools.js';
import {type DrbdPlaces, viewHere} from './view-here.js';

export type Again =
  /** canSave: another backup may be chosen; canDrop: none any more. */
  | {
      readonly found: 'go-on';
      /** Without `saved`, where its backup is lost. */
      readonly journal: Journal;
      readonly canSave: boolean;
      readonly canDrop: boolean;
      readonly lost: string | undefined;
    }
  /** The backup was made and cannot be used any more, nor be made again as it was. */
  | {readonly found: 'lost'; readonly why: string}
  | {readonly found: 'anew'; readonly why: string}
  | {readonly found: 'unknown'; readonly why: string};

const DOWN_MS = 60_000;

/**
 * One run at a time, also when its terminal is gone and it works on. Beside the journal, as there may be no run directory before
 * heartbeat is started, and two runs would cut each other's backup to nothing.
 */
export function resolveLockPath({varLibDir}: DrbdPlaces, resource: string): string {
  return `${varLibDir}/drbd/${encodeURIComponent(resource)}.resolve.lock`;
}

/** hasWords: this call says which backup it wants. */
export async function lookAgain(
  journal: Journal,
  hasWords: boolean,
  {tools, places}: {readonly tools: DrbdTools; readonly places: DrbdPlaces},
): Promise<Again> {
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
  const isOver = nextResolveStep(done, backup, sightOf(state)).do === 'finish';
  if (standing === 'void' && !isOver)
    return {found: 'anew', why: 'the data here are others since, or the disk was made good again'};
  const lost = isOver ? undefined : lostBackup(journal);
  const isLate = isBeingOverwritten(looked.view);
  if (lost !== undefined && isLate && !hasWords) return {found: 'lost', why: lost};
  const known = lost === undefined ? journal : {...journal, done: done.filter((step) => step !== 'saved')};
  const isSaved = known.done.includes('saved');
  // Who wanted a backup and has none gets what is left; who wanted none let the blocks go.
  const isNext = nextResolveStep(known.done, backup, sightOf(state)).do === 'save';
  const canSave = !isOver && !isSaved && (isNext || !isLate);
  return {found: 'go-on', journal: known, canSave, canDrop: !isOver && !isSaved, lost};
}

/** Removed, damaged, or on a disk that is not there; as long as nothing was released it matters. */
function lostBackup({done, directory}: Journal): string | undefined {
  const isReleased = done.includes('around') || done.includes('released');
  return directory === undefined || !done.includes('saved') || isReleased ? undefined : whyUnusable(directory);
}

async function stateOf(resource: string, tools: DrbdTools) {
  const sight = await tools.read(resource);
  return sight.found === 'up' ? sight.state : undefined;
}

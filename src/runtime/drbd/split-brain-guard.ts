// Before a promotion: is this the copy of a split brain that stood back while the other one served? DRBD itself would promote it. Stale
// knowledge must never keep a good disk down, so it counts only while the data here are those it was about and the
// resource has no connection; and the refusal says how to decide otherwise.

import {sameGeneration} from '../../drbd/generation.js';
import {whyNotServe} from '../../drbd/split-brain.js';
import {generationsOf, type View} from '../../drbd/view.js';
import type {DrbdTools} from './tools.js';
import {type DrbdPlaces, findingPath, readFinding, viewHere} from './view-here.js';

/** undefined: nothing is known that speaks against promoting. */
export async function whyNotPromote(
  resource: string,
  {tools, places}: {readonly tools: DrbdTools; readonly places: DrbdPlaces},
): Promise<string | undefined> {
  const kept = readFinding(places, resource);
  if (kept?.kind !== 'split-brain' || kept.theirs === undefined) return undefined;
  const why = whyNotServe({ours: kept.ours, theirs: kept.theirs});
  if (why === undefined) return undefined;
  const looked = await viewHere(tools, kept.ours.node, resource, places);
  const isStill = 'view' in looked && looked.view.connection !== 'Connected' && isSameData(looked.view, kept.ours);
  if (!isStill) return undefined;
  return `${why}; if its data are lost for ever, remove ${findingPath(places, resource)} and the group starts here`;
}

function isSameData(now: View, then: View): boolean {
  const [here, before] = [generationsOf(now), generationsOf(then)];
  return (
    here.length > 0 &&
    here.length === before.length &&
    here.every(({current}, index) => sameGeneration(current, before[index]?.current ?? ''))
  );
}

// Before a promotion: is this the copy of a split brain that stood back while the other one served? DRBD itself would promote it. Stale
// knowledge must never keep a good disk down: it is over when the resource is connected, or when the data here are seen to be
// others than those it was about. What cannot be read proves neither, and the refusal says how to decide otherwise.

import {existsSync} from 'node:fs';
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
  const path = findingPath(places, resource);
  if (!existsSync(path)) return undefined;
  const kept = readFinding(places, resource);
  const {ours, theirs, isHeldBack = false} = kept ?? {};
  const served = ours === undefined || theirs === undefined ? undefined : whyNotServe({ours, theirs, isHeldBack});
  if (kept !== undefined && (kept.kind !== 'split-brain' || served === undefined)) return undefined;
  const looked = await viewHere(tools, ours?.node ?? '', resource, places);
  if ('view' in looked && isOver(looked.view, ours)) return undefined;
  const why = served ?? `not promoting ${resource}: what was found of a split brain cannot be read`;
  return `${why}; if the other node's data are lost for ever, or there was none, remove ${path} and the group starts here`;
}

/** They have met, somebody has decided for this copy and made it Primary, or the data are others. */
function isOver(now: View, then: View | undefined): boolean {
  return now.connection === 'Connected' || now.role === 'Primary' || isOtherData(now, then);
}

function isOtherData(now: View, then: View | undefined): boolean {
  const before = then === undefined ? [] : generationsOf(then);
  return generationsOf(now).some(({current}, index) => {
    const old = before[index]?.current;
    return old !== undefined && !sameGeneration(current, old);
  });
}

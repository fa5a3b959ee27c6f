// A disk that was up, Secondary and without its peer when heartbeat started here: DRBD calls it UpToDate, for nobody was here to be told
// that the other node goes on without it; its own dopd was answered 5. So it is not proven good until the two have met, or the
// other node's identifiers have shown it. Noted in the run directory, for the agent too; a boot begins anew, because then
// DRBD itself says Consistent. Promises: a note that cannot be read or written changes nothing of what DRBD says.

import {existsSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {hasMet, type ResourceState} from '../../drbd/state.js';

type Places = {readonly runDir: string};

const notePath = ({runDir}: Places, resource: string): string =>
  `${runDir}/drbd/${encodeURIComponent(resource)}.unproven`;

export function noteUnproven(places: Places, resource: string): void {
  try {
    mkdirSync(`${places.runDir}/drbd`, {recursive: true});
    writeFileSync(notePath(places, resource), '');
  } catch {
    // No space in the run directory.
  }
}

export function forgetUnproven(places: Places, resource: string): void {
  rmSync(notePath(places, resource), {force: true});
}

/** The state as it is to be judged. A disk that has met its peer, or that somebody promoted, is what DRBD says. */
export function judgedHere(places: Places, state: ResourceState): ResourceState {
  const isNoted = existsSync(notePath(places, state.name));
  return isNoted && isUnmet(state) ? {...state, isUnproven: true} : state;
}

/** Good, in nobody's service, not connected, and not known to be the only good one: a peer that is Outdated in DRBD's books is none. */
export function isUnmet(state: ResourceState): boolean {
  if (state.role !== 'Secondary' || hasMet(state)) return false;
  const isKnownOld = state.peers.some(({volumes}) => volumes.some(({disk}) => disk === 'Outdated'));
  return !isKnownOld && state.volumes.some(({disk}) => disk === 'UpToDate');
}

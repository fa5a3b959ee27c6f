// A disk that was up, Secondary and without its peer when heartbeat started here: DRBD calls it UpToDate, for nobody was here to be told
// that the other node goes on without it; its own dopd was answered 5. So it is not proven good until the two have met, or the
// other node's identifiers have shown it. Noted in the run directory, for the agent too; a boot begins anew, because then
// DRBD itself says Consistent. Promises: a note that cannot be read changes nothing of what DRBD says; one that
// cannot be written is told to who wanted it.

import {existsSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {type DiskState, hasMet, type ResourceState} from '../../drbd/state.js';

type Places = {readonly runDir: string};

const notePath = ({runDir}: Places, resource: string): string =>
  `${runDir}/drbd/${encodeURIComponent(resource)}.unproven`;

/** undefined: it is noted; else why it cannot be (no space in the run directory). */
export function noteUnproven(places: Places, resource: string): string | undefined {
  try {
    mkdirSync(`${places.runDir}/drbd`, {recursive: true});
    writeFileSync(notePath(places, resource), '');
    return undefined;
  } catch (error) {
    return String(error);
  }
}

export function forgetUnproven(places: Places, resource: string): void {
  try {
    rmSync(notePath(places, resource), {force: true});
  } catch {
    // What stays there counts no more once the two have met.
  }
}

/** The state as it is to be judged. A disk that has met its peer, or that somebody promoted, is what DRBD says. */
export function judgedHere(
  places: Places,
  state: ResourceState,
  isNoted = existsSync(notePath(places, state.name)),
): ResourceState {
  return isNoted && isUnmet(state) ? {...state, isUnproven: true} : state;
}

/** What DRBD has booked of a copy that nobody can have served from since: DRBD keeps these two when the link is lost. */
const USELESS: readonly DiskState[] = ['Outdated', 'Inconsistent'];

/** Met, promoted by somebody, or known to be the only good one. A disk that is attached anew is none of these. */
export function isProven(state: ResourceState): boolean {
  const isUseless = (volume: number): boolean =>
    state.peers.some((peer) => peer.volumes.some((each) => each.volume === volume && USELESS.includes(each.disk)));
  // Volumes are promoted one by one: of each the other copy must be useless.
  const good = state.volumes.filter(({disk}) => disk === 'UpToDate');
  const isOnlyGoodOne = good.length > 0 && good.every(({volume}) => isUseless(volume));
  return state.role === 'Primary' || hasMet(state) || isOnlyGoodOne;
}

/** DRBD calls it good, and it is not proven. */
export function isUnmet(state: ResourceState): boolean {
  return !isProven(state) && state.volumes.some(({disk}) => disk === 'UpToDate');
}

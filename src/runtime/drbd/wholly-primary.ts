// Is every volume of a resource Primary here? events2 shows one role for all of them, the highest; but 8.4 promotes its minors one after
// the other, and one that was refused stays Secondary, where a mount fails. /proc/drbd has the role of each. With DRBD 9 a
// resource is promoted as one, and the file holds the version alone.

import {parseProcDrbd} from '../../drbd/proc-drbd.js';
import type {ResourceState} from '../../drbd/state.js';
import {readText} from './watch-sights.js';

/** undefined: some are, and which cannot be told. */
export function isWhollyPrimary({role, volumes}: ResourceState, path = '/proc/drbd'): boolean | undefined {
  if (role !== 'Primary') return false;
  if (volumes.length <= 1) return true;
  const proc = parseProcDrbd(readText(path) ?? '');
  if (proc === undefined) return undefined;
  if (Number.parseInt(proc.version, 10) >= 9) return true;
  const roles = volumes.map(({minor}) => proc.minors.find((each) => each.minor === minor)?.role);
  if (roles.includes('Secondary')) return false;
  return roles.every((each) => each === 'Primary') ? true : undefined;
}

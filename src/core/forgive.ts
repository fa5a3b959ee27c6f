// An old failure does not stand in the way of another try.

import type {GroupState} from './state.js';

/** The operator or the peer asks for another try, or what made it fail is over. */
export function forgive(group: GroupState): void {
  group.isFailed = false;
  group.retryAtMs = undefined;
  if (group.state === 'failed') group.state = 'stopped';
}

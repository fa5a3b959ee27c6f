// `resource` reports: what this node holds, told to the peer and to API clients (resource-engine.md 2.2).

import type {Hold} from '../model/cluster.js';
import {currentHold, type Draft, isNice, send} from './draft.js';

export interface ReportOptions {
  readonly isStable: boolean;
  readonly info?: string;
  /** Say this instead of what is held. */
  readonly hold?: Hold;
}

export function sendHold(draft: Draft, options: ReportOptions): void {
  if (!isNice(draft)) return;
  const hold = options.hold ?? currentHold(draft);
  draft.state.reported = `${hold} ${options.isStable}`;
  send(draft, {
    t: 'resource',
    rsc_hold: hold,
    rtype: 'full',
    isstable: options.isStable ? '1' : '0',
    info: options.info,
  });
}

/** Reports a changed holding by itself; called at the end of every step. */
export function reportChanges(draft: Draft): void {
  const {state} = draft;
  if (state.phase !== 'stable' || !state.isCommUp || state.standby !== undefined) return;
  if (`${currentHold(draft)} true` !== state.reported) sendHold(draft, {isStable: true});
}

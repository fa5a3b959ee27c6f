// `resource` reports: what this node holds, told to the peer and to API clients (resource-engine.md 2.2).

import type {Hold} from '../model/cluster.js';
import {currentHold, type Draft, followsClassicRules, isNice, send} from './draft.js';
import {isObserver} from './pair.js';

/**
 * A real peer believes the report that arrives last. When lost packets are sent again that may be an older one, which
 * leaves it in transition for ever, so the newest is repeated.
 */
const REPEAT_MS = 5_000;

export interface ReportOptions {
  readonly isStable: boolean;
  readonly info?: string;
  /** Say this instead of what is held. */
  readonly hold?: Hold;
}

export function sendHold(draft: Draft, options: ReportOptions): void {
  if (!isNice(draft) || isObserver(draft.state)) return;
  const hold = options.hold ?? currentHold(draft);
  draft.state.reportedAtMs = draft.now.monoMs;
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
  const isDue = draft.now.monoMs >= (repeatsAtMs(draft) ?? Infinity);
  // The one question that a real peer answers with what it holds. While it gives up resources the answer would say that it has.
  if (isDue && state.peer?.owesReport === true && state.peer.releasing === 'none')
    send(draft, {t: 'starting', sysv: '1'});
  if (isDue || `${currentHold(draft)} true` !== state.reported) sendHold(draft, {isStable: true});
}

/** When the report is repeated to a real peer; undefined: never. */
export function repeatsAtMs(draft: Draft): number | undefined {
  const {classic, reportedAtMs, phase, standby} = draft.state;
  if (!followsClassicRules(draft) || !isNice(draft) || phase !== 'stable' || classic.rstate !== 'stable') return;
  return standby === undefined ? reportedAtMs + REPEAT_MS : undefined;
}

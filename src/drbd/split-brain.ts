// Were both copies written? StandAlone proves nothing: an administrator may have disconnected. Judged from the generation
// identifiers of both nodes, so it is known as soon as the nodes can speak over any heartbeat link, also before DRBD itself
// meets. Promises: `split-brain` only when each copy has a present that the other does not know and a past that both share; without
// the other side's view never more than a suspicion. Nothing here discards anything.

import {compareVolumes, type Relation, sameGeneration} from './generation.js';
import {generationsOf, outOfSyncKib, type View} from './view.js';

export type Finding =
  /** Connected, or only waiting for the other node: nothing to report. */
  | {readonly kind: 'none'}
  | {readonly kind: 'split-brain'; readonly ours: View; readonly theirs: View}
  /** The copies never were one. */
  | {readonly kind: 'unrelated'; readonly ours: View; readonly theirs: View}
  /** Not connected although it could be; who is newer is known. */
  | {readonly kind: 'alone'; readonly ours: View; readonly theirs: View; readonly relation: Relation}
  /** Stands alone, and nothing is known of the other side. */
  | {readonly kind: 'unknown'; readonly ours: View};

export function judgeViews(ours: View, theirs: View | undefined): Finding {
  if (ours.connection === 'Connected') return {kind: 'none'};
  if (theirs === undefined || theirs.connection === 'Connected')
    return ours.connection === 'StandAlone' ? {kind: 'unknown', ours} : {kind: 'none'};
  if ([ours, theirs].some(isPassing)) return {kind: 'none'};
  const relation = relationOf(ours, theirs);
  if (relation === 'split-brain' || relation === 'unrelated') return {kind: relation, ours, theirs};
  if (ours.connection !== 'StandAlone') return {kind: 'none'};
  return relation === 'unknown' ? {kind: 'unknown', ours} : {kind: 'alone', ours, theirs, relation};
}

/**
 * Of two whole copies: who has what the other has. `unknown` also when a copy is in the middle of a synchronisation: it has no data
 * of its own then, and its identifiers are passing ones.
 */
export function relationOf(ours: View, theirs: View): Relation {
  return [ours, theirs].some(isPassing) ? 'unknown' : compareVolumes(generationsOf(ours), generationsOf(theirs));
}

function isPassing({volumes}: View): boolean {
  return volumes.some(({disk}) => disk === 'Inconsistent');
}

/** Changes when the finding is another one, not when it is merely seen again. */
export function findingKey(finding: Finding): string {
  if (finding.kind === 'none') return 'none';
  const marks = (view: View): string =>
    generationsOf(view)
      .map(({current}) => current.slice(0, -1))
      .join(',');
  return [finding.kind, marks(finding.ours), 'theirs' in finding ? marks(finding.theirs) : ''].join(' ');
}

/** The one line for the log. */
export function logLine(finding: Finding): string {
  switch (finding.kind) {
    case 'none':
      return '';
    case 'split-brain': {
      const {ours, theirs} = finding;
      return `${ours.resource}: SPLIT BRAIN: both nodes wrote without each other${since(finding)}. ${describeSide(ours)}; ${describeSide(theirs)}. Nothing is discarded by itself. What to do: systole drbd status ${ours.resource}`;
    }
    case 'unrelated':
      return `${finding.ours.resource}: the disks of ${finding.ours.node} and ${finding.theirs.node} have no common history: DRBD cannot connect them. What to do: see whether the right disks are configured; a new disk is made with drbdadm create-md`;
    case 'alone':
      return `${finding.ours.resource}: no connection (StandAlone), and no split brain: ${relationText(finding.relation, finding.ours, finding.theirs)}. What to do: drbdadm adjust ${finding.ours.resource}`;
    case 'unknown':
      return `${finding.ours.resource}: no connection (StandAlone); whether it is a split brain is not known, as nothing was heard from the other node's dopd. What to do: systole drbd status ${finding.ours.resource}`;
  }
}

export function relationText(relation: Relation, ours: View, theirs: View): string {
  switch (relation) {
    case 'same':
      return 'both have the same data';
    case 'ours-newer':
      return `${ours.node} has the newer data`;
    case 'theirs-newer':
      return `${theirs.node} has the newer data`;
    case 'split-brain':
      return 'both wrote without each other';
    case 'unrelated':
      return 'they have no common history';
    case 'unknown':
      return 'which is newer is not known';
  }
}

function describeSide(view: View): string {
  const changed = outOfSyncKib(view);
  const parts = [
    `generation ${generationsOf(view)
      .map(({current}) => current)
      .join(' ')}`,
    changed === undefined ? 'amount changed not known' : `${changed} KiB changed`,
    primaryText(view),
    ...(view.lastWriteMs === undefined ? [] : [`last write ${when(view.lastWriteMs)}`]),
  ];
  return `${view.node}: ${parts.join(', ')}`;
}

export function primaryText(view: View): string {
  if (view.role === 'Primary')
    return view.primarySinceMs === undefined ? 'Primary now' : `Primary since ${when(view.primarySinceMs)}`;
  return view.lastPrimaryMs === undefined ? 'not Primary now' : `last Primary ${when(view.lastPrimaryMs)}`;
}

/** The earlier of the two, each by its own clock. */
export function splitSinceMs({ours, theirs}: Sides): number | undefined {
  const times = [ours.lostMs, theirs.lostMs].filter((each) => each !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

interface Sides {
  readonly ours: View;
  readonly theirs: View;
}

/**
 * Once this copy stood back while the other one was serving it lacks what was acknowledged there, also when that one serves no more; only
 * serving itself ends it. `isHeardSince`: what is known of the other one was said after this one was seen to stand back; of two
 * that ceased in the same moment neither is to be held back for ever.
 */
export function standsBack({ours, theirs}: Sides, wasHeldBack: boolean, isHeardSince: boolean): boolean {
  if (ours.role === 'Primary') return false;
  return wasHeldBack || (theirs.role === 'Primary' && isHeardSince);
}

/**
 * A copy that stood back while the other one was serving lacks what was acknowledged there since. undefined: nothing speaks against
 * promoting it; two copies that both served last are not told apart here.
 */
export function whyNotServe({ours, theirs, isHeldBack}: Sides & {readonly isHeldBack: boolean}): string | undefined {
  const isServing = ours.role !== 'Primary' && theirs.role === 'Primary';
  if (!isHeldBack && !isServing) return undefined;
  const {resource} = ours;
  const who = isServing
    ? `${theirs.node} was the one that served when it was last heard (${when(theirs.wallMs)})`
    : `${theirs.node} served after this copy stood back (${primaryText(theirs)})`;
  return `not promoting ${resource}: split brain, and ${who}. Promoting would lose every write made there. What to do: start ${theirs.node}, or the group there; or decide whose changes go: systole drbd status ${resource}, then systole drbd resolve ${resource} on the node whose changes go`;
}

function since(finding: Sides): string {
  const ms = splitSinceMs(finding);
  return ms === undefined ? '' : ` since ${when(ms)}`;
}

/** UTC, because the nodes need not share a time zone. */
export function when(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** `self` and `peer` of the kernel's last handshake about that minor, which it prints before it gives up. */
export function handshakeInLog(log: string, minor: number): {readonly self: string; readonly peer: string} | undefined {
  const lines = log.split('\n').filter((line) => line.includes(`block drbd${minor}: `));
  const found = lines.findLastIndex((line) => line.includes('Split-Brain detected but unresolved'));
  if (found < 0) return undefined;
  const before = lines.slice(0, found);
  const word = (side: string): string | undefined =>
    before.findLast((line) => new RegExp(`: ${side} [\\dA-F]{16}:`).test(line))?.match(/(?:self|peer) (\S+)/)?.[1];
  const [self, peer] = [word('self'), word('peer')];
  return self === undefined || peer === undefined ? undefined : {self, peer};
}

/** Whether what the kernel printed was said of the data that are here now. */
export function isAbout(handshake: {readonly self: string}, current: string): boolean {
  return sameGeneration(handshake.self.slice(0, 16), current);
}

// A resource as `systole drbd status` shows it: what is, what was found, what to do next. Pure: the same report gives the same text.
// Promises: each state that keeps a node from serving or from being a copy has a line that says what to do; a split brain
// shows both sides beside each other, and what is not known is said not to be known.

import {badCopyTodo, copyOf, isDiskLost, SETTLED, STANDBY_FIRST} from '../model/disk.js';
import {differsText, factsOf} from './facts.js';
import {judgePromotion} from './judge.js';
import type {SyncProgress} from './proc-drbd.js';
import {type Finding, primaryText, relationText, splitSinceMs, when} from './split-brain.js';
import type {ResourceState} from './state.js';
import {generationsOf, outOfSyncKib, type View} from './view.js';

export interface Report {
  readonly resource: string;
  readonly node: string;
  readonly nowMs: number;
  /** Where the state cannot be read: why. */
  readonly trouble: string | undefined;
  readonly view: View | undefined;
  readonly state: ResourceState | undefined;
  readonly progress: SyncProgress | undefined;
  readonly finding: Finding;
  /** When the other node's view was heard. */
  readonly heardMs: number | undefined;
  /** `systole drbd resolve` has begun here and is not done. */
  readonly isResolving: boolean;
  /** When a run began whose journal is still there and void: DRBD ended it, or the data are others since. */
  readonly oldRunMs: number | undefined;
}

export type Health = 'good' | 'limited' | 'split-brain' | 'unknown';

export function healthOf({trouble, finding, state}: Report): Health {
  if (trouble !== undefined) return 'unknown';
  if (finding.kind === 'split-brain') return 'split-brain';
  const disks = (state?.volumes ?? []).map(({disk}) => disk);
  const there = (state?.peers ?? []).flatMap((peer) => peer.volumes);
  const isGood =
    disks.length > 0 &&
    there.length > 0 &&
    disks.every((disk) => disk === 'UpToDate') &&
    there.every(({disk, replication}) => disk === 'UpToDate' && SETTLED.includes(replication)) &&
    there.every(({outOfSyncKib: kib}) => (kib ?? 0) === 0);
  return isGood ? 'good' : 'limited';
}

export function renderReport(report: Report): string {
  const {trouble, state, view, resource} = report;
  if (trouble !== undefined) return `${resource}: its state cannot be read: ${trouble}`;
  const lines = state === undefined ? [`${resource}: not up on ${report.node}`] : stateLines(report, state);
  return [
    ...lines,
    ...(view === undefined ? [] : findingLines(report)),
    ...runLines(report),
    ...todoLines(report),
  ].join('\n');
}

function runLines({resource, node, isResolving, oldRunMs}: Report): readonly string[] {
  if (isResolving)
    return [
      `  Resolving is under way here and not finished. To go on: systole drbd resolve ${resource} --discard-node ${node}`,
    ];
  if (oldRunMs === undefined) return [];
  return [
    `  A run of resolve, begun ${when(oldRunMs)}, is over: the data here are not those that it threw away. The next one begins anew.`,
  ];
}

function stateLines({resource, node, progress}: Report, state: ResourceState): readonly string[] {
  const peer = state.peers[0];
  const connection = peer?.connection ?? 'StandAlone';
  const head = `${resource}: ${state.role} on ${node}, ${connection}${connection === 'Connected' ? `, the other node ${peer?.role}` : ''}${state.isSuspended ? ', input and output frozen' : ''}`;
  const volumes = state.volumes.map(({volume, minor, disk}) => {
    const there = peer?.volumes.find((each) => each.volume === volume);
    const left = there?.outOfSyncKib ? `, ${there.outOfSyncKib} KiB differ` : '';
    const what =
      there && !['Off', 'Established', 'Unknown'].includes(there.replication) ? `, ${there.replication}` : '';
    const isKnown = connection === 'Connected';
    return `  ${minor === undefined ? `volume ${volume}` : `/dev/drbd${minor}`}: ${disk} here, ${there?.disk ?? 'DUnknown'} there${isKnown ? '' : ' (as last known)'}${what}${left}`;
  });
  return [head, ...volumes, ...progressLines(state, progress)];
}

function progressLines(state: ResourceState, progress: SyncProgress | undefined): readonly string[] {
  const syncing = state.peers.flatMap((peer) => peer.volumes).find((each) => each.donePercent !== undefined);
  if (!syncing) return [];
  return [`  Synchronising: ${progressText(progress, syncing.donePercent)}`];
}

/** `12.5 % done, 6.0 MiB/s, 38 s to go`. */
export function progressText(progress: SyncProgress | undefined, donePercent: number | undefined): string {
  const percent = progress?.percent ?? donePercent;
  const speed = progress?.speedKibS;
  const finish = progress?.finishS;
  return [
    percent === undefined ? 'amount not known' : `${percent} % done`,
    ...(speed === undefined ? [] : [`${(speed / 1024).toFixed(1)} MiB/s`]),
    ...(finish === undefined ? [] : [`${finish} s to go`]),
  ].join(', ');
}

function findingLines(report: Report): readonly string[] {
  const {finding, resource} = report;
  switch (finding.kind) {
    case 'none':
      return [];
    case 'split-brain':
      return splitLines(report, finding);
    case 'unrelated':
      return [
        `  The disks of ${finding.ours.node} and ${finding.theirs.node} have no common history: DRBD cannot connect them.`,
      ];
    case 'alone':
      return [`  No split brain: ${relationText(finding.relation, finding.ours, finding.theirs)}.`];
    case 'unknown':
      return [
        `  The other side is not known: no dopd of ours there has sent its view. \`drbdadm get-gi ${resource}\` on the other node shows its generation,`,
        `  generation here  ${generationText(finding.ours)}`,
      ];
  }
}

function splitLines(
  {node, nowMs, heardMs}: Report,
  finding: {readonly ours: View; readonly theirs: View},
): readonly string[] {
  const {ours, theirs} = finding;
  const sinceMs = splitSinceMs(finding);
  const rows: readonly (readonly [string, string, string])[] = [
    ['', `${ours.node}${ours.node === node ? ' (here)' : ''}`, theirs.node],
    ['role', primaryText(ours), primaryText(theirs)],
    ['generation', generationText(ours), generationText(theirs)],
    ['based on', baseText(ours), baseText(theirs)],
    ['changed since', changedText(ours), changedText(theirs)],
    ['last write seen', timeText(ours.lastWriteMs), timeText(theirs.lastWriteMs)],
    ['disk', diskText(ours), diskText(theirs)],
    [
      'as of',
      'now',
      heardMs === undefined ? 'not known' : `${Math.max(0, Math.round((nowMs - heardMs) / 1000))} s ago`,
    ],
  ];
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  const table = rows.map(([name, left, right]) =>
    `    ${name.padEnd(width(0))}  ${left.padEnd(width(1))}  ${right}`.trimEnd(),
  );
  return [
    `  SPLIT BRAIN: both nodes wrote without each other${sinceMs === undefined ? '' : ` since ${when(sinceMs)}`}. Nothing is discarded by itself.`,
    ...table,
  ];
}

function todoLines(report: Report): readonly string[] {
  const todos = todosOf(report);
  return todos.length === 0 ? [] : ['  What to do:', ...todos.map((text) => `    ${text}`)];
}

const NO_COPY = 'the disk here is lost, and the other copy is not good: docs/drbd.md, "A disk fails"';

function todosOf(report: Report): readonly string[] {
  const {resource, state, finding, isResolving} = report;
  if (isResolving) return [];
  if (finding.kind === 'split-brain') {
    const {ours, theirs} = finding;
    const line = (node: string): string => `on ${node}: systole drbd resolve ${resource} --discard-node ${node}`;
    return [
      'decide whose changes go; that node is then synchronised from the other one. To throw away what changed',
      line(ours.node),
      line(theirs.node),
      'It shows what is lost, keeps a backup of it, and asks first.',
    ];
  }
  if (state === undefined) return [`drbdadm up ${resource} (a start of the group does it too)`];
  if (finding.kind === 'unknown')
    return [
      `look at the kernel log for "Split-Brain"; if there is none: drbdadm adjust ${resource} here and there`,
      `if there is: systole drbd resolve ${resource} --help`,
    ];
  if (finding.kind === 'unrelated') return ['see whether drbd.conf names the right disks on both nodes'];
  if (finding.kind === 'alone') return [`drbdadm adjust ${resource}`];
  const judged = judgePromotion(state);
  const facts = factsOf(state, undefined);
  const isShort = state.peers.every((peer) => peer.connection !== 'Connected');
  return [
    ...(judged.verdict === 'refuse' ? [judged.todo] : []),
    ...(isDiskLost(facts) ? [facts.peerBar === undefined ? STANDBY_FIRST : NO_COPY] : []),
    ...(copyOf(facts) === 'bad' ? [`on the other node, whose disk is ${facts.peerDisk}: ${badCopyTodo(facts)}`] : []),
    ...(facts.differsKib === undefined ? [] : [differsText(resource, facts.differsKib)]),
    ...(isShort
      ? [`the replication link does not work: see the other node, the cable and the addresses in drbd.conf`]
      : []),
  ];
}

export function generationText(view: View): string {
  return (
    generationsOf(view)
      .map(({current}) => current)
      .join(' ') || 'not known'
  );
}

function baseText(view: View): string {
  return (
    generationsOf(view)
      .map(({bitmap}) => bitmap)
      .join(' ') || 'not known'
  );
}

export function changedText(view: View): string {
  const kib = outOfSyncKib(view);
  return kib === undefined ? 'not known' : `${kib} KiB`;
}

function diskText(view: View): string {
  return view.volumes.map(({disk}) => disk).join(' ');
}

function timeText(ms: number | undefined): string {
  return ms === undefined ? 'not known' : when(ms);
}

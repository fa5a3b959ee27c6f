// The beacon: fields that a Systole node adds to each of its `status` messages, so that its peer knows at every
// keepalive what it owns. A real 3.0.6 node ignores unknown fields. Entry: KEY=STATE.CLAIM.SEEN.FAILS.HOME; groups that only
// the peer has get an entry too, because silence about a claim acknowledges nothing. `sysseen` names the life of the peer
// whose claims were seen. The version number makes a beacon that arrives late (out of order) harmless.

import {fieldOf, type Message, parseDecimal} from '../model/message.js';
import {barOf} from './disks.js';
import type {Draft} from './draft.js';
import {isGranted, onlyAsksDisk, ownsGroup} from './draft.js';
import {hash, wordOf} from './peer-groups.js';
import type {GroupState, Peer, PeerGroup} from './state.js';

const ENTRY = /^([^=]{1,300})=([u0isrpfbgn])\.([0-9]{1,12})\.([0-9]{1,12})\.([0-9]{1,9})\.([01])$/;
/** In the place of failed starts: a disk bars it, so however often it failed on the other node, that one tries on. */
export const BARRED_FAILS = 999_999_999;
/** Entries read from one beacon. */
const GROUPS_MAX = 1000;

export interface Beacon {
  readonly incarnation: string;
  readonly version: number;
  readonly phase: string;
  readonly configHash: string;
  /** The node is giving groups in a planned move. */
  readonly isGiving: boolean;
  readonly seenIncarnation: string;
  readonly groups: Record<string, PeerGroup>;
}

/** Tells messaging the new beacon when it changed. */
export function updateBeacon(draft: Draft): void {
  const {state} = draft;
  const owned = entriesOf(draft).join(' ');
  const configHash = hashOf(state.groups);
  const move = state.standby?.role === 'giver' ? 'g' : '-';
  const seen = state.peer?.kind === 'systole' ? state.peer.incarnation : '';
  const text = `${phaseLetter(draft)} ${configHash} ${move} ${seen} ${owned}`;
  if (!state.isMessagingReady || text === state.beacon.text) return;
  state.beacon = {text, version: state.beacon.version + 1};
  const values = {
    sysv: '1',
    sysinc: state.incarnation,
    sysver: String(state.beacon.version),
    sysphase: phaseLetter(draft),
    syscfg: configHash,
    sysmove: move,
    sysseen: seen,
    sysown: owned,
  };
  draft.effects.push({type: 'tell-messaging', message: {type: 'set-beacon', values}});
}

function phaseLetter(draft: Draft): string {
  return draft.state.phase === 'left' ? 'l' : draft.state.phase.charAt(0);
}

function entriesOf({state}: Draft): string[] {
  const own = new Map(state.groups.map((group) => [wordOf(group.definition.key), group]));
  const entries = [...own].map(([word, group]) => {
    const home = group.definition.home === state.self ? 1 : 0;
    const seen = state.peer?.groups[word]?.claim ?? 0;
    const isBarred = !ownsGroup(group) && barOf(state, group) !== undefined;
    const fails = isBarred ? BARRED_FAILS : group.failCount;
    return `${word}=${letterOf(group, isBarred)}.${group.claim}.${seen}.${fails}.${home}`;
  });
  return [...entries, ...foreignEntries(state.peer, own)];
}

/** The peer must learn that a group of its own is not known here: only then nobody can start it here. */
function foreignEntries(peer: Peer | undefined, own: ReadonlyMap<string, GroupState>): string[] {
  return Object.entries(peer?.groups ?? {}).flatMap(([word, {state, claim}]) =>
    own.has(word) || state === 'n' ? [] : [`${word}=n.0.${claim}.0.0`],
  );
}

const LETTERS = {unknown: 'u', starting: 's', running: 'r', stopping: 'p', blocked: 'b'} as const;

function letterOf(group: GroupState, isBarred: boolean): string {
  // Not known to be ours: the peer must neither start it nor yield it.
  if ((group.state === 'running' && group.isPartial) || onlyAsksDisk(group)) return 'u';
  if (group.state !== 'stopped' && group.state !== 'failed') return LETTERS[group.state];
  if (group.intends) return 'i';
  if (isGranted(group)) return 'g';
  // A disk that must not be started on is like a failed start: it is the other node's turn.
  return group.state === 'failed' || isBarred ? 'f' : '0';
}

/** The beacon in a `status` message; undefined when there is none or it is malformed. */
export function readBeacon(message: Message): Beacon | undefined {
  const incarnation = fieldOf(message, 'sysinc');
  const version = parseDecimal(fieldOf(message, 'sysver'));
  const phase = fieldOf(message, 'sysphase');
  if (fieldOf(message, 'sysv') === undefined || !incarnation || !version || !phase) return undefined;
  const groups: Record<string, PeerGroup> = {};
  for (const word of (fieldOf(message, 'sysown') ?? '').split(' ').slice(0, GROUPS_MAX)) {
    const found = ENTRY.exec(word);
    if (!found) continue;
    groups[found[1] ?? ''] = {
      state: found[2] ?? 'u',
      claim: Number(found[3]),
      seen: Number(found[4]),
      fails: Number(found[5]),
      isHome: found[6] === '1',
    };
  }
  const configHash = fieldOf(message, 'syscfg') ?? '';
  const isGiving = fieldOf(message, 'sysmove') === 'g';
  const seenIncarnation = (fieldOf(message, 'sysseen') ?? '').slice(0, 64);
  return {incarnation: incarnation.slice(0, 64), version, phase, configHash, isGiving, seenIncarnation, groups};
}

/** So that differing haresources files are noticed. */
function hashOf(groups: readonly GroupState[]): string {
  const text = groups
    .map((group) => [group.definition.home, ...group.definition.resources.map((each) => each.word)].join(' '))
    .join('\n');
  return hash(text);
}

// The beacon: fields that a Systole node adds to each of its `status` messages, so that its peer knows at every
// keepalive what it owns. A real 3.0.6 node ignores unknown fields. Entry: KEY=STATE.CLAIM.SEEN.FAILS, keys
// percent-encoded; the version number makes a beacon that arrives late (out of order) harmless.

import {fieldOf, type Message, parseDecimal} from '../model/message.js';
import type {Draft} from './draft.js';
import type {GroupState, PeerGroup} from './state.js';

const ENTRY = /^([^=]{1,300})=([u0isrpfbg])\.([0-9]{1,12})\.([0-9]{1,12})\.([0-9]{1,9})$/;
/** Entries read from one beacon. */
const GROUPS_MAX = 1000;

export interface Beacon {
  readonly incarnation: string;
  readonly version: number;
  readonly phase: string;
  readonly configHash: string;
  /** The node is giving groups in a planned move. */
  readonly isGiving: boolean;
  readonly groups: Record<string, PeerGroup>;
}

/** Tells messaging the new beacon when it changed. */
export function updateBeacon(draft: Draft): void {
  const {state} = draft;
  const owned = state.groups.map((group) => entryOf(group, state.peer?.groups[group.definition.key])).join(' ');
  const hash = hashOf(state.groups);
  const move = state.standby?.role === 'giver' ? 'g' : '-';
  const text = `${phaseLetter(draft)} ${hash} ${move} ${owned}`;
  if (!state.isMessagingReady || text === state.beacon.text) return;
  state.beacon = {text, version: state.beacon.version + 1};
  const values = {
    sysv: '1',
    sysinc: state.incarnation,
    sysver: String(state.beacon.version),
    sysphase: phaseLetter(draft),
    syscfg: hash,
    sysmove: move,
    sysown: owned,
  };
  draft.effects.push({type: 'tell-messaging', message: {type: 'set-beacon', values}});
}

function phaseLetter(draft: Draft): string {
  return draft.state.phase === 'left' ? 'l' : draft.state.phase.charAt(0);
}

function entryOf(group: GroupState, peer: PeerGroup | undefined): string {
  const key = encodeURIComponent(group.definition.key);
  return `${key}=${letterOf(group)}.${group.claim}.${peer?.claim ?? 0}.${group.failCount}`;
}

const LETTERS = {unknown: 'u', starting: 's', running: 'r', stopping: 'p', blocked: 'b'} as const;

function letterOf(group: GroupState): string {
  if (group.state !== 'stopped' && group.state !== 'failed') return LETTERS[group.state];
  if (group.intends) return 'i';
  if (group.granted !== undefined) return 'g';
  return group.state === 'failed' ? 'f' : '0';
}

/** The beacon in a `status` message; undefined when there is none or it is malformed. */
export function readBeacon(message: Message): Beacon | undefined {
  const incarnation = fieldOf(message, 'sysinc');
  const version = parseDecimal(fieldOf(message, 'sysver'));
  const phase = fieldOf(message, 'sysphase');
  if (fieldOf(message, 'sysv') === undefined || !incarnation || version === undefined || !phase) return undefined;
  const groups: Record<string, PeerGroup> = {};
  for (const word of (fieldOf(message, 'sysown') ?? '').split(' ').slice(0, GROUPS_MAX)) {
    const found = ENTRY.exec(word);
    if (!found) continue;
    groups[decode(found[1] ?? '')] = {
      state: found[2] ?? 'u',
      claim: Number(found[3]),
      seen: Number(found[4]),
      fails: Number(found[5]),
    };
  }
  const configHash = fieldOf(message, 'syscfg') ?? '';
  const isGiving = fieldOf(message, 'sysmove') === 'g';
  return {incarnation: incarnation.slice(0, 64), version, phase, configHash, isGiving, groups};
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** FNV-1a over the groups, so that differing haresources files are noticed. */
function hashOf(groups: readonly GroupState[]): string {
  const text = groups
    .map((group) => [group.definition.home, ...group.definition.resources.map((each) => each.word)].join(' '))
    .join('\n');
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}

// What the peer's beacon says of single groups, and what that proves. Keys travel percent-encoded; a very long one is cut
// and told apart by its hash, so that every key fits an entry and both nodes name it alike.

import type {Draft} from './draft.js';
import type {GroupState, Peer, PeerGroup} from './state.js';

/** States in which something of the group may run on the peer. */
export const OWNING = 'usrpb';
const WORD_MAX = 200;
const HEAD = 150;

/** The word of a group in the beacon. */
export function wordOf(key: string): string {
  // Half a surrogate pair cannot be encoded.
  const encoded = encodeURIComponent(key.replace(/\p{Surrogate}/gu, '?'));
  return encoded.length <= WORD_MAX ? encoded : `${encoded.slice(0, HEAD)}!${hash(key)}`;
}

/** undefined: the peer has said nothing of this group, which proves nothing. */
export function theirsOf(peer: Peer | undefined, key: string): PeerGroup | undefined {
  return peer?.groups[wordOf(key)];
}

/** The peer has seen the newest claim of this life of ours to that group. */
export function isClaimSeen(draft: Draft, group: GroupState, peer: Peer): boolean {
  const theirs = theirsOf(peer, group.definition.key);
  return peer.seenIncarnation === draft.state.incarnation && theirs !== undefined && theirs.seen >= group.claim;
}

/**
 * A number above every claim to the group that either node has made, and above all of this life. Who has never heard the other node
 * does not know its claims: they count from 1, and the seconds of the clock are above them.
 */
export function nextClaim(draft: Draft, theirs: PeerGroup | undefined): number {
  const {state} = draft;
  const unheard = state.peer?.wasHeard === false ? Math.floor(draft.now.wallMs / 1000) : 0;
  state.newestClaim = Math.max(state.newestClaim, unheard, theirs?.claim ?? 0, theirs?.seen ?? 0) + 1;
  return state.newestClaim;
}

/** FNV-1a. */
export function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    value ^= text.charCodeAt(at);
    value = Math.imul(value, 0x01000193) >>> 0;
  }
  return value.toString(16);
}

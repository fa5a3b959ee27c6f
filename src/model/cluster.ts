// Nouns of the cluster: nodes, links, and what a node may hold.

/** Lower-case node name, at most 99 bytes. */
export type NodeName = string;

/** `init` never heard, `dead` silent for its dead time, `ping` a ping node that answers. */
export type NodeStatus = 'init' | 'up' | 'active' | 'dead' | 'ping';
export type NodeType = 'normal' | 'ping';
export type LinkStatus = 'up' | 'dead';

/** The words of the `stonith` message, and `pending`: reset now, or again soon. */
export type StonithWord = 'OK' | 'bad' | 'n_stnth' | 'unneeded' | 'pending';

export interface LinkView {
  /** Interface name for IP media, device path for serial, host or group name for ping. */
  readonly name: string;
  readonly status: LinkStatus;
}

export interface NodeView {
  readonly name: NodeName;
  readonly type: NodeType;
  readonly status: NodeStatus;
  /** Of a dead node: what came of its STONITH; absent: nothing is known of one. */
  readonly stonith?: StonithWord | undefined;
  /** With `OK`: when that reset was begun, in whole milliseconds of the machine's monotonic clock. */
  readonly resetMs?: number | undefined;
  readonly links: readonly LinkView[];
}

/** Which groups a node holds, from its own point of view (resource-engine.md section 0). */
export type Hold = 'none' | 'local' | 'foreign' | 'all';

const BITS = {none: 0, local: 1, foreign: 2, all: 3} as const;
const WORDS = ['none', 'local', 'foreign', 'all'] as const;

export function holdOf(bits: {readonly local: boolean; readonly foreign: boolean}): Hold {
  return WORDS[(bits.local ? 1 : 0) | (bits.foreign ? 2 : 0)] ?? 'none';
}

/** An unknown word is read as `none`, as the real daemon does. */
export function parseHold(word: string | undefined): Hold {
  return WORDS.find((each) => each === word) ?? 'none';
}

export function includesHold(hold: Hold, part: 'local' | 'foreign'): boolean {
  return (BITS[hold] & BITS[part]) !== 0;
}

/** The same set seen from the other node. */
export function mirror(hold: Hold): Hold {
  return holdOf({local: includesHold(hold, 'foreign'), foreign: includesHold(hold, 'local')});
}

/** The argument of hb_standby and of `ask_resources rsc_hold=`, from the giver's point of view. */
export type StandbyScope = 'all' | 'local' | 'foreign';

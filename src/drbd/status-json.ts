// `drbdsetup status --json` of DRBD 9 (an 8.4 module has no such option). Assumes any text; a text of another shape is
// undefined, a missing value is `Unknown`, so that a change of the format can never look like a healthy disk.

import {
  connectionOf,
  diskState,
  isUnderWay,
  type PeerState,
  type PeerVolumeState,
  type ResourceState,
  replicationOf,
  roleOf,
  type VolumeState,
} from './state.js';

type Item = Readonly<Record<string, unknown>>;

export function parseStatusJson(text: string): readonly ResourceState[] | undefined {
  const parsed = parseJson(text);
  if (!Array.isArray(parsed)) return undefined;
  const resources = parsed.map((each) => (isItem(each) ? resourceOf(each) : undefined));
  return resources.every((each) => each !== undefined) ? resources : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function resourceOf(item: Item): ResourceState | undefined {
  const name = item['name'];
  if (typeof name !== 'string') return undefined;
  const suspended = item['suspended'];
  return {
    name,
    role: roleOf(word(item, 'role')),
    // 9.0 prints a word ("no", "user", "no-data"), later ones a boolean.
    isSuspended: suspended === true || (typeof suspended === 'string' && suspended !== 'no'),
    volumes: items(item, 'devices').map(volumeOf),
    peers: items(item, 'connections').map(peerOf),
  };
}

function volumeOf(item: Item): VolumeState {
  return {volume: number(item, 'volume') ?? 0, minor: number(item, 'minor'), disk: diskState(word(item, 'disk-state'))};
}

function peerOf(item: Item): PeerState {
  return {
    name: word(item, 'name') ?? '',
    connection: connectionOf(word(item, 'connection-state')),
    role: roleOf(word(item, 'peer-role')),
    volumes: items(item, 'peer_devices').map(peerVolumeOf),
  };
}

function peerVolumeOf(item: Item): PeerVolumeState {
  const replication = replicationOf(word(item, 'replication-state'));
  return {
    volume: number(item, 'volume') ?? 0,
    replication,
    disk: diskState(word(item, 'peer-disk-state')),
    outOfSyncKib: number(item, 'out-of-sync'),
    donePercent: isUnderWay(replication) ? (number(item, 'done') ?? number(item, 'percent-in-sync')) : undefined,
  };
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function items(item: Item, key: string): readonly Item[] {
  const value = item[key];
  return Array.isArray(value) ? value.filter(isItem) : [];
}

function word(item: Item, key: string): string | undefined {
  const value = item[key];
  return typeof value === 'string' ? value : undefined;
}

function number(item: Item, key: string): number | undefined {
  const value = item[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

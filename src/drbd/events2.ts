// `drbdsetup events2`: the one output that 8.4 and 9 print alike. A picture of all resources is folded from its lines: the
// present state first (`exists`, closed by `exists -`), then what changes; a change names its object and only the keys
// that changed. Assumes any text, in order; lines it does not know are passed over. A snapshot (`--now`) is complete only
// when its `exists -` was seen: a tool that was killed half-way must not look like a resource without peers.

import {
  connectionOf,
  diskState,
  isUnderWay,
  type PeerState,
  type PeerVolumeState,
  type ResourceState,
  replicationOf,
  roleOf,
} from './state.js';

type Keys = Readonly<Record<string, string>>;

export interface Events2Picture {
  /** By kind and identity, e.g. `device data 0`; values are all keys known of it. */
  readonly objects: Readonly<Record<string, Keys>>;
  readonly isComplete: boolean;
}

export const EMPTY_PICTURE: Events2Picture = {objects: {}, isComplete: false};

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\S+ /;
const KINDS = ['resource', 'connection', 'device', 'peer-device', 'path'];

export function foldEvent(picture: Events2Picture, line: string): Events2Picture {
  const words = line.replace(TIMESTAMP, '').trim().split(/\s+/);
  const [what, kind] = words;
  if (what === 'exists' && kind === '-') return {...picture, isComplete: true};
  if (what === undefined || kind === undefined || !KINDS.includes(kind)) return picture;
  const keys = keysOf(words.slice(2));
  const id = identity(kind, keys);
  const {[id]: before, ...rest} = picture.objects;
  if (what === 'destroy') return {...picture, objects: rest};
  if (what === 'exists' || what === 'create') return {...picture, objects: {...picture.objects, [id]: keys}};
  if (what !== 'change') return picture;
  return {...picture, objects: {...picture.objects, [id]: {...stillTrue(before, keys), ...keys}}};
}

/** What is out of sync in one state of replication says nothing of the next. */
function stillTrue(before: Keys | undefined, change: Keys): Keys {
  if (before === undefined || change['replication'] === undefined) return before ?? {};
  const {'out-of-sync': _old, ...rest} = before;
  return rest;
}

/** undefined: the closing line is missing. */
export function parseEvents2(text: string): readonly ResourceState[] | undefined {
  const picture = readEvents2(text);
  return picture === undefined ? undefined : resourcesOf(picture);
}

/** The same, as a picture that later lines can be folded into. */
export function readEvents2(text: string): Events2Picture | undefined {
  const picture = text.split('\n').reduce(foldEvent, EMPTY_PICTURE);
  return picture.isComplete ? picture : undefined;
}

export function resourcesOf(picture: Events2Picture): readonly ResourceState[] {
  const all = Object.entries(picture.objects);
  const ofKind = (kind: string): Keys[] => all.filter(([id]) => id.startsWith(`${kind} `)).map(([, keys]) => keys);
  return ofKind('resource').map((resource) => {
    const name = resource['name'] ?? '';
    const mine = (keys: Keys): boolean => keys['name'] === name;
    const devices = ofKind('device').filter(mine);
    return {
      name,
      role: roleOf(resource['role']),
      isSuspended: (resource['suspended'] ?? 'no') !== 'no',
      volumes: devices.map((keys) => ({
        volume: numberOf(keys['volume']) ?? 0,
        minor: numberOf(keys['minor']),
        disk: diskState(keys['disk']),
        ...counted('writtenKib', keys['written']),
      })),
      peers: ofKind('connection')
        .filter(mine)
        .map((keys) => peerOf(keys, ofKind('peer-device').filter(mine), devices)),
    };
  });
}

function peerOf(connection: Keys, peerDevices: readonly Keys[], devices: readonly Keys[]): PeerState {
  const id = connection['peer-node-id'];
  return {
    // In StandAlone 8.4 leaves the name out.
    name: connection['conn-name'] ?? 'peer',
    connection: connectionOf(connection['connection']),
    role: roleOf(connection['role']),
    volumes: peerDevices
      .filter((keys) => keys['peer-node-id'] === id)
      .map((keys) =>
        peerVolumeOf(
          keys,
          devices.find((device) => device['volume'] === keys['volume']),
        ),
      ),
  };
}

function peerVolumeOf(keys: Keys, device: Keys | undefined): PeerVolumeState {
  const replication = replicationOf(keys['replication']);
  const outOfSyncKib = numberOf(keys['out-of-sync']);
  const sizeKib = numberOf(device?.['size']);
  const computed =
    outOfSyncKib === undefined || !sizeKib ? undefined : Math.round((1 - outOfSyncKib / sizeKib) * 1000) / 10;
  return {
    volume: numberOf(keys['volume']) ?? 0,
    replication,
    disk: diskState(keys['peer-disk']),
    outOfSyncKib,
    donePercent: isUnderWay(replication) ? (numberOf(keys['done']) ?? computed) : undefined,
    ...counted('receivedKib', keys['received']),
  };
}

function identity(kind: string, keys: Keys): string {
  const id = [kind, keys['name'] ?? ''];
  if (kind === 'connection' || kind === 'peer-device' || kind === 'path') id.push(keys['peer-node-id'] ?? '');
  if (kind === 'path') id.push(keys['local'] ?? '', keys['peer'] ?? '');
  if (kind === 'device' || kind === 'peer-device') id.push(keys['volume'] ?? '');
  return id.join(' ');
}

function keysOf(words: readonly string[]): Keys {
  const keys: Record<string, string> = {};
  for (const word of words) {
    const at = word.indexOf(':');
    if (at > 0) keys[word.slice(0, at)] = word.slice(at + 1);
  }
  return keys;
}

function counted<Name extends string>(name: Name, word: string | undefined): {readonly [name in Name]?: number} {
  const value = numberOf(word);
  return value === undefined ? {} : ({[name]: value} as {[name in Name]: number});
}

function numberOf(word: string | undefined): number | undefined {
  return word !== undefined && /^\d+(\.\d+)?$/.test(word) ? Number(word) : undefined;
}

// What one node knows of its copy of a resource, as a value that travels: in a cluster message to the other node's dopd (a type
// of its own, which an original dopd passes over), in the file where the finding is kept, and in --json. Assumes any text
// from outside; what is not exactly a view is undefined. Times are wall clock of the node that says them.

import {fieldOf, type Message, messageOf} from '../model/message.js';
import {type Generation, parseGenerations} from './generation.js';
import {
  type Connection,
  connectionOf,
  type DiskState,
  diskState,
  linkOf,
  type ResourceState,
  type Role,
  roleOf,
} from './state.js';

export interface VolumeView {
  readonly volume: number;
  readonly disk: DiskState;
  readonly peerDisk: DiskState;
  readonly outOfSyncKib: number | undefined;
  readonly generation: Generation | undefined;
}

/** What nobody but a process that watched can know; each may be missing. */
export interface Times {
  readonly primarySinceMs?: number;
  readonly lastPrimaryMs?: number;
  readonly lastWriteMs?: number;
  /** When the other node was last connected. */
  readonly lostMs?: number;
}

export interface View extends Times {
  readonly node: string;
  readonly resource: string;
  readonly wallMs: number;
  readonly isUp: boolean;
  readonly role: Role;
  readonly connection: Connection;
  readonly volumes: readonly VolumeView[];
  /** `systole drbd resolve` is throwing this node's changes away. */
  readonly isDiscarding: boolean;
}

const TYPE = 'drbd_view';
const CONNECT = 'drbd_connect';
const JSON_MAX = 16_384;
const VOLUMES_MAX = 32;

export interface ViewMessage {
  readonly from: string;
  readonly resource: string;
  /** The sender wants the receiver's view. */
  readonly isAsked: boolean;
  readonly view: View | undefined;
}

export function viewMessage(to: string | undefined, view: View, isAsked: boolean): Message {
  const text = JSON.stringify(view, (_, value) => value ?? undefined);
  const fields = {t: TYPE, drbd_res: view.resource, drbd_ask: isAsked ? '1' : '0', drbd_json: text, dest: to};
  return messageOf(fields);
}

/** The node that throws its changes away asks the other one to take up the connection that stands alone there. */
export function connectMessage(to: string | undefined, resource: string): Message {
  return messageOf({t: CONNECT, drbd_res: resource, dest: to});
}

export function readViewMessage(message: Message): ViewMessage | undefined {
  if (fieldOf(message, 't') !== TYPE) return undefined;
  const from = fieldOf(message, 'src')?.toLowerCase() ?? '';
  const resource = fieldOf(message, 'drbd_res') ?? '';
  const text = fieldOf(message, 'drbd_json') ?? '';
  const view = text.length > JSON_MAX ? undefined : parseView(text);
  const isFit = view !== undefined && view.resource === resource && view.node === from;
  return {from, resource, isAsked: fieldOf(message, 'drbd_ask') === '1', view: isFit ? view : undefined};
}

/** The resource that the other node wants connected. */
export function readConnectMessage(message: Message): {readonly from: string; readonly resource: string} | undefined {
  if (fieldOf(message, 't') !== CONNECT) return undefined;
  return {from: fieldOf(message, 'src')?.toLowerCase() ?? '', resource: fieldOf(message, 'drbd_res') ?? ''};
}

export function parseView(text: string): View | undefined {
  try {
    return viewOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** From anything that JSON can hold. */
export function viewOf(value: unknown): View | undefined {
  const item = itemOf(value);
  const [node, resource] = [item['node'], item['resource']];
  const volumes = item['volumes'];
  if (typeof node !== 'string' || typeof resource !== 'string' || !Array.isArray(volumes)) return undefined;
  if (volumes.length > VOLUMES_MAX) return undefined;
  return {
    node: node.toLowerCase(),
    resource,
    wallMs: numberOf(item['wallMs']) ?? 0,
    isUp: item['isUp'] === true,
    role: roleOf(wordOf(item['role'])),
    connection: connectionOf(wordOf(item['connection'])),
    volumes: volumes.map(volumeOf),
    isDiscarding: item['isDiscarding'] === true,
    ...timesOf(item),
  };
}

export function timesOf(value: unknown): Times {
  const item = itemOf(value);
  const times: Record<string, number> = {};
  for (const name of ['primarySinceMs', 'lastPrimaryMs', 'lastWriteMs', 'lostMs']) {
    const time = numberOf(item[name]);
    if (time !== undefined) times[name] = time;
  }
  return times;
}

function volumeOf(value: unknown): VolumeView {
  const item = itemOf(value);
  const generation = itemOf(item['generation']);
  const history = Array.isArray(generation['history']) ? generation['history'] : [];
  const flags = itemOf(generation['flags']);
  const bits = ['isConsistent', 'isUpToDate', 'isPrimary', 'wasConnected'].map((name) => (flags[name] ? 1 : 0));
  // Through the one parser of identifiers, so that nothing else gets in.
  const line = [generation['current'], generation['bitmap'], ...history, ...bits].join(':');
  return {
    volume: numberOf(item['volume']) ?? 0,
    disk: diskState(wordOf(item['disk'])),
    peerDisk: diskState(wordOf(item['peerDisk'])),
    outOfSyncKib: numberOf(item['outOfSyncKib']),
    generation: parseGenerations(line)[0],
  };
}

export interface ViewSource {
  readonly node: string;
  readonly resource: string;
  readonly wallMs: number;
  /** undefined: the resource is down. */
  readonly state: ResourceState | undefined;
  readonly generations: readonly Generation[];
  readonly times: Times;
  readonly isDiscarding: boolean;
}

export function makeView({node, resource, wallMs, state, generations, times, isDiscarding}: ViewSource): View {
  const peer = state?.peers[0];
  // Down, there is nothing but the identifiers in the metadata.
  const volumes = state?.volumes ?? generations.map((_, volume) => ({volume, disk: 'Unknown' as const}));
  return {
    ...times,
    node,
    resource,
    wallMs,
    isUp: state !== undefined,
    role: state?.role ?? 'Unknown',
    connection: connectionIn(state),
    volumes: volumes.map(({volume, disk}, index) => {
      const there = peer?.volumes.find((each) => each.volume === volume);
      return {
        volume,
        disk,
        peerDisk: there?.disk ?? 'Unknown',
        outOfSyncKib: there?.outOfSyncKib,
        generation: generations[index],
      };
    }),
    isDiscarding,
  };
}

function connectionIn(state: ResourceState | undefined): Connection {
  const peer = state?.peers[0];
  if (!peer) return state === undefined ? 'Unknown' : 'StandAlone';
  return linkOf(peer);
}

export function generationsOf(view: Pick<View, 'volumes'>): readonly Generation[] {
  const known = view.volumes.flatMap(({generation}) => (generation === undefined ? [] : [generation]));
  return known.length === view.volumes.length ? known : [];
}

/** undefined: not known of one volume at least. */
export function outOfSyncKib(view: View): number | undefined {
  let sum = 0;
  for (const volume of view.volumes) {
    if (volume.outOfSyncKib === undefined) return undefined;
    sum += volume.outOfSyncKib;
  }
  return view.volumes.length === 0 ? undefined : sum;
}

function itemOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function wordOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

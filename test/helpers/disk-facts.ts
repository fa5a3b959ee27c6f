// Facts of one DRBD resource `data`, made from what DRBD says as the manager's edge makes them.

import {factsOf} from '../../src/drbd/facts.js';
import {connectionOf, diskState, replicationOf, roleOf} from '../../src/drbd/state.js';
import type {DiskFacts} from '../../src/model/disk.js';

export interface Said {
  readonly role?: string;
  readonly disk?: string;
  readonly conn?: string;
  readonly repl?: string;
  readonly prole?: string;
  readonly pdisk?: string;
  readonly leftKib?: number;
  /** Found by `drbdadm verify`, and confirmed by a look. */
  readonly differsKib?: number;
}

export function facts(said: Said = {}): DiskFacts {
  const {role = 'Secondary', disk = 'UpToDate', conn = 'Connected', prole = 'Secondary', pdisk = 'UpToDate'} = said;
  const repl = said.repl ?? (conn === 'Connected' ? 'Established' : 'Off');
  const {leftKib} = said;
  const volume = {
    volume: 0,
    replication: replicationOf(repl),
    disk: diskState(pdisk),
    outOfSyncKib: leftKib ?? said.differsKib,
  };
  const donePercent = leftKib === undefined ? undefined : Math.round((1 - leftKib / 262_144) * 1000) / 10;
  const state = {
    name: 'data',
    role: roleOf(role),
    isSuspended: false,
    volumes: [{volume: 0, minor: 0, disk: diskState(disk)}],
    peers: [{name: 'peer', connection: connectionOf(conn), role: roleOf(prole), volumes: [{...volume, donePercent}]}],
  };
  const samples =
    leftKib === undefined
      ? []
      : [
          {monoMs: 0, leftKib: leftKib + 20_480},
          {monoMs: 2000, leftKib},
        ];
  return factsOf(state, 'n2', samples);
}

const LOST = {conn: 'Connecting', prole: 'Unknown', pdisk: 'DUnknown'} as const;

/** The usual sights. */
export const SEEN = {
  active: {role: 'Primary'},
  standby: {prole: 'Primary'},
  idle: {},
  differs: {role: 'Primary', differsKib: 4096},
  differsThere: {prole: 'Primary', differsKib: 4096},
  alone: {...LOST},
  aloneActive: {...LOST, role: 'Primary', pdisk: 'Outdated'},
  outdated: {...LOST, disk: 'Outdated'},
  source: {role: 'Primary', repl: 'SyncSource', pdisk: 'Inconsistent', leftKib: 163_840},
  target: {disk: 'Inconsistent', repl: 'SyncTarget', prole: 'Primary', leftKib: 163_840},
} satisfies Readonly<Record<string, Said>>;

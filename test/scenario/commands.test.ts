// Goal: every program answers, in every situation, with the words and the exit status that scripts know. Method: transcripts
// of real runs of bin/NAME as child processes, against sockets that answer as a daemon does.

import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {ClusterStatus, ControlReply, ControlRequest} from '../../src/model/control.js';
import {type Place, place} from '../helpers/command.js';
import {type FakeServer, fakeApi, fakeControl} from '../helpers/fake-daemon.js';
import {playTranscript} from '../helpers/transcript.js';

let where: Place;
let server: FakeServer | undefined;

beforeEach(() => {
  where = place();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  where.remove();
});

async function same(name: string): Promise<void> {
  const {expected, actual} = await playTranscript(name, where);
  assert.equal(actual, expected);
}

test('cl_status with heartbeat running', async () => {
  server = await fakeApi(`${where.dir}/run/register`);
  await same('cl-status-running');
}, 60_000);

test('cl_status with heartbeat stopped', async () => {
  await same('cl-status-stopped');
}, 60_000);

test('all programs with heartbeat stopped', async () => {
  await same('commands-stopped');
}, 60_000);

test('all programs with a Systole daemon running', async () => {
  writeFileSync(
    `${where.dir}/ha.d/haresources`,
    'N1 10.0.0.17/24 Filesystem::/dev/drbd0::/data \\\n mysqld # the main one\nn1 10.0.0.18\nn2 10.0.0.19\n'.replace(
      '/24',
      '',
    ),
  );
  server = await fakeControl(`${where.dir}/run/systole`, answer);
  await same('commands-running');
}, 60_000);

function answer(request: ControlRequest): ControlReply {
  switch (request.command) {
    case 'status':
      return {ok: true, text: '', status};
    case 'standby':
      return request.scope === 'local'
        ? {ok: false, code: 'PEER_DEAD', text: 'n2 is dead and cannot take anything', hint: 'see `systole status`'}
        : {ok: true, text: `n1 gives ${request.scope} to n2`};
    case 'takeover':
      return {ok: true, text: `n1 asks n2 for ${request.scope}`};
    case 'delete-nodes':
      return {ok: false, code: 'NODE_ALIVE', text: 'deletion failed: node n2 is not dead'};
    case 'dump':
      return {ok: true, text: '', dump: {some: 'state'}};
    default:
      return {ok: true, text: `${request.command}: done`};
  }
}

const status: ClusterStatus = {
  node: 'n1',
  version: '0.1.0',
  generation: 17,
  rscstatus: 'local',
  phase: 'stable',
  nodes: [
    {name: 'n1', type: 'normal', status: 'active', links: [{name: 'eth0', status: 'dead'}], kind: 'self'},
    {
      name: 'n2',
      type: 'normal',
      status: 'active',
      links: [
        {name: 'eth0', status: 'up'},
        {name: 'eth1', status: 'dead'},
      ],
      kind: 'systole',
    },
    {name: '10.0.0.1', type: 'ping', status: 'ping', links: [{name: '10.0.0.1', status: 'up'}], kind: 'ping'},
  ],
  groups: [
    {
      key: '10.0.0.17',
      home: 'n1',
      owner: 'n1',
      state: 'starting',
      peerState: 'stopped',
      failCount: 0,
      resources: [
        {word: '10.0.0.17', state: 'running'},
        {word: 'Filesystem::/dev/drbd0::/data', state: 'running'},
        {word: 'mysqld', state: 'starting'},
      ],
      activity: 'mysqld start, 0.2 s',
      reason: undefined,
    },
    {
      key: '10.0.0.18',
      home: 'n1',
      owner: undefined,
      state: 'failed',
      peerState: 'failed',
      failCount: 2,
      resources: [{word: '10.0.0.18', state: 'stopped'}],
      activity: undefined,
      reason: 'its start failed on both nodes',
    },
    {
      key: '10.0.0.19',
      home: 'n2',
      owner: 'n2',
      state: 'stopped',
      peerState: 'running',
      failCount: 0,
      resources: [{word: '10.0.0.19', state: 'stopped'}],
      activity: undefined,
      reason: undefined,
    },
  ],
  standby: undefined,
  warnings: ['no fencing is configured: a group may run twice when all links are cut'],
};

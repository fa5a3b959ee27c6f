// Goal: dopd knows whether the handler that the kernel calls is ours and whom it is about, with DRBD 8.4 and 9, and takes nothing else
// for it; the helper knows whom it is called about. Method: `drbdadm dump` of both versions' drbdadm on real configurations
// (fixtures/drbd), events2 lines of a real pair; bin/drbd-peer-outdater itself asks this test.

import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdirSync, readFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {describe, test} from '@jest/globals';
import {calledPeer, fenceHandlers, helperCall} from '../../src/drbd/handler-env.js';
import {parseShow} from '../../src/drbd/show.js';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';
import {place, root, runProgram} from '../helpers/command.js';

const dump = (version: string) => parseShow(readFileSync(`${root}/fixtures/drbd/${version}/dump`, 'utf8'));
const OURS = '/usr/libexec/heartbeat/drbd-peer-outdater -t 12';

describe('the configured handler', () => {
  test('8.4: of the resource, else of all', () => {
    const found = fenceHandlers(dump('8.4'), 'DATA-1-1');
    assert.deepEqual(Object.keys(found), ['data', 'logs']);
    assert.deepEqual(found['data'], {command: OURS, peers: ['data-1-2']});
    assert.equal(calledPeer(found['data']), 'data-1-2');
    assert.equal(found['logs']?.command, '/usr/lib/drbd/crm-fence-peer.sh');
    assert.equal(calledPeer(found['logs']), undefined);
  });

  test('9: with several peers the call does not say which one is meant', () => {
    const found = fenceHandlers(dump('9'), 'data-1-1');
    assert.deepEqual(found['data'], {command: OURS, peers: ['data-1-2', 'data-1-3']});
    assert.equal(calledPeer(found['data']), undefined);
  });

  test('no handler, another handler, a resource of other nodes', () => {
    const of = (text: string) => fenceHandlers(parseShow(text), 'n1');
    assert.deepEqual(of('resource r0 { on n1 { } on n2 { } }'), {});
    assert.deepEqual(of(''), {});
    assert.equal(calledPeer(undefined), undefined);
    assert.equal(calledPeer({command: '', peers: ['n2']}), undefined);
    assert.equal(calledPeer({command: '/opt/not-drbd-peer-outdater', peers: ['n2']}), undefined);
    assert.equal(calledPeer({command: OURS, peers: []}), undefined);
    const quoted = of(`resource "my data" { on n1 { } on n2 { } handlers { fence-peer "${OURS}"; } }`);
    assert.deepEqual(quoted, {});
  });
});

test('the line that says the kernel calls a handler', () => {
  const line = 'call helper name:data peer-node-id:0 conn-name:peer helper:fence-peer';
  assert.deepEqual(helperCall(line), {resource: 'data', helper: 'fence-peer'});
  assert.deepEqual(helperCall(`2026-11-21T17:43:36.712375+00:00 ${line}`), {resource: 'data', helper: 'fence-peer'});
  const volume = 'call helper name:data peer-node-id:0 conn-name:peer volume:0 minor:0 helper:before-resync-source';
  assert.deepEqual(helperCall(volume), {resource: 'data', helper: 'before-resync-source'});
  for (const other of [
    'response helper name:data peer-node-id:0 conn-name:peer helper:fence-peer status:1024',
    'change resource name:data role:Primary',
    'exists -',
    'call helper',
    '',
  ])
    assert.equal(helperCall(other), undefined, other);
});

/** Whom the helper asks dopd about, in this environment; undefined: it refuses, because it cannot tell. */
async function peerAsked(more: Readonly<Record<string, string>>): Promise<string | undefined> {
  const where = place();
  mkdirSync(`${where.dir}/run/dopd`, {recursive: true});
  let asked: Message | undefined;
  const server = createServer((socket) => {
    let state = EMPTY_API;
    socket.on('data', (chunk: Buffer) => {
      const read = readApiFrames(state, chunk);
      state = read.state;
      asked ??= read.messages[0];
      if (asked) socket.end(encodeApiFrame(messageOf({t: 'outdater_rc', src: 'n1', dop_value: '4'})));
    });
  });
  server.listen(`${where.dir}/run/dopd/outdater`);
  try {
    await once(server, 'listening');
    const {status} = await runProgram(`${root}/bin/drbd-peer-outdater`, ['-t', '9'], {
      ...where.env,
      DRBD_RESOURCE: 'data',
      ...more,
    });
    assert.equal(status, asked === undefined ? 1 : 4);
    if (asked !== undefined) assert.equal(fieldOf(asked, 'outdater_res'), 'data');
    return asked && fieldOf(asked, 'outdater_peer');
  } finally {
    server.close();
    where.remove();
  }
}

describe('the environment of the handler', () => {
  test('8.4: DRBD_PEER, and DRBD_PEERS beside it', async () => {
    assert.equal(await peerAsked({DRBD_PEER: 'N2', DRBD_PEERS: 'N2'}), 'n2');
    assert.equal(await peerAsked({DRBD_PEERS: ' n2 '}), 'n2');
  });

  test('9: called for one connection, the id counts, whatever else is there', async () => {
    const names = {DRBD_NODE_ID_0: 'n1', DRBD_NODE_ID_1: 'n2', DRBD_NODE_ID_2: 'n3', DRBD_MY_NODE_ID: '0'};
    for (const [id, name] of [
      ['1', 'n2'],
      ['2', 'n3'],
    ] as const) {
      assert.equal(await peerAsked({...names, DRBD_PEER_NODE_ID: id}), name);
      assert.equal(await peerAsked({...names, DRBD_PEER_NODE_ID: id, DRBD_PEERS: 'n2 n3'}), name);
      assert.equal(await peerAsked({...names, DRBD_PEER_NODE_ID: id, DRBD_PEER: 'n9'}), name);
    }
  });

  test('9 that tells nothing but who is who: of two nodes the other one', async () => {
    const names = {DRBD_NODE_ID_0: 'n1', DRBD_NODE_ID_1: 'n2', DRBD_MY_NODE_ID: '0'};
    assert.equal(await peerAsked(names), 'n2');
    assert.equal(await peerAsked({...names, DRBD_NODE_ID_2: 'n3'}), undefined);
    assert.equal(await peerAsked({...names, DRBD_MY_NODE_ID: '5'}), undefined);
    assert.equal(await peerAsked({DRBD_NODE_ID_1: 'n2'}), undefined);
  });

  test('who is meant is not known: nobody', async () => {
    assert.equal(await peerAsked({DRBD_PEERS: 'n2 n3'}), undefined);
    assert.equal(await peerAsked({DRBD_PEERS: ''}), undefined);
    assert.equal(await peerAsked({DRBD_PEER_NODE_ID: '7', DRBD_NODE_ID_1: 'n2', DRBD_PEERS: 'n2 n3'}), undefined);
    assert.equal(await peerAsked({}), undefined);
  });
});

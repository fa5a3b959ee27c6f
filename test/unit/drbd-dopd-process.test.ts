// Goal: dopd and drbd-peer-outdater as programs: the answers of the original, for helpers of either kind, on both sides, without
// a moment in which nobody listens. Method: bin/dopd signs on to our client API; this test is the cluster behind it, and
// DRBD is the stand-in. Helpers are bin/drbd-peer-outdater or raw frames as the original's binary sends them.

import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import {afterEach, beforeEach, describe, jest, test} from '@jest/globals';
import type {NodeView} from '../../src/model/cluster.js';
import {fieldOf, type Message, messageOf} from '../../src/model/message.js';
import {groupId, userAccount} from '../../src/runtime/accounts.js';
import {type ClientApi, startClientApi} from '../../src/runtime/client-api.js';
import {EMPTY_API, encodeApiFrame, readApiFrames} from '../../src/wire/api-frame.js';
import {type Ended, type Place, place, root, runProgram} from '../helpers/command.js';
import {FakeDrbd} from '../helpers/drbd.js';

// Programs are started here, and the machine may be busy.
jest.setTimeout(30_000);

const NOTICED = {conn: 'Connecting', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'};
const CONNECTED = {};
/** As 8.4 prints it, with what is needed to reach the kernel directly. */
const SHOW_84 = `resource data { net { timeout 5; ping-int 0; ping-timeout 5; connect-int 1; }
  _remote_host { address ipv4 10.0.10.8:7788; } _this_host { address ipv4 10.0.10.7:7788; volume 0 { device minor 0; } } }\n`;
const DUMP = `resource data { on n1 { address ipv4 10.0.10.7:7788; } on n2 { address ipv4 10.0.10.8:7788; }
  handlers { fence-peer "/usr/libexec/heartbeat/drbd-peer-outdater -t 12"; } }\n`;

let where: Place;
let drbd: FakeDrbd;
let api: ClientApi;
let dopd: ChildProcess | undefined;
let nodes: NodeView[];
let onSend: (message: Message) => void;

beforeEach(async () => {
  where = place();
  drbd = new FakeDrbd();
  drbd.set(NOTICED);
  drbd.put('show', 'resource data { net { timeout 5; ping-int 0; ping-timeout 5; connect-int 1; } }\n');
  nodes = ['n1', 'n2'].map((name) => ({name, type: 'normal', status: 'active', links: []}));
  onSend = () => {};
  const uids = [String(process.getuid?.() ?? 0), ...(userAccount('hacluster') ? ['hacluster'] : [])];
  api = await startClientApi({
    path: `${where.dir}/run/register`,
    keepaliveMs: 1000,
    deadtimeMs: 5000,
    apiauth: [{client: 'dopd', uids, gids: []}],
    accounts: {uidOf: (user) => userAccount(user)?.uid, gidOf: groupId},
    view: () => ({node: 'n1', nodes, uuids: {}}),
    parameters: () => ({}),
    rscstatus: () => 'local',
    send: (message) => onSend(message),
    onLog: () => {},
  });
  // The user as whom dopd signs on must get here.
  for (const path of [where.dir, `${where.dir}/run`]) await runProgram('/bin/chmod', ['755', path], {PATH: '/bin'});
  await startDopd();
});

afterEach(async () => {
  await stopDopd('SIGTERM');
  await api.close();
  drbd.remove();
  where.remove();
});

const socketPath = () => `${where.dir}/run/dopd/outdater`;
const env = () => ({...where.env, ...drbd.env, HA_LOGFILE: `${where.dir}/log/ha-log`});
const log = () => (existsSync(`${where.dir}/log/ha-log`) ? readFileSync(`${where.dir}/log/ha-log`, 'utf8') : '');

async function startDopd(): Promise<void> {
  dopd = spawn(`${root}/bin/dopd`, [], {env: env(), stdio: ['ignore', 'ignore', 'inherit']});
  await until(() => existsSync(socketPath()) || dopd?.exitCode !== null);
  assert.equal(dopd.exitCode, null, 'dopd ended');
}

/** Another dopd, which has its picture of DRBD and knows what is configured. */
async function restartDopd(): Promise<void> {
  await stopDopd('SIGTERM');
  drbd.put('calls', '');
  await startDopd();
  await until(() => /drbdsetup show .*\n(.*\n)*drbdadm dump/.test(drbd.allCalls()));
}

async function stopDopd(signal: NodeJS.Signals): Promise<void> {
  if (dopd?.exitCode !== null || dopd.signalCode !== null) return;
  const ended = once(dopd, 'exit');
  dopd.kill(signal);
  await ended;
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 2000, 'it never became true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const outdater = (words: readonly string[] = ['-r', 'data', '-p', 'n2', '-t', '8'], more = {}): Promise<Ended> =>
  runProgram(`${root}/bin/drbd-peer-outdater`, words, {...env(), ...more});

/** The peer's dopd answers every request with that value. */
function peerAnswers(value: number, more: Record<string, string> = {dop_seen: '1'}): string[] {
  const asked: string[] = [];
  onSend = (message) => {
    if (fieldOf(message, 't') !== 'start_outdate') return;
    asked.push(['dest', 'dop_res', 'from_id', 'to_id'].map((name) => fieldOf(message, name)).join(' '));
    const fields = {t: 'outdate_rc', src: 'n2', dop_value: String(value), dop_res: 'data', to_id: 'dopd', ...more};
    api.deliver(messageOf({...fields, dop_id: fieldOf(message, 'dop_id') ?? ''}));
  };
  return asked;
}

function rcFrame(value: number): Buffer {
  return encodeApiFrame(messageOf({t: 'outdater_rc', dop_value: String(value)}));
}

/** This test as the peer that wants the disk here outdated; the answer that dopd sends back. */
function wantOutdated(): Promise<Message> {
  return new Promise((resolve) => {
    onSend = (message) => {
      if (fieldOf(message, 't') === 'outdate_rc') resolve(message);
    };
    api.deliver(
      messageOf({t: 'start_outdate', src: 'n2', dop_res: 'data', dest: 'n1', from_id: 'dopd', to_id: 'dopd'}),
    );
  });
}

describe('on the side that asks', () => {
  test('the peer is asked and its answer is the exit code; names from options or from the environment', async () => {
    const asked = peerAnswers(4);
    assert.equal((await outdater()).status, 4);
    assert.deepEqual(asked, ['n2 data dopd dopd']);
    assert.equal((await outdater([], {DRBD_RESOURCE: 'data', DRBD_PEER: 'N2', DRBD_PEERS: 'N2'})).status, 4);
    assert.equal((await outdater(['-t5'], {DRBD_RESOURCE: 'data', DRBD_PEERS: 'n2'})).status, 4);
    peerAnswers(6);
    assert.equal((await outdater()).status, 6);
  });

  // An exit status has eight bits: 260 would be a 4 that nobody said.
  test('what is no answer of the convention is 20, from a peer and from dopd itself', async () => {
    for (const value of [260, 5, 7, 0, -1]) {
      peerAnswers(value);
      assert.equal((await outdater()).status, 20, String(value));
    }
    await stopDopd('SIGTERM');
    for (const [value, status] of [
      [260, 20],
      [4, 4],
    ] as const) {
      const stub = createServer((socket) => {
        socket.on('error', () => {}).on('data', () => socket.write(rcFrame(value)));
      });
      await new Promise<void>((resolve) => stub.listen(socketPath(), resolve));
      assert.equal((await outdater()).status, status, String(value));
      await new Promise((resolve) => stub.close(resolve));
    }
  });

  test('ten helpers at once all get the one answer', async () => {
    const asked = peerAnswers(3);
    const ended = await Promise.all(Array.from({length: 10}, () => outdater()));
    assert.deepEqual(new Set(ended.map((each) => each.status)), new Set([3]));
    assert.ok(asked.length <= 10);
  });

  test('no blind moment: helpers one after the other, and one while dopd is started again', async () => {
    peerAnswers(4);
    for (let count = 0; count < 5; count += 1) assert.equal((await outdater()).status, 4);
    await stopDopd('SIGKILL');
    const waiting = outdater();
    await startDopd();
    assert.equal((await waiting).status, 4);
  });

  test('a dead peer is 5 at once', async () => {
    nodes = nodes.map((node) => (node.name === 'n2' ? {...node, status: 'dead'} : node));
    const {status, tookMs} = await outdater();
    assert.equal(status, 5);
    assert.ok(tookMs < 3000);
  });

  test('a peer that dies while it is asked is 5; one that only keeps silent is not', async () => {
    const waiting = outdater();
    await until(() => /asking n2/.test(log()));
    nodes = nodes.map((node) => (node.name === 'n2' ? {...node, status: 'dead'} : node));
    assert.equal((await waiting).status, 5);
    nodes = nodes.map((node) => ({...node, status: 'active'}));
    const silent = await outdater(['-r', 'data', '-p', 'n2', '-t', '1']);
    assert.equal(silent.status, 20);
    assert.match(silent.stderr, /nothing is known of n2/);
  });

  test('a dead peer that STONITH has reset is 7; while that is not decided nothing is said', async () => {
    nodes = nodes.map((node) => (node.name === 'n2' ? {...node, status: 'dead', stonith: 'pending'} : node));
    const waiting = outdater();
    await until(() => /n2 is dead; waiting for its STONITH/.test(log()));
    nodes = nodes.map((node) => (node.name === 'n2' ? {...node, stonith: 'OK'} : node));
    assert.equal((await waiting).status, 7);
  });

  test('DRBD is connected: a helper that is called by hand breaks nothing', async () => {
    drbd.set(CONNECTED);
    await restartDopd();
    const asked = peerAnswers(4);
    assert.equal((await outdater()).status, 20);
    assert.deepEqual(asked, []);
    assert.match(log(), /data is connected to n2: there is nothing to outdate/);
  });

  test('a link that returns ends the request', async () => {
    await restartDopd();
    const waiting = outdater();
    await until(() => /asking n2/.test(log()));
    drbd.set(CONNECTED);
    assert.equal((await waiting).status, 20);
    assert.match(log(), /info: data on n2: 20 \(the link works again\)/);
  });

  test('the kernel calls its handler: the peer is asked at once, before the handler has started', async () => {
    drbd.put('dump', DUMP);
    await restartDopd();
    const asked = peerAnswers(4);
    const call = 'call helper name:data peer-node-id:0 conn-name:peer helper:fence-peer\n';
    for (let tries = 0; asked.length === 0; tries += 1) {
      assert.ok(tries < 100, 'the peer is not asked');
      drbd.put('said', call);
      await until(() => !existsSync(`${drbd.dir}/said`));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(asked[0], 'n2 data dopd dopd');
    assert.match(log(), /DRBD calls its fence-peer handler for data: n2 may begin/);
  });

  test('a helper that is killed half-way disturbs nobody', async () => {
    const helper = spawn(`${root}/bin/drbd-peer-outdater`, ['-r', 'data', '-p', 'n2', '-t', '8'], {env: env()});
    await until(() => /asking n2/.test(log()));
    helper.kill('SIGKILL');
    await once(helper, 'exit');
    peerAnswers(4);
    assert.equal((await outdater()).status, 4);
  });

  test('a peer that is no node of the cluster, and this node itself', async () => {
    assert.equal((await outdater(['-r', 'data', '-p', 'master2', '-t', '5'])).status, 20);
    await until(() => /master2 is not a node of this cluster/.test(log()));
    assert.equal((await outdater(['-r', 'data', '-p', 'N1', '-t', '5'])).status, 20);
  });

  test('usage: 1 and standard error without names, 0 and standard output when asked for', async () => {
    const missing = await outdater([]);
    assert.deepEqual([missing.status, missing.stdout], [1, '']);
    assert.match(missing.stderr, /^usage: /);
    const help = await outdater(['-h']);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /^usage: /);
  });

  test('the frames of the original helper; nonsense on the socket disturbs nobody', async () => {
    peerAnswers(4);
    const noise = connect(socketPath());
    noise.on('error', () => {});
    noise.write('GET / HTTP/1.0\r\n\r\n');
    const socket = connect(socketPath());
    const fields = {t: 'outdater', src: 'drbd-peer-outdater', outdater_peer: 'n2', outdater_res: 'data'};
    socket.write(encodeApiFrame(messageOf(fields)));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    const [answer] = readApiFrames(EMPTY_API, chunk).messages;
    assert.deepEqual(
      answer?.fields.map((field) => `${field.name}=${field.value}`),
      ['t=outdater_rc', 'src=n1', 'dop_value=4'],
    );
    socket.destroy();
    noise.destroy();
  });
});

describe('on the side that is asked', () => {
  const value = async () => fieldOf(await wantOutdated(), 'dop_value');

  test('DRBD still believes itself connected: the disk is really outdated before 4 is said, and connected again', async () => {
    drbd.set(CONNECTED);
    const answer = await wantOutdated();
    const fields = ['t', 'dest', 'dop_value', 'dop_res', 'from_id', 'to_id'].map((name) => fieldOf(answer, name));
    assert.deepEqual(fields, ['outdate_rc', 'n2', '4', 'data', 'dopd', 'dopd']);
    assert.equal(drbd.get('disk'), 'Outdated');
    await until(() => drbd.get('conn') === 'Connecting');
    // Perhaps after an outdate that did nothing, while the stream had not told dopd that DRBD is connected.
    assert.deepEqual(drbd.calls().slice(-3), ['disconnect --force data', 'outdate data', 'adjust data']);
  });

  test('the loss is noticed already: outdate is enough', async () => {
    assert.equal(await value(), '4');
    assert.deepEqual(drbd.calls(), ['outdate data']);
    // And again; perhaps before the stream has told dopd that the disk is Outdated now.
    assert.equal(await value(), '4');
    assert.deepEqual([...new Set(drbd.calls())], ['outdate data']);
  });

  test('Primary here: 6, and nothing is touched', async () => {
    drbd.set({role: 'Primary'});
    await restartDopd();
    assert.equal(await value(), '6');
    assert.deepEqual(drbd.calls(), []);
  });

  test('Inconsistent: 3; down: its metadata; without metadata: 20', async () => {
    drbd.set({conn: 'Connecting', repl: 'Off', disk: 'Inconsistent'});
    assert.equal(await value(), '3');
    drbd.set({up: 'no', meta: 'UpToDate'});
    assert.equal(await value(), '4');
    assert.equal(drbd.get('meta'), 'Outdated');
    drbd.set({up: 'no', meta: ''});
    assert.equal(await value(), '20');
  });

  test('with 8.4 the kernel is told directly, and when that fails drbdadm does it', async () => {
    drbd.put('show', SHOW_84);
    drbd.put('on-disconnect', '[ ! -e broken ] || { rm broken; exit 10; }');
    for (const isBroken of [false, true]) {
      drbd.set(CONNECTED);
      await restartDopd();
      drbd.put('calls', '');
      if (isBroken) drbd.put('broken', '');
      assert.equal(await value(), '4');
      const changes = drbd.allCalls().match(/^drbdsetup (disconnect|outdate).*$|^drbdadm disconnect.*$/gm);
      const direct = 'drbdsetup disconnect ipv4:10.0.10.7:7788 ipv4:10.0.10.8:7788 --force';
      assert.ok(changes?.includes(direct) && changes.includes('drbdsetup outdate 0'), changes?.join('\n'));
      await until(() => drbd.get('conn') === 'Connecting');
    }
  });

  test('killed half-way, with the connection dropped: the next dopd takes it up', async () => {
    // With an old picture dopd would try to outdate before it drops anything.
    drbd.set(CONNECTED);
    await restartDopd();
    drbd.put('on-outdate', 'kill -9 $PPID');
    void wantOutdated();
    await until(() => dopd?.signalCode === 'SIGKILL');
    assert.equal(drbd.get('conn'), 'StandAlone');
    drbd.put('on-outdate', ':');
    await startDopd();
    await until(() => drbd.get('conn') === 'Connecting');
    assert.equal(await value(), '4');
  });

  test('a disk that stays UpToDate is never called outdated', async () => {
    drbd.put('on-outdate', 'exit 0');
    assert.equal(await value(), '20');
  });

  test('tools that fail: 20 with the reason in the log', async () => {
    drbd.put('on-events2', 'echo "disk on fire" >&2; exit 20');
    assert.equal(await value(), '20');
    assert.match(log(), /ERROR: data: sending return code: 20 \(.*disk on fire/);
  });

  test('a connection that an earlier dopd dropped and did not take up again is taken up at the start', async () => {
    drbd.set(CONNECTED);
    drbd.put('on-adjust', 'exit 1');
    assert.equal(await value(), '4');
    await until(() => /stays disconnected/.test(log()));
    await stopDopd('SIGKILL');
    drbd.put('on-adjust', ':');
    await startDopd();
    await until(() => drbd.get('conn') === 'Connecting');
  });
});

describe('without heartbeat', () => {
  test('one line that says so, and the exit code of a program that does not run', async () => {
    await stopDopd('SIGTERM');
    await api.close();
    const {HA_LOGFILE: _, ...bare} = env();
    const ended = await runProgram(`${root}/bin/dopd`, [], bare);
    assert.equal(ended.status, 7);
    assert.equal(ended.stdout, '');
    assert.match(ended.stderr, /^dopd: ERROR: cannot start: heartbeat is not running \(.*register: ENOENT\)\n$/);
  });

  test('a second dopd is refused: one line, and it ends', async () => {
    const {HA_LOGFILE: _, ...bare} = env();
    const ended = await runProgram(`${root}/bin/dopd`, [], bare);
    assert.equal(ended.status, 3);
    assert.match(ended.stderr, /^dopd: ERROR: cannot start: heartbeat refuses dopd: .*apiauth.*\n$/);
  });
});

// Goal: a split brain is logged once and kept for `systole drbd status` on both nodes; what is no split brain is not called one;
// the one wish that is granted is that of a node which throws its own changes away. Method: two watches whose messages
// reach each other, each with stand-in tools and a /proc/drbd of its own.

import assert from 'node:assert/strict';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {afterEach, beforeEach, describe, jest, test} from '@jest/globals';
import {parseGenerations} from '../../src/drbd/generation.js';
import {type Message, messageOf} from '../../src/model/message.js';
import {whyNotPromote} from '../../src/runtime/drbd/split-brain-guard.js';
import {SplitBrainWatch} from '../../src/runtime/drbd/split-brain-watch.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {noteUnproven} from '../../src/runtime/drbd/unproven.js';
import {
  connectWishPath,
  type DrbdPlaces,
  findingPath,
  journalPath,
  keepFinding,
  readFinding,
  readTimes,
} from '../../src/runtime/drbd/view-here.js';
import {root} from '../helpers/config.js';
import {FakeDrbd} from '../helpers/drbd.js';

const gi = (name: string): string => readFileSync(`${root}/fixtures/drbd/8.4/${name}`, 'utf8');
const OLD = '346EC3F299DF65DE:0000000000000000:3D60C7B8E27B770A:0000000000000004:1:1:0:0:0:0:0\n';

// Every look starts programs, which a busy machine does in its own time.
jest.setTimeout(90_000);

class Node {
  readonly drbd: FakeDrbd;
  readonly dir: string;
  readonly places: DrbdPlaces;
  readonly log: string[] = [];
  readonly watch: SplitBrainWatch;
  peer: Node | undefined;

  /** `before`: the same node, whose dopd is started again. */
  constructor(
    readonly name: string,
    before?: Node,
  ) {
    this.drbd = before?.drbd ?? new FakeDrbd();
    this.dir = before?.dir ?? mkdtempSync(`${tmpdir()}/systole-watch-`);
    this.places = {runDir: `${this.dir}/run`, varLibDir: `${this.dir}/lib`};
    this.watch = new SplitBrainWatch({
      tools: new DrbdTools(this.drbd.env),
      node: name,
      places: this.places,
      procDrbd: `${this.dir}/proc`,
      pollMs: 10,
      send: (message) => this.peer?.watch.received(this.signed(message)),
      log: (level, text) => this.log.push(`${level}: ${text}`),
    });
    mkdirSync(`${this.places.varLibDir}/drbd`, {recursive: true});
    mkdirSync(`${this.places.runDir}/drbd`, {recursive: true});
  }

  signed(message: Message): Message {
    return messageOf({...Object.fromEntries(message.fields.map(({name, value}) => [name, value])), src: this.name});
  }

  is(role: string, connection: 'StandAlone' | 'Connecting' | 'Connected', generation: string): void {
    const conn = {StandAlone: 'StandAlone', Connecting: 'WFConnection', Connected: 'Connected'}[connection];
    this.drbd.set({role, conn: connection, repl: connection === 'Connected' ? 'Established' : 'Off', prole: 'Unknown'});
    this.drbd.put('gi', generation);
    const ds = connection === 'Connected' ? 'UpToDate/UpToDate' : 'UpToDate/DUnknown';
    writeFileSync(
      `${this.dir}/proc`,
      `version: 8.4.11 (api:1/proto:86-101)\n 0: cs:${conn} ro:${role}/Unknown ds:${ds}   r-----\n    ns:0 nr:0 dw:1 oos:0\n`,
    );
  }

  errors(): readonly string[] {
    return this.log.filter((line) => line.startsWith('ERROR'));
  }

  remove(): void {
    this.drbd.remove();
    rmSync(this.dir, {recursive: true, force: true});
  }
}

function viewOf(node: Node, generation: string, role = 'Primary'): Message {
  const [volume] = [{volume: 0, disk: 'UpToDate', peerDisk: 'DUnknown', generation: parseGenerations(generation)[0]}];
  const view = {node: node.name, resource: 'data', role, connection: 'StandAlone', volumes: [volume]};
  const json = JSON.stringify(view);
  return node.signed(messageOf({t: 'drbd_view', drbd_res: 'data', drbd_ask: '0', drbd_json: json}));
}

let n1: Node;
let n2: Node;
beforeEach(() => {
  n1 = new Node('n1');
  n2 = new Node('n2');
  n1.peer = n2;
  n2.peer = n1;
});
afterEach(async () => {
  await Promise.all([n1.watch.stop(), n2.watch.stop()]);
  n1.remove();
  n2.remove();
});

function start(): void {
  n1.watch.start();
  n2.watch.start();
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 6000, `it never became true: ${JSON.stringify([n1.log, n2.log])}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const kindOf = (node: Node) => readFinding(node.places, 'data')?.kind;

async function bothFindIt(): Promise<void> {
  start();
  await until(() => kindOf(n1) === 'split-brain' && kindOf(n2) === 'split-brain');
}

test('both wrote: one ERROR line on each node, and the finding is kept on both, until they are connected again', async () => {
  n1.is('Primary', 'StandAlone', gi('get-gi-here'));
  n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
  start();
  await until(() => n1.errors().length > 0 && n2.errors().length > 0);
  assert.match(
    n1.errors()[0]!,
    /data: SPLIT BRAIN: .*n1: generation 762D952A144A202F.*n2: generation FE4FFEBB16712C65/,
  );
  assert.match(
    n2.errors()[0]!,
    /data: SPLIT BRAIN: .*n2: generation FE4FFEBB16712C65.*n1: generation 762D952A144A202F/,
  );
  assert.equal(readFinding(n1.places, 'data')?.theirs?.node, 'n2');
  assert.equal(kindOf(n2), 'split-brain');
  assert.ok(readTimes(n1.places, 'data').lastPrimaryMs !== undefined);
  n1.is('Primary', 'Connected', gi('get-gi-here'));
  n2.is('Secondary', 'Connected', gi('get-gi-here'));
  await until(() => kindOf(n1) === undefined && kindOf(n2) === undefined);
  assert.ok(n1.log.some((line) => line === 'info: data: the split brain is over'));
  assert.equal(n1.errors().length + n2.errors().length, 2);
  assert.deepEqual(
    [...n1.drbd.calls(), ...n2.drbd.calls()].filter((call) => !call.startsWith('get-gi')),
    [],
  );
});

test('the copy that stood back is not promoted when the other node is gone; stale knowledge keeps nothing down', async () => {
  n1.is('Primary', 'StandAlone', gi('get-gi-here'));
  n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
  await bothFindIt();
  await Promise.all([n1.watch.stop(), n2.watch.stop()]);
  const whyNot = (node: Node) => whyNotPromote('data', {tools: new DrbdTools(node.drbd.env), places: node.places});
  assert.match((await whyNot(n2)) ?? '', /not promoting data: split brain, and n1 was the one that served/);
  assert.equal(await whyNot(n1), undefined, 'the node that serves may go on');
  n2.is('Secondary', 'Connected', gi('get-gi-there'));
  assert.equal(await whyNot(n2), undefined);
  n2.is('Secondary', 'Connecting', OLD);
  assert.equal(await whyNot(n2), undefined, 'other data than those it was about');
  // What cannot be read proves nothing.
  n2.is('Secondary', 'Connecting', '');
  assert.match((await whyNot(n2)) ?? '', /n1 was the one that served/, 'no identifiers');
  writeFileSync(findingPath(n2.places, 'data'), '{"kind": "split-br');
  assert.match(
    (await whyNot(n2)) ?? '',
    /what was found of a split brain cannot be read; .*remove .*data\.finding\.json/,
  );
  n2.is('Secondary', 'Connected', '');
  assert.equal(await whyNot(n2), undefined);
});

describe('a copy that stood back while the other one served', () => {
  const whyNot = (node: Node) => whyNotPromote('data', {tools: new DrbdTools(node.drbd.env), places: node.places});
  const looks = (node: Node): number => node.drbd.allCalls().split('get-gi').length;
  const heardAs = (node: Node) => readFinding(node.places, 'data')?.theirs?.role;

  /** n1 serves, n2 is told so once more after it was seen to stand back, and then n1 serves no more. */
  async function serveAndCease(role: 'Secondary' | 'Unknown'): Promise<void> {
    n1.is('Primary', 'StandAlone', gi('get-gi-here'));
    n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
    await bothFindIt();
    const before = looks(n2);
    for (let count = 0; count < 2; count += 1) n2.watch.received(viewOf(n1, gi('get-gi-here')));
    await until(() => looks(n2) > before + 2);
    n1.is(role, 'StandAlone', gi('get-gi-here'));
    await until(() => heardAs(n2) === role);
  }

  test('is held back also when that one serves no more, over a restart, until they have met', async () => {
    await serveAndCease('Secondary');
    const refusal = (await whyNot(n2)) ?? '';
    assert.match(refusal, /not promoting data: split brain, and n1 served after this copy stood back/);
    assert.match(refusal, /systole drbd status data, then systole drbd resolve data/);
    assert.equal(await whyNot(n1), undefined);
    await n2.watch.stop();
    const again = new Node('n2', n2);
    [n1.peer, again.peer] = [again, n1];
    rmSync(`${n2.dir}/proc`);
    again.watch.received(viewOf(n1, gi('get-gi-here'), 'Secondary'));
    again.watch.received(viewOf(n1, gi('get-gi-here'), 'Unknown'));
    await until(() => heardAs(n2) === 'Unknown');
    assert.match((await whyNot(n2)) ?? '', /n1 served after/);
    n2.is('Secondary', 'Connected', gi('get-gi-there'));
    again.watch.start();
    await until(() => kindOf(n2) === undefined);
    n2.is('Secondary', 'Connecting', gi('get-gi-there'));
    assert.equal(await whyNot(n2), undefined);
    await again.watch.stop();
  });

  test('is held back no more when somebody has made it Primary, be the other one heard or silent', async () => {
    await serveAndCease('Secondary');
    n2.is('Primary', 'StandAlone', gi('get-gi-there'));
    assert.equal(await whyNot(n2), undefined);
    await until(() => readFinding(n2.places, 'data')?.ours.role === 'Primary');
    n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
    assert.equal(await whyNot(n2), undefined);
    await Promise.all([n1.watch.stop(), n2.watch.stop()]);
    // Held back as of an earlier day, and nobody answers.
    const kept = readFinding(n2.places, 'data') ?? assert.fail();
    keepFinding(n2.places, 'data', {...kept, ours: {...kept.ours, role: 'Secondary'}, isHeldBack: true});
    assert.match((await whyNot(n2)) ?? '', /n1 served after/);
    n2.is('Primary', 'StandAlone', gi('get-gi-there'));
    const alone = new Node('n2', n2);
    alone.watch.start();
    await until(() => readFinding(n2.places, 'data')?.ours.role === 'Primary');
    n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
    assert.equal(await whyNot(n2), undefined);
    await alone.watch.stop();
    assert.equal(await whyNot(n2), undefined);
  });

  test('both Secondary from the start: neither is held back', async () => {
    n1.is('Secondary', 'StandAlone', gi('get-gi-here'));
    n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
    await bothFindIt();
    assert.deepEqual([await whyNot(n1), await whyNot(n2)], [undefined, undefined]);
  });
});

test('who was Primary last is known on both nodes at once, for it decides which copy may serve', async () => {
  n1.is('Primary', 'StandAlone', gi('get-gi-here'));
  n2.is('Primary', 'StandAlone', gi('get-gi-there'));
  await bothFindIt();
  const sinceMs = performance.now();
  n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
  await until(
    () =>
      readFinding(n2.places, 'data')?.ours.role === 'Secondary' &&
      readFinding(n1.places, 'data')?.theirs?.role === 'Secondary',
  );
  // Not with the next exchange of views, which comes every 20 s.
  assert.ok(performance.now() - sinceMs < 15_000);
});

test('a peer that floods us does not stop our own looks', async () => {
  n1.is('Primary', 'StandAlone', gi('get-gi-here'));
  n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
  start();
  await until(() => kindOf(n1) === 'split-brain');
  await n2.watch.stop();
  const wish = n2.signed(messageOf({t: 'drbd_connect', drbd_res: 'data'}));
  for (let count = 0; count < 100; count += 1) n1.watch.received(wish);
  n1.is('Primary', 'Connected', gi('get-gi-here'));
  await until(() => kindOf(n1) === undefined);
});

test('a split brain is not over because the other node is silent, nor because dopd was started again', async () => {
  n1.is('Primary', 'Connecting', gi('get-gi-here'));
  n2.is('Secondary', 'Connecting', gi('get-gi-there'));
  await bothFindIt();
  await Promise.all([n1.watch.stop(), n2.watch.stop()]);
  const again = new Node('n2', n2);
  const looks = () =>
    again.drbd
      .allCalls()
      .split('\n')
      .filter((line) => /get-gi/.test(line)).length;
  const before = looks();
  again.watch.start();
  await until(() => looks() > before);
  await again.watch.stop();
  assert.equal(kindOf(n2), 'split-brain');
  assert.deepEqual(again.log, []);
  // Synchronised from n1 while nobody watched, and disconnected again: the old finding is void.
  n2.is('Secondary', 'Connecting', gi('get-gi-here'));
  const third = new Node('n2', n2);
  third.watch.start();
  await until(() => kindOf(n2) === undefined);
  await third.watch.stop();
});

test('a split brain is not over because a tool failed, on either node', async () => {
  n1.is('Primary', 'Connecting', gi('get-gi-here'));
  n2.is('Secondary', 'Connecting', gi('get-gi-there'));
  await bothFindIt();
  await Promise.all([n1.watch.stop(), n2.watch.stop()]);
  // n2 boots alone, and its identifiers cannot be read at first.
  n2.drbd.put('on-get-gi', '[ -e once ] || { touch once; exit 10; }\n');
  const alone = new Node('n2', n2);
  const before = n2.drbd.allCalls().length;
  alone.watch.start();
  await until(() => existsSync(`${n2.drbd.dir}/once`) && n2.drbd.allCalls().length > before);
  // The serving node's cannot be read.
  const ask = (generation: string): void => void alone.watch.received(viewOf(n1, generation));
  ask('');
  ask('');
  await alone.watch.stop();
  assert.equal(kindOf(n2), 'split-brain');
  const refusal = await whyNotPromote('data', {tools: new DrbdTools(n2.drbd.env), places: n2.places});
  assert.match(refusal ?? '', /n1 was the one that served/);
});

describe('a copy that the other node went on without', () => {
  const FENCED = 'resource data { disk { fencing resource-only; } }\n';
  const isOutdated = (node: Node): boolean => node.drbd.calls().includes('outdate data');

  test('is Outdated although nobody was here to be asked; the other one is left alone, and knows itself newer', async () => {
    for (const node of [n1, n2]) node.drbd.put('show', FENCED);
    n1.is('Primary', 'Connecting', gi('get-gi-here'));
    n2.is('Secondary', 'Connecting', OLD);
    noteUnproven(n2.places, 'data');
    start();
    await until(() => n2.drbd.get('disk') === 'Outdated' && n2.log.length > 0);
    assert.match(n2.log[0] ?? '', /^WARN: data: the other node went on without this copy.*Outdated now/);
    await until(() => n1.watch.isNewerHere('data'));
    assert.equal(n2.watch.isNewerHere('data'), false);
    assert.equal(isOutdated(n1), false);
    n1.is('Primary', 'Connected', gi('get-gi-here'));
    await until(() => !n1.watch.isNewerHere('data'));
  });

  test('is left as it is where DRBD is not to care, and where the other one is no better', async () => {
    n1.is('Primary', 'Connecting', gi('get-gi-here'));
    n2.is('Secondary', 'Connecting', OLD);
    start();
    await until(() => n1.watch.isNewerHere('data'));
    await Promise.all([n1.watch.stop(), n2.watch.stop()]);
    assert.equal(isOutdated(n2), false);
    n2.drbd.put('show', FENCED);
    n1.drbd.set({role: 'Secondary', conn: 'Connecting', repl: 'Off', prole: 'Unknown', disk: 'Outdated'});
    [n1, n2] = [new Node('n1', n1), new Node('n2', n2)];
    [n1.peer, n2.peer] = [n2, n1];
    start();
    await until(() => n1.watch.isNewerHere('data'));
    await Promise.all([n1.watch.stop(), n2.watch.stop()]);
    assert.equal(isOutdated(n2), false);
  });

  test('both the same: what was not proven is', async () => {
    n1.is('Secondary', 'Connecting', OLD);
    n2.is('Secondary', 'Connecting', OLD);
    noteUnproven(n2.places, 'data');
    start();
    await until(() => !existsSync(`${n2.places.runDir}/drbd/data.unproven`));
    assert.equal(isOutdated(n2), false);
  });
});

test('what was heard before the data here changed counts no more; while it is resolved here nothing is found', async () => {
  const looks = () =>
    n1.drbd
      .allCalls()
      .split('\n')
      .filter((line) => line.includes('get-gi')).length;
  const ask = n2.signed(messageOf({t: 'drbd_view', drbd_res: 'data', drbd_ask: '1', drbd_json: '{}'}));
  /** Looks come one after the other, so what was asked before is through when a second one has begun. */
  const look = async (watch: SplitBrainWatch) => {
    const before = looks();
    for (const message of [ask, ask, ask]) watch.received(message);
    await until(() => looks() >= before + 3);
  };
  n1.peer = undefined;
  n1.is('Primary', 'Connecting', OLD);
  n1.watch.received(viewOf(n2, gi('get-gi-there')));
  await look(n1.watch);
  // Against that old view the new data here look like a split brain.
  n1.is('Primary', 'Connecting', gi('get-gi-here'));
  await look(n1.watch);
  assert.equal(kindOf(n1), undefined);
  n1.watch.received(viewOf(n2, gi('get-gi-there')));
  await look(n1.watch);
  assert.equal(kindOf(n1), 'split-brain', 'a view that is new counts');
  await n1.watch.stop();
  rmSync(findingPath(n1.places, 'data'));
  writeFileSync(journalPath(n1.places, 'data'), '{}');
  const again = new Node('n1', n1);
  again.watch.received(viewOf(n2, gi('get-gi-there')));
  await look(again.watch);
  await again.watch.stop();
  assert.deepEqual([again.log, kindOf(n1)], [[], undefined]);
});

test('known before DRBD meets: the replication link is still cut', async () => {
  n1.is('Primary', 'Connecting', gi('get-gi-here'));
  n2.is('Primary', 'Connecting', gi('get-gi-there'));
  await bothFindIt();
});

test('several volumes: what is written to any of them is a write, and all of them make the connection', async () => {
  const volume = (minor: number): string =>
    `exists device name:data volume:${minor} minor:${minor} disk:UpToDate\nexists peer-device name:data peer-node-id:0 conn-name:peer volume:${minor} replication:Off peer-disk:DUnknown\n`;
  const link = 'exists connection name:data peer-node-id:0 conn-name:peer connection:Connecting role:Unknown\n';
  const all = `exists resource name:data role:Primary suspended:no\n${link}${volume(0)}${volume(1)}exists -\n`;
  n1.drbd.put('all', all);
  n1.drbd.put('on-events2', 'cat all; exit 0');
  const is = (connections: readonly [string, string], written: number): void => {
    const minors = connections.map(
      (each, minor) =>
        ` ${minor}: cs:${each} ro:${minor === 0 ? 'Primary' : 'Secondary'}/Unknown ds:UpToDate/DUnknown C r-----\n    ns:0 nr:0 dw:${minor === 0 ? written : 1} oos:0\n`,
    );
    writeFileSync(`${n1.dir}/proc`, `version: 8.4.11 (api:1/proto:86-101)\n${minors.join('')}`);
  };
  is(['WFConnection', 'Connected'], 1);
  n1.watch.start();
  await until(() => readTimes(n1.places, 'data').lastPrimaryMs !== undefined);
  assert.equal(readTimes(n1.places, 'data').lostMs, undefined);
  is(['Connected', 'Connected'], 2);
  await until(() => readTimes(n1.places, 'data').lastWriteMs !== undefined);
  assert.equal(readTimes(n1.places, 'data').lostMs, undefined);
  is(['Connected', 'WFConnection'], 2);
  await until(() => readTimes(n1.places, 'data').lostMs !== undefined);
});

test('a link that was lost while one wrote is no split brain', async () => {
  n1.is('Primary', 'StandAlone', gi('get-gi-here'));
  n2.is('Secondary', 'Connecting', OLD);
  start();
  await until(() => n1.log.length > 0);
  assert.match(n1.log[0]!, /^WARN: data: no connection \(StandAlone\), and no split brain: n1 has the newer data/);
  assert.equal(kindOf(n1), 'alone');
  assert.equal(kindOf(n2), undefined);
});

test('a wish to connect: granted to a node that discards its own changes, to nobody else', async () => {
  n1.is('Primary', 'StandAlone', gi('get-gi-here'));
  n2.is('Secondary', 'StandAlone', gi('get-gi-there'));
  await bothFindIt();
  writeFileSync(connectWishPath(n2.places, 'data'), '');
  const looks = () =>
    readFileSync(`${n1.drbd.dir}/calls`, 'utf8')
      .split('\n')
      .filter((line) => /get-gi/.test(line)).length;
  const before = looks();
  await until(() => looks() > before + 1);
  assert.ok(!n1.drbd.calls().includes('connect data'));
  writeFileSync(journalPath(n2.places, 'data'), '{}');
  const granted = 'info: data: n2 gives up its changes and asks for the connection: drbdadm connect data';
  await until(() => n1.log.includes(granted));
  assert.ok(n1.drbd.calls().includes('connect data'));
});

test('messages that are no views, or of resources that are not here, do nothing', async () => {
  n1.is('Primary', 'Connected', gi('get-gi-here'));
  assert.equal(n1.watch.received(messageOf({t: 'start_outdate', src: 'n2'})), false);
  const calls = n1.drbd.calls().length;
  assert.equal(n1.watch.received(messageOf({t: 'drbd_view', src: 'n2', drbd_res: '../x', drbd_json: '{'})), true);
  assert.equal(n1.watch.received(messageOf({t: 'drbd_connect', src: 'n2', drbd_res: 'other'})), true);
  n1.watch.received(messageOf({t: 'drbd_connect', src: 'n1', drbd_res: 'data'}));
  start();
  await until(() => readTimes(n1.places, 'data').lastPrimaryMs !== undefined);
  assert.equal(n1.drbd.calls().length, calls);
});

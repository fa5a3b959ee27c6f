// Goal: real messaging processes on loopback form a cluster, notice deaths and managers that hang or die, and stay calm in
// noise. Method: each test starts its own processes on its own 127/8 addresses and is their manager.

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterEach, test} from '@jest/globals';
import {until} from '../../src/lab/wait.js';
import {fieldOf} from '../../src/model/message.js';
import {bootOf, MessagingNode, type NodeOptions} from '../helpers/messaging-node.js';

const stub = fileURLToPath(new URL('../helpers/stub-manager.js', import.meta.url));
let nodes: MessagingNode[] = [];
let scratch: string | undefined;
let port = 20_000 + (process.pid % 10_000);

afterEach(async () => {
  await Promise.all(nodes.map((each) => each.stop()));
  nodes = [];
  if (scratch !== undefined) rmSync(scratch, {recursive: true, force: true});
  scratch = undefined;
});

function pair(one: Partial<NodeOptions> = {}, two: Partial<NodeOptions> = {}): [MessagingNode, MessagingNode] {
  port += 1;
  const addresses = ['127.0.77.1', '127.0.77.2'] as const;
  const media = addresses.map((host) => ({kind: 'ucast', device: 'lo', host}) as const);
  const common = {nodes: ['n1', 'n2'], media, udpPort: port};
  const made: [MessagingNode, MessagingNode] = [
    new MessagingNode({node: 'n1', loopback: addresses[0], ...common, ...one}),
    new MessagingNode({node: 'n2', loopback: addresses[1], ...common, ...two}),
  ];
  nodes.push(...made);
  return made;
}

test('two nodes become active, exchange messages, and one notices the death of the other', async () => {
  const [n1, n2] = pair();
  await Promise.all([n1.isActive('n2'), n2.isActive('n1')]);
  await Promise.all([n1, n2].map((each) => each.heard('comm-up', (message) => message.type === 'comm-up')));
  n1.send({t: 'greeting', text: 'hello'});
  const got = await n2.heard(
    'greeting',
    (each) => each.type === 'message-received' && fieldOf(each.message, 't') === 'greeting',
  );
  assert(got.type === 'message-received');
  assert.equal(got.from, 'n1');
  assert.equal(fieldOf(got.message, 'text'), 'hello');
  assert.match(fieldOf(got.message, 'ld') ?? '', /^\d+\.\d\d /);

  const killedMs = performance.now();
  n2.started.child.kill('SIGKILL');
  await n1.heard('death', (each) => each.type === 'node-changed' && each.node === 'n2' && each.status === 'dead');
  const afterMs = performance.now() - killedMs;
  // In its first seconds a node announces a dead time two seconds longer.
  assert(afterMs > 3300 && afterMs < 9000, `declared dead after ${afterMs} ms of deadtime 1500 + 2000`);
});

const mayRaise = spawnSync('chrt', ['-r', '3', 'true']).status === 0;
const raised = 'every thread of it gets real-time priority once it is ready';
(mayRaise ? test : test.skip)(`${raised}${mayRaise ? '' : ' [skipped: not permitted here]'}`, async () => {
  const [n1, n2] = pair({realtimePriority: 3});
  await n1.isActive('n2');
  const directory = `/proc/${n1.started.child.pid}/task`;
  // Fields 40 and 41 of stat (proc(5)); 2 is SCHED_RR.
  const policies = () =>
    readdirSync(directory).map((thread) => {
      const fields = readFileSync(`${directory}/${thread}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return `${fields[38]} ${fields[37]}`;
    });
  await until(() => new Set(policies()).size === 1 && policies()[0] === '2 3', {
    timeoutMs: 10_000,
    what: () => policies().join(', '),
  });
  assert(n1.started.isRealtime && !n2.started.isRealtime);
});

test('another key is noise: named in the log, and the node stays alone', async () => {
  const [n1] = pair({start: {initdeadMs: 2000}}, {key: 'other-key'});
  await n1.heard('refusal', (each) => each.type === 'log' && /^NOISE_BAD.DIGEST$/.test(each.record.code));
  await n1.heard('n2 dead', (each) => each.type === 'node-changed' && each.node === 'n2' && each.status === 'dead');
});

async function lostManager(mode: 'start' | 'hang'): Promise<void> {
  scratch = mkdtempSync(join(tmpdir(), 'systole-manager-'));
  const report = join(scratch, 'report.json');
  port += 1;
  const media = [
    {kind: 'ucast', device: 'lo', host: '127.0.77.2'},
    {kind: 'ucast', device: 'lo', host: '127.0.77.1'},
  ] as const;
  const common = {nodes: ['n1', 'n2'], media, udpPort: port};
  const manager = [process.execPath, stub, 'adopt', report];
  const boot = bootOf({node: 'n1', loopback: '127.0.77.1', ...common, boot: {manager}});
  const n2 = new MessagingNode({node: 'n2', loopback: '127.0.77.2', ...common});
  nodes.push(n2);
  const first = spawn(process.execPath, [stub, mode, JSON.stringify(boot)], {stdio: ['ignore', 'pipe', 'inherit']});
  const [line] = await once(first.stdout, 'data');
  const pid = Number(String(line));
  await n2.isActive('n1');
  if (mode === 'start') first.kill('SIGKILL');
  await eventually('report of the second manager', () => existsSync(report));
  const told = JSON.parse(readFileSync(report, 'utf8'));
  assert.equal(told.ready.type, 'ready');
  assert.equal(told.ready.view.nodes.find((each: {name: string}) => each.name === 'n2').status, 'active');
  assert(
    told.logs.some((each: string) => each.includes('manager process was lost')),
    told.logs.join('\n'),
  );
  assert.deepEqual(told.leaked, [], 'no link socket leaks into the manager');
  assert.notEqual(first.exitCode ?? first.signalCode, null, 'one manager at a time');
  // The second manager says stop; meanwhile the peer never missed a keepalive.
  await eventually('end of messaging', () => !existsSync(`/proc/${pid}`));
  assert.deepEqual(
    n2.logs.filter((each) => /Late heartbeat|is dead/.test(each)),
    [],
  );
}

test('a killed manager is replaced; the new one gets the view and the kept log lines', () => lostManager('start'));

test('a manager that lets its lease run out is killed and replaced', () => lostManager('hang'));

test('when managers keep dying the emergency command runs, then the peer hears a goodbye', async () => {
  scratch = mkdtempSync(join(tmpdir(), 'systole-manager-'));
  const proof = join(scratch, 'emergency');
  port += 1;
  const media = [
    {kind: 'ucast', device: 'lo', host: '127.0.77.2'},
    {kind: 'ucast', device: 'lo', host: '127.0.77.1'},
  ] as const;
  const common = {nodes: ['n1', 'n2'], media, udpPort: port};
  const commands = {manager: ['/bin/false'], emergency: ['/bin/sh', '-c', `sleep 0.3; echo done >${proof}`]};
  const boot = bootOf({node: 'n1', loopback: '127.0.77.1', ...common, boot: commands});
  const n2 = new MessagingNode({node: 'n2', loopback: '127.0.77.2', ...common});
  nodes.push(n2);
  const first = spawn(process.execPath, [stub, 'start', JSON.stringify(boot)], {stdio: ['ignore', 'pipe', 'ignore']});
  await once(first.stdout, 'data');
  await n2.isActive('n1');
  first.kill('SIGKILL');
  await n2.heard('goodbye', (each) => each.type === 'message-received' && fieldOf(each.message, 't') === 'shutdone');
  assert(existsSync(proof), 'released before the goodbye');
});

async function eventually(what: string, isDone: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isDone()) {
    assert(performance.now() < endMs, `${what}: not within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('garbage at full speed delays no keepalive and grows no memory', async () => {
  const [n1, n2] = pair();
  await Promise.all([n1.isActive('n2'), n2.isActive('n1')]);
  const pid = n1.started.child.pid;
  const rss = (): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  const flood = createSocket('udp4');
  const forged = Buffer.from('###\n8:(0)t=flud,%%%\n42:1 2589aff64bb8790aa953501420b0bddba5227545,', 'latin1');
  const rubbish = Buffer.alloc(300, 'x');
  const before = rss();
  // FLOOD_SECONDS=30 for the long run.
  const floodMs = Number(process.env['FLOOD_SECONDS'] ?? 3) * 1000;
  const endMs = performance.now() + floodMs;
  let sent = 0;
  await new Promise<void>((resolve) => {
    const burst = (): void => {
      for (let each = 0; each < 100; each++)
        flood.send(each % 2 === 0 ? forged : rubbish, port, '127.0.77.1', () => undefined);
      sent += 100;
      if (performance.now() > endMs) resolve();
      else setTimeout(burst, 4);
    };
    burst();
  });
  flood.close();
  const grownKb = rss() - before;
  if (process.env['FLOOD_SECONDS'] !== undefined) process.stderr.write(`${sent} packets, ${grownKb} kB more\n`);
  assert(sent > floodMs * 7, `only ${sent} sent`);
  assert.deepEqual(
    n2.logs.filter((each) => /Late heartbeat|is dead/.test(each)),
    [],
  );
  assert.deepEqual(
    n1.logs.filter((each) => /Late heartbeat|is dead/.test(each)),
    [],
  );
  assert(n1.logs.filter((each) => each.includes('NOISE')).length < 10, 'a flood is not a flood of log lines');
  assert(grownKb < 40_000, `grew by ${grownKb} kB`);
}, 60_000);

// Goal: the whole manager process on real input. Method: two real daemons on loopback, with agents that touch files.
import assert from 'node:assert/strict';
import {chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {afterEach, test} from '@jest/globals';
import {type ManagerState, stepManager} from '../../src/core/step.js';
import type {ManagerEvent} from '../../src/model/manager.js';
import type {Now} from '../../src/model/time.js';
import {Pair, type PairOptions} from '../helpers/daemons.js';

let pair: Pair | undefined;
afterEach(() => {
  pair?.close();
  pair = undefined;
});

function make(options: PairOptions): Pair {
  pair = new Pair(options);
  return pair;
}

test('two daemons form a cluster; standby moves the group; a stop releases it to the peer', async () => {
  const {n1, n2} = make({haresources: 'n1 Held::a Held::b\n'});
  const both = pair as Pair;
  n1.start();
  n2.start();
  await both.until('n1 holds the group', () => n1.holds('a') && n1.holds('b'));
  await both.untilStable(n1, n2);
  const reply = await n1.ask({command: 'standby', scope: 'all'});
  assert.ok(reply.ok, `${JSON.stringify(reply)}\n${both.story()}`);
  await both.until('n2 holds the group', () => n2.holds('a') && n2.holds('b'));
  assert.equal(n1.read('run/journal'), 'start a\nstart b\nstop b\nstop a\n');
  await both.untilStable(n1, n2);
  process.kill(n2.pid, 'SIGTERM');
  await both.until('n1 holds it again', () => n1.holds('a') && n1.holds('b'));
  await both.until('n2 has gone without a trace', () => n2.processes().length === 0);
  assert.deepEqual(
    readdirSync(`${n2.dir}/run`)
      .filter((name) => /pid|systole|register|held/.test(name))
      .join(),
    '',
  );
});

test('a killed manager is replaced, its hanging start is ended, resources stay', async () => {
  const {n1} = make({haresources: 'n1 Held::a\nn1 Hanging::x\n', systoleConf: '[timeouts]\nstart = 30\n'});
  const both = pair as Pair;
  n1.start();
  await both.until(
    'n1 holds a and x hangs',
    () =>
      n1.holds('a') &&
      n1.read('run/hanging-x') !== undefined &&
      n1.processes().some(({command}) => command.includes('Hanging')),
  );
  const old = n1.pid;
  const orphan = n1.processes().find(({command}) => command.includes('Hanging x start'))?.pid ?? 0;
  process.kill(old, 'SIGKILL');
  await both.until('another manager runs', async () => n1.pid !== old && (await n1.status()) !== undefined);
  await both.until('the orphan is ended', () => !n1.processes().some(({pid}) => pid === orphan));
  await both.until('its state is known', async () => (await n1.status())?.groups[0]?.state === 'running');
  assert.equal(n1.read('run/journal'), 'start a\n');
  assert.match(n1.read('log/ha-log'), /scripts of the previous manager were still running: ended/);
});

// Goal: two starts of one agent never overlap, and the manager that waits for the first one's end is not taken for hanging.
// Method: the start ignores SIGTERM, and its grace is longer than a new manager's first lease of 5 s.
test('a killed manager whose start ignores SIGTERM: the next one outlasts it, and only then starts again', async () => {
  const systoleConf = '[timeouts]\nstart = 60\n[resources]\nkill-delay = 6\n';
  const {n1} = make({haresources: 'n1 Stubborn::x\n', systoleConf});
  const both = pair as Pair;
  n1.start();
  await both.until('the start runs', () => n1.read('run/journal') === 'start x\n');
  const old = n1.pid;
  const orphan = n1.processes().find(({command}) => command.includes('Stubborn x start'))?.pid ?? 0;
  process.kill(old, 'SIGKILL');
  await both.until('another manager runs', () => n1.pid !== old);
  const {pid} = n1;
  await both.until('the start is tried again', () => n1.read('run/journal') === 'start x\nstart x\n', 15_000);
  assert.ok(!n1.processes().some((each) => each.pid === orphan));
  assert.equal(n1.pid, pid, n1.read('log/ha-log'));
  assert.equal(n1.read('run/overlap'), '');
}, 40_000);

test('a killed messaging process is replaced, resources stay', async () => {
  const {n1, n2} = make({haresources: 'n1 Held::a\n'});
  const both = pair as Pair;
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  const old = n1.messagingPid();
  process.kill(old, 'SIGKILL');
  await both.until('another one runs', () =>
    n1.processes().some(({pid, command}) => pid !== old && command.startsWith('systole: messaging')),
  );
  await both.untilStable(n1, n2);
  assert.equal(n1.read('run/journal'), 'start a\n');
  assert.equal(n2.holds('a'), false);
});

test('reload: broken files change nothing, a new group is taken up, new times restart messaging only', async () => {
  const {n1, n2} = make({haresources: 'n1 Held::a\n'});
  const both = pair as Pair;
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  const bad = n1.read('etc/authkeys');
  writeFileSync(`${n1.dir}/etc/authkeys`, 'auth 9\n');
  const refused = await n1.ask({command: 'reload'});
  assert.equal(refused.ok ? '' : refused.code, 'BAD_CONFIG');
  assert.equal((await n1.status())?.nodes.find(({name}) => name === 'n2')?.status, 'active');
  writeFileSync(`${n1.dir}/etc/authkeys`, bad);
  assert.match((await n1.ask({command: 'reload'})).text, /unchanged/);
  for (const node of [n1, n2]) {
    writeFileSync(`${node.dir}/etc/haresources`, 'n1 Held::a\nn1 Held::new\n');
    assert.match((await node.ask({command: 'reload'})).text, /reloaded/);
  }
  await both.until('n1 holds the new group', () => n1.holds('new'));
  const old = n1.messagingPid();
  writeFileSync(`${n1.dir}/etc/ha.cf`, n1.read('etc/ha.cf').replace('warntime 500ms', 'warntime 600ms'));
  process.kill(n1.pid, 'SIGHUP');
  await both.until('messaging restarted', () =>
    n1.processes().some(({pid, command}) => pid !== old && command.startsWith('systole: messaging')),
  );
  await both.untilStable(n1, n2);
  assert.equal(n1.read('run/journal'), 'start a\nstart new\n');
  assert.equal(n2.holds('a'), false);
  writeFileSync(`${n1.dir}/etc/ha.cf`, `${n1.read('etc/ha.cf')}respawn root /bin/true\n`);
  assert.match((await n1.ask({command: 'reload'})).text, /only from the next start of heartbeat on: respawn/);
});

test('a second daemon and a broken configuration end at once, touching nothing', async () => {
  const {n1} = make({haresources: 'n1 Held::a\n'});
  const both = pair as Pair;
  n1.start();
  await both.until('it runs', async () => (await n1.status()) !== undefined);
  const {pid} = n1;
  n1.start();
  await both.until('the second one says so', () => n1.read('log/ha-log').includes(`already running [pid ${pid}]`));
  assert.equal(n1.pid, pid);
  assert.ok(await n1.status());
  const {n2} = both;
  writeFileSync(`${n2.dir}/etc/ha.cf`, 'node n1 n2\nfrobnicate 1\n');
  n2.start();
  await both.until('it is refused', () => n2.stderr.includes('heartbeat not started'));
  assert.equal(readdirSync(`${n2.dir}/run`).join(), '');
});

test('the FIFO and the API socket are served, SIGTERM twice is one shutdown, signals change the debug level', async () => {
  const {n1, n2} = make({haresources: 'n1 Held::a\n'});
  const both = pair as Pair;
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  for (const file of ['run/register', 'lib/fifo', 'run/systole'])
    await both.until(file, () => existsSync(`${n1.dir}/${file}`));
  process.kill(n1.pid, 'SIGUSR1');
  process.kill(n1.pid, 'SIGINT');
  await both.until('the level is told', () => n1.read('log/ha-log').includes('debug level is now 1'));
  writeFileSync(`${n1.dir}/lib/fifo`, '>>>\nt=ask_resources\nrsc_hold=all\ninfo=me\n<<<\n');
  await both.until('n2 holds a', () => n2.holds('a'));
  assert.match(n1.read('log/ha-debug'), /debug: event: request \d+: .*ask_resources/);
  assert.match(n1.read('log/ha-debug'), /debug: effect: run .*Held::a stop/);
  await both.untilStable(n1, n2);
  const {pid} = n2;
  process.kill(pid, 'SIGTERM');
  process.kill(pid, 'SIGTERM');
  await both.until('n1 holds a again', () => n1.holds('a'));
  await both.until('n2 has gone', () => n2.processes().length === 0);
});

test('a message of an unknown type runs the hook on both nodes', async () => {
  const {n1, n2} = make({haresources: 'n1 Held::a\n'});
  const both = pair as Pair;
  for (const node of [n1, n2]) {
    mkdirSync(`${node.dir}/etc/rc.d`);
    for (const [path, body] of [
      ['rc.d/alarm', ''],
      ['harc', `echo "$1 $HA_src $HA_word" >>"$HA_RUNDIR/hook"`],
    ] as const) {
      writeFileSync(`${node.dir}/etc/${path}`, `#!/bin/sh\n${body}\n`);
      chmodSync(`${node.dir}/etc/${path}`, 0o755);
    }
    node.start();
  }
  await both.untilStable(n1, n2);
  const reply = await n1.ask({command: 'inject', fields: {t: 'alarm', word: 'fire'}});
  assert.ok(reply.ok);
  for (const node of [n1, n2])
    await both.until(`${node.name} ran it`, () => node.read('run/hook') === 'alarm n1 fire\n');
});

test('an exception leaves a crash file without keys; the next manager keeps the resources', async () => {
  const {n1, n2} = make({haresources: 'n1 Held::a\n'});
  const both = pair as Pair;
  const bomb = 'process.on(%22SIGVTALRM%22,()=>{throw%20new%20Error(%22a%20mistake%20of%20ours%22)})';
  n1.env['NODE_OPTIONS'] = `--import data:text/javascript,${bomb}`;
  n1.start();
  n2.start();
  await both.until('n1 holds a', () => n1.holds('a'));
  await both.untilStable(n1, n2);
  const old = n1.pid;
  process.kill(old, 'SIGVTALRM');
  await both.until(
    'another manager runs',
    async () => n1.pid !== old && (await n1.status())?.groups[0]?.state === 'running',
  );
  assert.equal(n1.read('run/journal'), 'start a\n');
  assert.equal(n2.holds('a'), false);
  const crash = readdirSync(`${n1.dir}/log`).find((name) => name.startsWith('systole-crash-')) ?? '';
  const text = n1.read(`log/${crash}`);
  assert.match(text, /a mistake of ours/);
  assert.doesNotMatch(text, /A-TEST-KEY/);
  const report = JSON.parse(text);
  const last = report.events.reduce(
    (state: ManagerState, {event, now}: {event: ManagerEvent; now: Now}) => stepManager(state, event, now).state,
    report.state,
  );
  assert.equal(last.groups[0].state, 'running');
});

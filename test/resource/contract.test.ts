// Goal: every agent of resource.d keeps the contract of resource.d/README.md. Method: one table row for each agent with
// arguments that work in a sandbox, arguments that must be refused, and programs that stand in for what a test machine has
// not got (drbdadm, systemctl, sendmail); addresses, file systems and the server are real.
// SYSTOLE_TIMES=1 prints how long each action took.

import assert from 'node:assert/strict';
import {readdirSync, rmdirSync, statSync} from 'node:fs';
import {afterAll, beforeAll, describe, test} from '@jest/globals';
import {judge} from '../../src/model/resource.js';
import {agentDir, type Call, heartbeatOwns, isRoot, type Outcome, runAgent, systemPath} from '../helpers/agent.js';
import {type Row, rows} from '../helpers/agent-rows.js';
import {Sandbox} from '../helpers/sandbox.js';

const describeRoot = isRoot ? describe : describe.skip;
if (!isRoot) process.stderr.write('resource agents: skipped, namespaces need root\n');

test('every executable in resource.d has a row here', () => {
  const executables = readdirSync(agentDir).filter((name) => {
    const found = statSync(`${agentDir}/${name}`);
    return found.isFile() && (found.mode & 0o111) !== 0;
  });
  assert.equal(executables.sort().join(' '), [...new Set(rows.map((row) => row.agent))].sort().join(' '));
});

for (const row of rows) {
  const missing = row.needs?.filter((program) => !has(program)) ?? [];
  if (isRoot && missing.length > 0) process.stderr.write(`resource agent ${row.agent}: skipped, no ${missing}\n`);
  (missing.length > 0 ? describe.skip : describeRoot)(`${row.agent} ${row.args.join(' ')}`, () => contract(row));
}

function envOf(row: Row, scratch: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row.env ?? {}).map(([name, value]) => [name, value.replaceAll('SCRATCH', scratch)]),
  );
}

function has(program: string): boolean {
  return systemPath.split(':').some((directory) => statSync(`${directory}/${program}`, {throwIfNoEntry: false}));
}

function contract(row: Row): void {
  let sandbox: Sandbox;
  let scratch: string;
  beforeAll(async () => {
    sandbox = await Sandbox.open();
    scratch = sandbox.sh('mktemp -d /tmp/systole-agent-XXXXXX').trim();
    // Fresh memory under the same name: it vanishes with the namespace.
    sandbox.sh(`mount -t tmpfs none ${scratch}`);
    sandbox.sh(row.prepare?.(scratch) ?? ':');
  });
  afterAll(async () => {
    await act('stop');
    await sandbox.close();
    rmdirSync(scratch);
  });

  const callOf = (args: readonly string[] = row.args, more: Partial<Call> = {}): Call => ({
    agent: row.agent,
    args: args.map((word) => word.replaceAll('SCRATCH', scratch)),
    env: {...envOf(row, scratch), PATH: `${scratch}/bin:${systemPath}`, ...more.env},
    sandbox,
    ...(more.killAfterMs === undefined ? {} : {killAfterMs: more.killAfterMs}),
  });
  const act = async (action: string, call = callOf()): Promise<Outcome> => {
    const outcome = await runAgent(call, action);
    assert.equal(outcome.outputHeld, false, `${row.agent} ${action} left its output open`);
    return outcome;
  };
  const expectDone = async (action: string) => {
    const outcome = await act(action);
    assert.equal(outcome.code, 0, `${action}: ${outcome.stderr}`);
    return outcome;
  };
  const expectStatus = async (verdict: 'running' | 'stopped') => {
    const outcome = await act('status');
    const exit = {code: outcome.code, output: outcome.stdout, timedOut: false, missing: false, tookMs: 0};
    assert.equal(judge('status', exit), verdict, outcome.stdout);
    assert.equal(heartbeatOwns(outcome.stdout), verdict === 'running', outcome.stdout);
    assert.equal(outcome.code, verdict === 'running' ? 0 : 3);
    if (verdict === 'stopped') assert.match(outcome.stdout, row.stopped ?? /^not running/);
    return outcome;
  };

  test('refuses an unknown action with its usage', async () => {
    for (const action of ['frobnicate', '']) {
      const outcome = await act(action);
      assert.equal(outcome.code, 2);
      assert.match(outcome.stderr, /usage: /);
      assert.equal(outcome.stdout, '');
    }
  });

  test('start and stop do what they say, and twice is as good as once', async () => {
    const times = [await expectStatus('stopped'), await expectDone('start')];
    await expectDone('start');
    times.push(await expectStatus('running'), await expectDone('stop'));
    await expectDone('stop');
    await expectStatus('stopped');
    const [stopped, start, status, stop] = times.map((each) => `${each.tookMs.toFixed(0)} ms`);
    if (!process.env['SYSTOLE_TIMES']) return;
    process.stderr.write(`${row.agent}: start ${start}, status ${status} (stopped: ${stopped}), stop ${stop}\n`);
  });

  test('refuses bad arguments, says why, and starts nothing', async () => {
    for (const args of row.bad) {
      const outcome = await act('start', callOf(args));
      assert.ok(outcome.code, `${args} was accepted`);
      assert.match(outcome.stderr, /^ERROR: /m);
      assert.equal(outcome.stdout, '');
      assert.ok(!heartbeatOwns((await act('status', callOf(args))).stdout), `${args} counts as running`);
    }
    await expectStatus('stopped');
  });

  test('a start killed at any moment is cleared away by stop', async () => {
    for (const killAfterMs of row.killAfterMs ?? [4, 10, 20, 40]) {
      await act('start', callOf(row.slowArgs, {killAfterMs, env: row.slowEnv ?? {}}));
      await expectDone('stop');
      await expectStatus('stopped');
    }
  });
}

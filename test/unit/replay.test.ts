// Goal: a crash file leads to the same failure again, and a file that does not says so. Method: crash files made by the
// recorder around the real core, given to the program.

import assert from 'node:assert/strict';
import {readdirSync, writeFileSync} from 'node:fs';
import {afterEach, beforeEach, test} from '@jest/globals';
import {type ManagerState, startManager, stepManager} from '../../src/core/step.js';
import type {ManagerEvent} from '../../src/model/manager.js';
import {Recorder, writeCrashFile} from '../../src/runtime/crash.js';
import {clusterConfig} from '../helpers/cluster-config.js';
import {type Place, place, runBin} from '../helpers/command.js';

let where: Place;
beforeEach(() => {
  where = place();
});
afterEach(() => where.remove());

const config = clusterConfig({haresources: 'n1 A', node: 'n1'});

function crashFile(...events: readonly unknown[]): string {
  let state: ManagerState = startManager(config, {monoMs: 1000, wallMs: 0}).state;
  const recorder = new Recorder<ManagerState, ManagerEvent>(state);
  let failure = 'none';
  for (const [at, event] of (events as ManagerEvent[]).entries()) {
    const now = {monoMs: 1000 + at, wallMs: at};
    recorder.record(state, event, now);
    try {
      state = stepManager(state, event, now).state;
    } catch (error) {
      failure = String(error);
    }
  }
  const facts = {format: 'systole-crash-1', process: 'manager', node: 'n1', version: '0.1.0', wallMs: 5} as const;
  writeCrashFile(where.dir, {...facts, error: failure, config, ...recorder.contents()});
  return `${where.dir}/${readdirSync(where.dir).find((name) => name.startsWith('systole-crash-'))}`;
}

test('the failure happens again, with every event before it', async () => {
  const file = crashFile({type: 'messaging-said', message: {type: 'comm-up'}}, {type: 'no-such-event'});
  const {status, stdout} = await runBin('systole', ['replay', file], where);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^0\.000 .*"comm-up".*\n {8}-> /);
  assert.match(stdout, /recorded: Error: unreachable: .*no-such-event.*\nnow: {6}Error: unreachable: .*no-such-event/);
});

test('control: without a failure it says so and exits 1', async () => {
  const {status, stdout} = await runBin('systole', ['replay', '--state', crashFile({type: 'woke'})], where);
  assert.equal(status, 1);
  assert.match(stdout, /"phase": "/);
  assert.match(stdout, /now: {6}no failure/);
});

test('any other file is refused', async () => {
  writeFileSync(`${where.dir}/x`, '{"format":"other"}');
  const {status, stderr} = await runBin('systole', ['replay', `${where.dir}/x`], where);
  assert.equal(status, 2);
  assert.match(stderr, /not a crash file: its format is not/);
});

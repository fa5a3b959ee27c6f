// Goal: what an agent says of its status is never taken for more than it says: who cannot tell has not stopped, and a stop that
// failed is only made good by an agent that finds nothing there. Method: the judge against the words that real agents
// print, then two real manager cores beside agents that print them.

import assert from 'node:assert/strict';
import {describe, test} from '@jest/globals';
import {judge, provesStopped} from '../../src/model/resource.js';
import {Pair} from '../helpers/pair.js';

const said = (output: string, code = 0) => ({code, output, timedOut: false, missing: false, tookMs: 1});
const UNSURE = {output: 'cannot determine status, may be running (1)\n', code: 4};

describe('the words of status', () => {
  for (const [words, verdict] of [
    // Heartbeat 3.0.6, ResourceManager, we_own_resource: *[Nn][Oo][Tt]\ *[Rr]unning*, then *[Rr]unning*|*OK*.
    ['not running', 'stopped'],
    ['not running (nothing is mounted on /data)', 'stopped'],
    ['apache2 is not running.', 'stopped'],
    ['Heartbeat is not currently running.', 'stopped'],
    ['NOT Running', 'stopped'],
    ['running (Primary)', 'running'],
    ['INFO:  Running OK', 'running'],
    ['ssh start/running, process 700', 'running'],
    ['stopped (Secondary)', 'stopped'],
    ['INFO:  Resource is stopped', 'stopped'],
    ['inactive', 'stopped'],
    // `cannot determine status, may be running` holds `not ... running` too; drbd-utils says so where a reboot must follow.
    [UNSURE.output, 'unknown'],
    ['cannot determine status, may be running (Unknown)', 'unknown'],
    ['not running (a stale server may be running)', 'unknown'],
    ['cannot tell whether mysqld is running', 'unknown'],
    // The words of one line do not make sense with those of another.
    ['pid file not found\nrunning', 'running'],
  ] as const)
    test(JSON.stringify(words), () => assert.equal(judge('status', said(words)), verdict));
});

test('what proves after a failed stop that it is stopped', () => {
  for (const exit of [said('not running\n', 3), said('stopped (Secondary)\n', 3), said('stopped', 0), said('', 7)])
    assert.equal(provesStopped(exit), true, exit.output);
  // resource.d/README.md, exit code 1: there but unfit to serve.
  for (const exit of [
    said('not running (process 700 does not answer: time-out)\n', 1),
    said('ERROR:  Generic error\n', 1),
    said(UNSURE.output, 4),
    said('running\n'),
    said('', 1),
  ])
    assert.equal(provesStopped(exit), false, exit.output);
});

function serving(options: Partial<ConstructorParameters<typeof Pair>[0]> = {}): Pair {
  const pair = new Pair({haresources: 'n1 A drbddisk::data Fs', ...options});
  pair.boot('n1', 'n2');
  pair.until(() => pair.runners('A').join() === 'n1', 2000);
  return pair;
}

const HUNG = {output: 'not running (process 700 does not answer)\n', code: 1};
for (const [name, words] of Object.entries({'cannot tell': UNSURE, 'finds it there but unfit': HUNG})) {
  test(`the disk cannot be let go and its status ${name}: the group is blocked, no goodbye, the peer starts nothing`, () => {
    const pair = serving();
    const n1 = pair.node('n1');
    n1.says.set('drbddisk', words);
    n1.scripts.set('drbddisk stop', {ms: 10, code: 1});
    n1.request({command: 'shutdown'});
    pair.run(20_000);
    assert.equal(n1.group('A').state, 'blocked');
    assert.deepEqual([...pair.node('n2').running], []);
    assert.equal(n1.exited, undefined);
  });
}

test('the same where the status says that it is stopped: the stop counts', () => {
  const pair = serving();
  const n1 = pair.node('n1');
  n1.says.set('drbddisk', {output: 'stopped (Secondary)\n', code: 3});
  n1.scripts.set('drbddisk stop', {ms: 10, code: 1});
  n1.request({command: 'shutdown'});
  pair.until(() => pair.runners('A').includes('n2'), 20_000);
});

for (const [name, expected, words] of [
  ['there but unfit: no other node starts it', 'n2', HUNG],
  [
    'without a program or its data (OCF): it is the other node that starts it',
    'n1',
    {output: 'ERROR: not running (5)\n', code: 1},
  ],
] as const)
  test(`found at a beginning ${name}`, () => {
    const pair = new Pair({haresources: 'n1 A Server'});
    pair.node('n2').says.set('Server', words);
    pair.boot('n1', 'n2');
    pair.until(() => pair.runners('A').length > 0, 10_000);
    assert.deepEqual(pair.runners('A'), [expected]);
    pair.run(2000);
    assert.deepEqual(pair.runners('A'), [expected]);
  });

for (const [name, first, second] of [
  ['by init', {output: 'running', code: 0}, {output: 'running', code: 0}],
  ['by a service manager that restarts it for ever', HUNG, HUNG],
] as const)
  test(`what was started on both nodes ${name} is stopped on one, and the group runs on the other`, () => {
    const pair = new Pair({haresources: 'n1 A Server'});
    pair.node('n1').says.set('Server', first);
    pair.node('n2').says.set('Server', second);
    pair.boot('n1', 'n2');
    pair.until(() => pair.trace.some((line) => line.includes('n2 RSC Server stop')), 15_000);
    pair.node('n2').says.delete('Server');
    pair.node('n1').says.delete('Server');
    pair.until(() => pair.node('n1').running.size === 2, 15_000);
    assert.deepEqual(pair.runners('A'), ['n1']);
    assert.equal(pair.trace.filter((line) => line.includes('is there in part on both nodes')).length, 1);
  });

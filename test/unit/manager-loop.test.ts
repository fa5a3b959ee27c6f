import assert from 'node:assert/strict';
import {afterEach, test} from '@jest/globals';
import type {ClusterConfig} from '../../src/model/config.js';
import type {ManagerEffect, ManagerEvent} from '../../src/model/manager.js';
import {fieldOf, messageOf} from '../../src/model/message.js';
import {resolvePaths} from '../../src/model/paths.js';
import type {Now, Step} from '../../src/model/time.js';
import {feedOf, ownMessage} from '../../src/runtime/api-feed.js';
import {monotonicMs} from '../../src/runtime/clock.js';
import {diffConfig} from '../../src/runtime/config-diff.js';
import {readArguments, withArguments} from '../../src/runtime/manager-arguments.js';
import type {SteppingCore} from '../../src/runtime/manager-core.js';
import {ManagerLoop} from '../../src/runtime/manager-loop.js';
import {rebootPlan} from '../../src/runtime/reboot.js';

const config = {
  ha: {nodes: ['n1'], deadtimeMs: 1000, logfile: '/a'},
  groups: [],
  keyring: {signWith: 1, keys: []},
} as unknown as ClusterConfig;
let loop: ManagerLoop<string[]> | undefined;
afterEach(() => loop?.close());

type Rule = (state: string[], event: ManagerEvent, now: Now) => Step<string[], ManagerEffect>;
/** A core whose state is the list of what it has seen. */
function coreOf(
  rule: Rule,
  wakeAt: (state: string[]) => number = () => Number.POSITIVE_INFINITY,
): SteppingCore<string[]> {
  return {start: () => ({state: ['start'], effects: [effectOf('begin')]}), step: rule, wakeAt};
}
const keep: Rule = (state, event) => ({state: [...state, event.type], effects: [effectOf(event.type)]});
const effectOf = (code: string): ManagerEffect => ({type: 'log', record: {level: 'info', code, text: ''}});
const codeOf = (effect: ManagerEffect): string => (effect.type === 'log' ? effect.record.code : effect.type);

test('events before the start wait; effects come in order; an event raised by an effect comes after all of them', () => {
  const seen: string[] = [];
  const one = new ManagerLoop<string[]>({
    perform: (effect) => {
      seen.push(codeOf(effect));
      if (codeOf(effect) === 'first') one.dispatch({type: 'messaging-lost'});
    },
    onCrash: (error) => assert.fail(String(error)),
  });
  loop = one;
  one.dispatch({type: 'woke'});
  assert.deepEqual(seen, []);
  const rule: Rule = (state, event) =>
    event.type === 'woke'
      ? {state, effects: [effectOf('first'), effectOf('second')]}
      : keep(state, event, {monoMs: 0, wallMs: 0});
  one.start(coreOf(rule), config);
  assert.deepEqual(seen, ['begin', 'first', 'second', 'messaging-lost']);
});

test('the timer wakes the core at its deadline, not before', async () => {
  const dueMs = monotonicMs() + 30;
  const wokeMs = await new Promise<number>((resolve) => {
    const rule: Rule = (state, event, now) => {
      if (event.type === 'woke') resolve(now.monoMs);
      return {state: [...state, event.type], effects: []};
    };
    loop = new ManagerLoop<string[]>({perform: () => {}, onCrash: (error) => assert.fail(String(error))});
    loop.start(
      coreOf(rule, (state) => (state.includes('woke') ? Number.POSITIVE_INFINITY : dueMs)),
      config,
    );
  });
  assert.ok(wokeMs >= dueMs, `${wokeMs - dueMs}`);
});

test('a mistake stops everything, and the record replays to it', () => {
  const crashes: unknown[] = [];
  const performed: string[] = [];
  const failing: Rule = (state, event, now) => {
    if (state.length === 4) throw new Error('invariant');
    return keep(state, event, now);
  };
  loop = new ManagerLoop<string[]>({
    perform: (effect) => performed.push(codeOf(effect)),
    onCrash: (error) => crashes.push(error),
  });
  loop.start(coreOf(failing), config);
  for (let count = 0; count < 6; count += 1) loop.dispatch({type: 'woke'});
  assert.equal(crashes.length, 1);
  assert.equal(performed.length, 4);
  const {state, events} = loop.recorded();
  const replay = () => events.reduce((from, {event, now}) => failing(from, event, now).state, state as string[]);
  assert.throws(replay, /invariant/);
});

test('what a reload changes is told apart', () => {
  const changed = (ha: object, rest: object = {}) =>
    diffConfig(config, {...config, ...rest, ha: {...config.ha, ...ha}});
  const none = {any: false, keys: false, messaging: false, logging: false, atNextStart: []};
  assert.deepEqual(changed({}), none);
  assert.deepEqual(changed({deadtimeMs: 2}), {...none, any: true, messaging: true});
  assert.deepEqual(changed({logfile: '/b'}), {...none, any: true, logging: true});
  assert.deepEqual(changed({}, {keyring: {signWith: 2, keys: []}}), {...none, any: true, keys: true});
  assert.deepEqual(changed({}, {groups: [1]}), {...none, any: true});
  assert.deepEqual(changed({respawn: [{user: 'root', command: '/x', failfast: false}]}).atNextStart, [
    'respawn, failfast',
  ]);
  const watched = {...config, ha: {...config.ha, watchdog: '/dev/watchdog'}};
  const slower = {...watched, ha: {...watched.ha, deadtimeMs: 2000}};
  assert.deepEqual(diffConfig(watched, slower).atNextStart, ['deadtime (for the watchdog only)']);
});

test('only a daemon in the default run directory reboots the machine', () => {
  assert.deepEqual(rebootPlan(resolvePaths({}, '/p'), {}).command, ['reboot', '-nf']);
  assert.equal(rebootPlan(resolvePaths({HA_RUNDIR: '/tmp/x'}, '/p'), {}).command, undefined);
  assert.deepEqual(rebootPlan(resolvePaths({}, '/p'), {SYSTOLE_REBOOT: 'true'}).command, ['/bin/sh', '-c', 'true']);
});

test('deaths and link changes reach API clients in the forms of the real daemon', () => {
  const dead = feedOf({type: 'node-changed', node: 'n2', status: 'dead', previous: 'active', wasHeard: true}, 255_000);
  assert.deepEqual(dead, messageOf({t: 'status', seq: '1', ts: 'ff', src: 'n2', st: 'dead'}));
  const ping = feedOf({type: 'node-changed', node: 'r', status: 'dead', previous: 'ping', wasHeard: true}, 0);
  assert.equal(ping && fieldOf(ping, 'info'), 'ping');
  assert.equal(
    feedOf({type: 'node-changed', node: 'n2', status: 'up', previous: 'dead', wasHeard: true}, 0),
    undefined,
  );
  assert.deepEqual(
    feedOf({type: 'link-changed', node: 'n2', link: 'eth0', status: 'up'}, 0),
    messageOf({t: 'ifstat', node: 'n2', ifname: 'eth0', st: 'up'}),
  );
  assert.equal(fieldOf(ownMessage(messageOf({t: 'x'}), 'n1'), 'src'), 'n1');
});

test('letters of the command line change the run and reach the successor', () => {
  const given = readArguments(['-d', '-d', '-l', '-M', '--foreground']);
  assert.deepEqual(given.forSuccessor.join(' '), '-d -d -l -M --adopt');
  const base = {...config, ha: {...config.ha, debug: 1, realtime: true}, groups: [1]} as unknown as ClusterConfig;
  const changed = withArguments(base, given);
  assert.deepEqual([changed.ha.debug, changed.ha.realtime, changed.groups.length], [3, false, 0]);
  assert.deepEqual(withArguments(base, readArguments([])), base);
});

// Goal: dopd never gives an answer that is not true, loses no request, and talks to the original at the other end. Method: its
// core and the outdate plan as plain functions, time given by hand.

import assert from 'node:assert/strict';
import {describe, test} from '@jest/globals';
import {startDopd, stepDopd, wantedOf} from '../../src/drbd/dopd.js';
import {ANSWER_LIMIT_MS, dopdWakeAt} from '../../src/drbd/dopd-asks.js';
import type {DopdEffect, DopdEvent, DopdState} from '../../src/drbd/dopd-state.js';
import {isLost, nextOutdateStep, OUTDATE_LIMIT_MS, type OutdateProgress} from '../../src/drbd/outdate.js';
import type {Connection, DiskState, ResourceState, Role} from '../../src/drbd/state.js';
import {fieldOf, messageOf} from '../../src/model/message.js';

const NOTICE_MS = 6000;

class Core {
  state: DopdState = startDopd('N1', NOTICE_MS, 's');
  nowMs = 1000;

  /** What is done about an event, in short words; log lines left out. */
  on(event: DopdEvent): string[] {
    const {state, effects} = stepDopd(this.state, event, this.nowMs);
    this.state = state;
    return effects.filter((effect) => effect.type !== 'log').map(short);
  }

  /** Lets time pass up to the moment, waking when due. */
  until(ms: number): string[] {
    const done: string[] = [];
    for (;;) {
      const due = dopdWakeAt(this.state);
      if (due === undefined || due > ms) break;
      this.nowMs = due;
      done.push(...this.on({type: 'woke'}));
    }
    this.nowMs = ms;
    return done;
  }

  ask(client: number, peer = 'N2', resource = 'data', isConnected = false): string[] {
    return this.on({type: 'helper-asked', client, peer, resource, isConnected});
  }

  /** By default as our dopd answers; the original knows neither of the two fields. */
  answer(value: number, more: Record<string, string> = {dop_seen: '1', dop_id: `s-${this.state.serial}`}): string[] {
    const fields = {t: 'outdate_rc', src: 'n2', dop_value: String(value), dop_res: 'data', ...more};
    return this.on({type: 'message', message: messageOf(fields)});
  }
}

function short(effect: DopdEffect): string {
  switch (effect.type) {
    case 'send': {
      const [type, to, value] = ['t', 'dest', 'dop_value'].map((name) => fieldOf(effect.message, name));
      return [type, to, fieldOf(effect.message, 'dop_res'), value].filter((word) => word !== undefined).join(' ');
    }
    case 'answer':
      return `answer ${effect.client} ${effect.value}`;
    case 'outdate':
      return `outdate ${effect.resource} for ${effect.requester}`;
    case 'ask-status':
      return `status ${effect.node}`;
    case 'want-stonith':
      return ['stonith', effect.node, effect.oldMs].filter((word) => word !== undefined).join(' ');
    case 'log':
      return effect.text;
  }
}

describe('asking', () => {
  test('a request goes to the peer at once, and its answer to the helper', () => {
    const core = new Core();
    assert.deepEqual(core.ask(1), ['start_outdate n2 data', 'status n2']);
    assert.deepEqual(core.on({type: 'node-seen', node: 'n2', nodeType: 'normal', status: 'active'}), []);
    for (const value of [3, 4, 6, 20]) {
      const fresh = new Core();
      fresh.ask(7);
      assert.deepEqual(fresh.answer(value), [`answer 7 ${value}`]);
      assert.equal(dopdWakeAt(fresh.state), undefined);
    }
  });

  const seen = (status: string, stonith?: string): DopdEvent => ({
    type: 'node-seen',
    node: 'n2',
    nodeType: 'normal',
    status,
    stonith,
  });

  test('a dead peer is 5 at once, and as soon as it is declared dead', () => {
    const core = new Core();
    core.ask(1);
    assert.deepEqual(core.on(seen('dead')), ['answer 1 5']);
    core.ask(2);
    const dead = messageOf({t: 'status', src: 'N2', st: 'dead'});
    // The message does not say whether STONITH was tried.
    assert.deepEqual(core.on({type: 'message', message: dead}), ['status n2']);
    assert.deepEqual(core.on(seen('dead', 'n_stnth')), ['answer 2 5']);
  });

  test('with STONITH a dead peer is 7, once it was reset; until then nothing is said of it', () => {
    const core = new Core();
    core.ask(1);
    assert.deepEqual(core.on(seen('dead', 'pending')), []);
    assert.deepEqual(core.on(seen('dead', 'bad')), []);
    assert.deepEqual(core.on(seen('dead', 'OK')), ['answer 1 7']);
    core.ask(2);
    assert.deepEqual(core.on(seen('dead', 'bad')), []);
    // It lives after all, or its answer was on its way.
    assert.deepEqual(core.answer(4), ['answer 2 4']);
    core.ask(3);
    core.on(seen('dead', 'pending'));
    const late = core.until(core.nowMs + ANSWER_LIMIT_MS);
    assert.deepEqual(
      late.filter((each) => each.startsWith('answer')),
      ['answer 3 20'],
    );
  });

  test('a reset that was begun before DRBD was connected again proves nothing of a later cut', () => {
    const core = new Core();
    core.state = {...core.state, freezes: {data: true, logs: false, other: true}};
    for (const resource of ['data', 'logs']) core.on({type: 'link-returned', resource});
    core.ask(1);
    core.ask(2, 'n2', 'logs');
    core.ask(3, 'n2', 'other');
    const reset = (resetMs: number | undefined): DopdEvent => ({...seen('dead', 'OK'), resetMs}) as DopdEvent;
    assert.deepEqual(core.on(reset(900)), ['answer 3 7', 'answer 2 5', 'stonith n2 900']);
    assert.deepEqual(core.on(reset(1001)), ['answer 1 7']);
    // A daemon that does not say when.
    core.ask(4);
    assert.deepEqual(core.on(reset(undefined)), ['stonith n2']);
  });

  test('a dead node that was not reset: 5 where writes go on anyway, its STONITH where they are frozen', () => {
    const core = new Core();
    core.ask(1);
    core.ask(2, 'n2', 'logs');
    // Before the settings are read nothing is decided.
    assert.deepEqual(core.on(seen('dead', 'unneeded')), []);
    core.state = {...core.state, freezes: {data: true, logs: false}};
    assert.deepEqual(core.on(seen('dead', 'unneeded')), ['answer 2 5', 'stonith n2']);
    assert.deepEqual(core.on(seen('dead', 'pending')), []);
    assert.deepEqual(core.on(seen('dead', 'OK')), ['answer 1 7']);
    // Without STONITH there is no proof to wait for.
    core.ask(3);
    assert.deepEqual(core.on(seen('dead', 'n_stnth')), ['answer 3 5']);
  });

  test('DRBD is connected: nobody is asked, and a link that returns ends the request', () => {
    const core = new Core();
    assert.deepEqual(core.ask(1, 'N2', 'data', true), ['answer 1 20']);
    core.ask(2);
    core.ask(3, 'n2', 'logs');
    assert.deepEqual(core.on({type: 'link-returned', resource: 'data'}), ['answer 2 20', 'cancel_outdate n2 data']);
    assert.equal(core.state.asks.length, 1);
  });

  test('the call of the handler starts the outdating; its answer is not taken for that of the request', () => {
    const core = new Core();
    const called: DopdEvent = {type: 'helper-called', peer: 'N2', resource: 'data'};
    assert.deepEqual(core.on(called), ['start_outdate n2 data']);
    const early = {dop_seen: '1', dop_id: 's-1'};
    assert.deepEqual(core.answer(4, early), []);
    assert.deepEqual(core.ask(1), ['start_outdate n2 data', 'status n2']);
    assert.deepEqual(core.answer(4, early), []);
    // The helper has asked already.
    assert.deepEqual(core.on(called), []);
    assert.deepEqual(core.answer(4), ['answer 1 4']);
    assert.deepEqual(core.on({...called, peer: 'n1'}), []);
  });

  test('an answer to an earlier request, or to an earlier life of dopd, counts for nothing', () => {
    const core = new Core();
    core.ask(1);
    core.on({type: 'helper-left', client: 1});
    core.ask(2);
    for (const value of [3, 4, 6, 20]) {
      assert.deepEqual(core.answer(value, {dop_seen: '1', dop_id: 's-1'}), []);
      assert.deepEqual(core.answer(value, {dop_seen: '1', dop_id: 'other-2'}), []);
    }
    assert.deepEqual(core.answer(4), ['answer 2 4']);
  });

  test('a peer that is not known to be dead is never called dead', () => {
    const core = new Core();
    core.ask(1);
    const done = core.until(1000 + ANSWER_LIMIT_MS);
    assert.deepEqual(
      done.filter((each) => each.startsWith('answer')),
      ['answer 1 20'],
    );
    assert.deepEqual(core.ask(2, 'n1'), ['answer 2 20']);
    core.ask(3, 'n9');
    assert.deepEqual(core.on({type: 'node-unknown', node: 'n9'}), ['answer 3 20']);
    core.ask(4, 'router');
    assert.deepEqual(core.on({type: 'node-seen', node: 'router', nodeType: 'ping', status: 'dead'}), ['answer 4 20']);
  });

  test('concurrent helpers for one resource share one request; another resource has its own', () => {
    const core = new Core();
    core.ask(1);
    assert.deepEqual(core.ask(2), []);
    assert.deepEqual(core.ask(3, 'n2', 'logs'), ['start_outdate n2 logs', 'status n2']);
    const first = {dop_seen: '1', dop_id: 's-1'};
    assert.deepEqual(core.answer(4, first), ['answer 1 4', 'answer 2 4']);
    assert.deepEqual(core.answer(4, first), []);
    assert.equal(core.state.asks.length, 1);
    // And again, right after.
    assert.deepEqual(core.ask(4), ['start_outdate n2 data', 'status n2']);
  });

  test('a request is repeated while nobody answers: dopd there may just be starting', () => {
    const core = new Core();
    core.ask(1);
    const sent = core.until(8000).filter((each) => each.startsWith('start_outdate'));
    assert.equal(sent.length, 3);
    assert.deepEqual(core.answer(4), ['answer 1 4']);
  });

  test('a helper that leaves takes its request with it', () => {
    const core = new Core();
    core.ask(1);
    core.on({type: 'helper-left', client: 1});
    assert.equal(dopdWakeAt(core.state), undefined);
  });

  test('a request whose helper gave up is taken back when the link returns, not before: the peer may have to break it yet', () => {
    const core = new Core();
    core.ask(1);
    assert.deepEqual(core.on({type: 'helper-left', client: 1}), []);
    core.ask(2);
    // Nor does the verdict of the cluster end what the peer was asked: it may only be out of reach.
    assert.deepEqual(core.on(seen('dead')), ['answer 2 5']);
    core.ask(3);
    core.answer(4);
    core.ask(4, 'n2', 'logs');
    core.until(core.nowMs + ANSWER_LIMIT_MS);
    assert.deepEqual(core.on({type: 'link-returned', resource: 'data'}), [
      'cancel_outdate n2 data',
      'cancel_outdate n2 data',
    ]);
    assert.deepEqual(core.on({type: 'link-returned', resource: 'logs'}), ['cancel_outdate n2 logs']);
    assert.deepEqual(core.on({type: 'link-returned', resource: 'data'}), []);
    for (let client = 10; client < 200; client += 1) {
      core.ask(client);
      core.on({type: 'helper-left', client});
    }
    assert.equal(core.on({type: 'link-returned', resource: 'data'}).length, 64);
  });

  test('the 4 of a dopd that does not look is believed only after DRBD there must have noticed', () => {
    const core = new Core();
    core.ask(1);
    core.nowMs = 1200;
    assert.deepEqual(core.answer(4, {}), []);
    assert.ok(core.until(1000 + NOTICE_MS).includes('start_outdate n2 data'));
    assert.deepEqual(core.answer(4, {}), ['answer 1 4']);
    // Its other answers need no proof.
    core.ask(2);
    assert.deepEqual(core.answer(6, {}), ['answer 2 6']);
  });

  test('that time begins with the call of the handler, which takes a while to start; not with a call before the link came back', () => {
    const core = new Core();
    const called: DopdEvent = {type: 'helper-called', peer: 'n2', resource: 'data'};
    core.on(called);
    core.nowMs += 900;
    core.ask(1);
    // To the early request, and to the helper's.
    assert.deepEqual(core.answer(4, {}), []);
    assert.deepEqual(core.answer(4, {}), []);
    assert.ok(core.until(1000 + NOTICE_MS).includes('start_outdate n2 data'));
    assert.deepEqual(core.answer(4, {}), ['answer 1 4']);
    core.on(called);
    assert.deepEqual(core.on({type: 'link-returned', resource: 'data'}), ['cancel_outdate n2 data']);
    core.nowMs += 900;
    core.ask(2);
    const askedMs = core.nowMs;
    core.answer(4, {});
    core.until(askedMs + NOTICE_MS - 10);
    assert.deepEqual(core.answer(4, {}), []);
    core.until(askedMs + NOTICE_MS);
    assert.deepEqual(core.answer(4, {}), ['answer 2 4']);
  });

  test('a 4 that comes late proves as little: it may answer a request from before the peer had noticed', () => {
    const core = new Core();
    core.ask(1);
    core.until(1000 + NOTICE_MS + 100);
    // Requests at 1.0, 3.0 and 5.0 s were from before; one at 7.0 s is the proof.
    for (const _ of [1, 2, 3]) assert.deepEqual(core.answer(4, {}), []);
    assert.deepEqual(core.answer(4, {}), ['answer 1 4']);
  });

  test('what only the cluster can say of a node is not believed from that node', () => {
    for (const value of [5, 7, 260, 263, 0, 1]) {
      const core = new Core();
      core.ask(1);
      assert.deepEqual(core.answer(value), ['answer 1 20']);
    }
  });

  test('the early request says that it is one, so that it breaks no connection', () => {
    const called: DopdEvent = {type: 'helper-called', peer: 'n2', resource: 'data'};
    const [, effect] = stepDopd(new Core().state, called, 0).effects;
    assert.ok(effect?.type === 'send');
    assert.equal(fieldOf(effect.message, 'dop_early'), '1');
  });

  test('the second question is asked even if the helper gave up', () => {
    const core = new Core();
    core.ask(1);
    core.answer(4, {});
    core.on({type: 'helper-left', client: 1});
    assert.ok(core.until(1000 + NOTICE_MS).includes('start_outdate n2 data'));
    assert.deepEqual(core.answer(4, {}), []);
    assert.equal(dopdWakeAt(core.state), undefined);
  });

  test('names that could be options of a tool are refused', () => {
    const core = new Core();
    assert.deepEqual(core.ask(1, 'n2', '--force'), ['answer 1 20']);
    const evil = messageOf({t: 'start_outdate', src: 'n2', dop_res: '-x', dest: 'n1'});
    assert.deepEqual(core.on({type: 'message', message: evil}), ['outdate_rc n2 -x 20']);
  });
});

describe('being asked', () => {
  const wanted = (src = 'n2') => ({
    type: 'message' as const,
    message: messageOf({t: 'start_outdate', src, dop_res: 'data'}),
  });
  const start = {t: 'start_outdate', src: 'n2', dop_res: 'data', dest: 'n1'};
  test('one run a resource, one answer for each node that asked', () => {
    const core = new Core();
    assert.deepEqual(core.on(wanted()), ['outdate data for n2']);
    assert.deepEqual(core.on(wanted()), []);
    assert.deepEqual(core.on(wanted('n3')), []);
    const ended = {type: 'outdate-ended', resource: 'data', value: 4, why: ''} as const;
    assert.deepEqual(core.on(ended), ['outdate_rc n2 data 4', 'outdate_rc n3 data 4']);
    assert.deepEqual(core.on(wanted()), ['outdate data for n2']);
  });
  test('each request of a dopd of our kind gets its own id back; an original gets none', () => {
    const core = new Core();
    const asks = [{}, {dop_id: 'a-1'}, {dop_id: 'a-2'}, {dop_id: 'a-1'}];
    for (const more of asks) core.on({type: 'message', message: messageOf({...start, ...more})});
    const {effects} = stepDopd(core.state, {type: 'outdate-ended', resource: 'data', value: 4, why: ''}, 0);
    const ids = effects.flatMap((effect) => (effect.type === 'send' ? [fieldOf(effect.message, 'dop_id')] : []));
    assert.deepEqual(ids, [undefined, 'a-1', 'a-2']);
  });
  test('a resource may be called as things in JavaScript are', () => {
    const core = new Core();
    const odd = {...start, dop_res: 'constructor'};
    assert.deepEqual(core.on({type: 'message', message: messageOf(odd)}), ['outdate constructor for n2']);
    const ended = {type: 'outdate-ended', resource: 'constructor', value: 4, why: ''} as const;
    assert.deepEqual(core.on(ended), ['outdate_rc n2 constructor 4']);
    assert.deepEqual(core.on({...ended, resource: 'toString'}), []);
    core.ask(1, 'n2', 'valueOf');
    assert.deepEqual(
      core.on({type: 'node-seen', node: 'n2', nodeType: 'normal', status: 'dead', stonith: 'unneeded'}),
      [],
    );
  });
  test('an early request, one in earnest, and its cancelling', () => {
    const core = new Core();
    const say = (more: Record<string, string>) => core.on({type: 'message', message: messageOf({...start, ...more})});
    assert.equal(wantedOf(core.state, 'data'), 'no');
    say({dop_id: 'a-1', dop_early: '1'});
    assert.equal(wantedOf(core.state, 'data'), 'early');
    assert.deepEqual(say({dop_id: 'a-2'}), []);
    assert.equal(wantedOf(core.state, 'data'), 'yes');
    for (const more of [{dop_id: 'a-3'}, {dop_id: 'a-2', src: 'n3'}, {}]) say({...more, t: 'cancel_outdate'});
    assert.equal(wantedOf(core.state, 'data'), 'yes');
    say({t: 'cancel_outdate', dop_id: 'a-2'});
    assert.equal(wantedOf(core.state, 'data'), 'early');
    say({t: 'cancel_outdate', dop_id: 'a-1'});
    assert.equal(wantedOf(core.state, 'data'), 'no');
    // The run goes on to its end, and another request joins it.
    assert.deepEqual(say({dop_id: 'a-4'}), []);
    assert.deepEqual(core.on({type: 'outdate-ended', resource: 'data', value: 4, why: ''}), ['outdate_rc n2 data 4']);
  });
  test('a flood of requests is bounded', () => {
    const core = new Core();
    const answers = Array.from({length: 100}, (_, at) =>
      core.on({type: 'message', message: messageOf({...start, dop_id: `${at}`})}),
    );
    assert.equal(core.state.runs['data']?.length, 64);
    assert.deepEqual(answers.at(-1), ['outdate_rc n2 data 20']);
  });
  test('runs for many resources are bounded, and what is refused is said at once', () => {
    const core = new Core();
    const want = (name: string): string[] =>
      core.on({type: 'message', message: messageOf({t: 'start_outdate', src: 'n2', dop_res: name})});
    for (let count = 0; count < 32; count += 1) assert.deepEqual(want(`r${count}`), [`outdate r${count} for n2`]);
    assert.deepEqual(want('more'), ['outdate_rc n2 more 20']);
    core.on({type: 'outdate-ended', resource: 'r0', value: 4, why: ''});
    assert.deepEqual(want('more'), ['outdate more for n2']);
  });

  test('our own message that comes back is nothing', () => {
    assert.deepEqual(new Core().on(wanted('N1')), []);
  });
});

describe('outdating this disk', () => {
  const state = (role: Role, disks: readonly DiskState[], connection: Connection, peers = ['peer']): ResourceState => ({
    name: 'data',
    role,
    isSuspended: false,
    volumes: disks.map((disk, volume) => ({volume, minor: volume, disk})),
    peers: peers.map((name) => ({name, connection, role: 'Unknown', volumes: []})),
  });
  const fresh: OutdateProgress = {
    elapsedMs: 0,
    outdates: 0,
    isForced: false,
    wasLost: false,
    isWanted: true,
    isEarly: false,
  };
  const next = (seen: ResourceState, progress: Partial<OutdateProgress> = {}) => {
    const step = nextOutdateStep({state: seen, metadata: []}, {...fresh, ...progress}, 'n2');
    return step.do === 'answer' ? `answer ${step.value}` : step.do;
  };

  test('a connected disk is never called outdated, whatever it says', () => {
    for (const disk of ['UpToDate', 'Outdated', 'Inconsistent', 'Diskless', 'Consistent'] as const)
      for (const elapsedMs of [0, 200, 400, 5000, OUTDATE_LIMIT_MS])
        for (const isForced of [false, true]) {
          const step = next(state('Secondary', [disk], 'Connected'), {elapsedMs, isForced, outdates: 3});
          assert.ok(['wait', 'disconnect', 'answer 20'].includes(step), step);
        }
  });
  test('first DRBD may notice by itself, then the connection is dropped, once', () => {
    const connected = state('Secondary', ['UpToDate'], 'Connected');
    assert.equal(next(connected, {elapsedMs: 100}), 'wait');
    assert.equal(next(connected, {elapsedMs: 400}), 'disconnect');
    assert.equal(next(connected, {elapsedMs: 500, isForced: true}), 'wait');
    assert.equal(next(state('Secondary', ['UpToDate'], 'NetworkFailure'), {elapsedMs: 400}), 'wait');
  });
  test('a link that returned is not broken; an early request breaks none', () => {
    const connected = state('Secondary', ['UpToDate'], 'Connected');
    assert.equal(next(connected, {elapsedMs: 900, wasLost: true}), 'wait');
    assert.equal(next(connected, {elapsedMs: 900, wasLost: true, isWanted: false}), 'answer 20');
    // Who still asks after so long has not got it back.
    assert.equal(next(connected, {elapsedMs: 3100, wasLost: true}), 'disconnect');
    assert.equal(next(connected, {elapsedMs: 900, isEarly: true}), 'wait');
    assert.equal(next(connected, {elapsedMs: 6000, isEarly: true}), 'answer 20');
    assert.equal(next(state('Secondary', ['UpToDate'], 'Connecting'), {isEarly: true}), 'outdate');
    for (const connection of ['Connecting', 'NetworkFailure', 'StandAlone'] as const)
      assert.ok(isLost(state('Secondary', ['UpToDate'], connection), 'n2'));
    assert.ok(!isLost(connected, 'n2') && !isLost(undefined, 'n2') && !isLost(state('Secondary', [], 'Unknown'), 'n2'));
  });
  test('not connected: outdate, look again, answer what was seen', () => {
    assert.equal(next(state('Secondary', ['UpToDate'], 'Connecting')), 'outdate');
    assert.equal(next(state('Secondary', ['UpToDate'], 'StandAlone'), {outdates: 1}), 'outdate');
    assert.equal(next(state('Secondary', ['UpToDate'], 'Connecting'), {outdates: 99}), 'answer 20');
    assert.equal(next(state('Secondary', ['Outdated'], 'Connecting')), 'answer 4');
    assert.equal(next(state('Secondary', ['Inconsistent'], 'Connecting')), 'answer 3');
    assert.equal(next(state('Secondary', ['Diskless'], 'StandAlone')), 'answer 3');
  });
  test('every volume counts', () => {
    assert.equal(next(state('Secondary', ['Outdated', 'UpToDate'], 'Connecting')), 'outdate');
    assert.equal(next(state('Secondary', ['Outdated', 'Inconsistent'], 'Connecting')), 'answer 4');
  });
  test('Primary here is 6, connected or not', () => {
    assert.equal(next(state('Primary', ['UpToDate'], 'Connecting')), 'answer 6');
    assert.equal(next(state('Primary', ['UpToDate'], 'Connected')), 'answer 6');
  });
  test('a copy that has what the other one lacks is not outdated for it', () => {
    const progress: OutdateProgress = {
      elapsedMs: 0,
      outdates: 0,
      isForced: false,
      wasLost: true,
      isWanted: true,
      isEarly: false,
    };
    const of = (role: Role) =>
      nextOutdateStep({state: state(role, ['UpToDate'], 'Connecting'), metadata: []}, progress, 'n2', true);
    assert.deepEqual(of('Secondary'), {do: 'answer', value: 20, why: 'the copy here is newer than the one of n2'});
    assert.equal((of('Primary') as {readonly value?: number}).value, 6);
  });

  test('a resource that is down is outdated in its metadata', () => {
    const offline = (metadata: DiskState[]) => {
      const step = nextOutdateStep({state: undefined, metadata}, fresh, 'n2');
      return step.do === 'answer' ? `answer ${step.value}` : step.do;
    };
    assert.equal(offline(['UpToDate']), 'outdate');
    assert.equal(offline(['Outdated']), 'answer 4');
    assert.equal(offline(['Inconsistent']), 'answer 3');
    assert.equal(offline([]), 'answer 20');
  });
  test('with several peers only the one that asks is dropped', () => {
    const both = state('Secondary', ['UpToDate'], 'Connected', ['n3', 'N2']);
    const step = nextOutdateStep({state: both, metadata: []}, {...fresh, elapsedMs: 400}, 'n2');
    assert.deepEqual(step, {do: 'disconnect', peer: 'N2'});
  });
});

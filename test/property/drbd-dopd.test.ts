// Goal: in any order of events every helper gets one answer in bounded time, and none that is not covered by what the peer or the
// cluster said for this very request. Method: fast-check drives the core of dopd, whose clock is moved by hand; beside it a
// list of what was said keeps the justification of each value.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import fc from 'fast-check';
import {startDopd, stepDopd} from '../../src/drbd/dopd.js';
import {ANSWER_LIMIT_MS, dopdWakeAt} from '../../src/drbd/dopd-asks.js';
import type {DopdEvent, DopdState} from '../../src/drbd/dopd-state.js';
import {fieldOf, messageOf} from '../../src/model/message.js';

const NOTICE_MS = 6000;

type Move =
  | {readonly do: 'ask' | 'leave' | 'call' | 'return' | 'pass'; readonly amount: number}
  | {readonly do: 'answer'; readonly value: number; readonly by: 'ours' | 'original' | 'stale'}
  | {readonly do: 'status'; readonly status: string; readonly stonith: string | undefined};

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({do: fc.constantFrom('ask', 'leave', 'call', 'return', 'pass'), amount: fc.nat(4000)}),
  fc.record({
    do: fc.constant('answer'),
    value: fc.constantFrom(3, 4, 6, 20),
    by: fc.constantFrom('ours', 'original', 'stale'),
  }),
  fc.record({
    do: fc.constant('status'),
    status: fc.constantFrom('active', 'dead'),
    stonith: fc.constantFrom(undefined, 'OK', 'bad', 'pending', 'n_stnth', 'unneeded'),
  }),
) as fc.Arbitrary<Move>;

class Run {
  state: DopdState = {...startDopd('n1', NOTICE_MS, 's'), freezes: {data: true}};
  nowMs = 0;
  serial = 0;
  readonly waiting = new Map<number, number>();
  said: Move | undefined;
  /** The kernel's call since the link was last there. */
  calledMs: number | undefined;

  on(event: DopdEvent): void {
    const {state, effects} = stepDopd(this.state, event, this.nowMs);
    const asks = this.state.asks;
    this.state = state;
    for (const effect of effects)
      if (effect.type === 'answer') this.judge(effect.client, effect.value, asks[0]?.startedMs ?? 0);
  }

  judge(client: number, value: number, startedMs: number): void {
    const askedMs = this.waiting.get(client);
    assert.ok(askedMs !== undefined, 'a second answer, or one for nobody');
    this.waiting.delete(client);
    const {said} = this;
    if (value === 20) return;
    if (value === 5 || value === 7) {
      assert.ok(said?.do === 'status' && said.status === 'dead', `${value} without a death`);
      assert.equal(value === 7, said.stonith === 'OK');
      assert.ok(!['pending', 'bad', 'unneeded'].includes(said.stonith ?? ''), `${value} while STONITH is not decided`);
      return;
    }
    assert.ok(said?.do === 'answer' && said.value === value, `${value} that nobody said`);
    assert.notEqual(said.by, 'stale');
    if (value === 4 && said.by === 'original') {
      const lostMs = Math.min(startedMs, this.calledMs ?? startedMs);
      assert.ok(this.nowMs >= lostMs + NOTICE_MS, 'an unproven 4');
    }
  }

  play(move: Move): void {
    this.said = move;
    switch (move.do) {
      case 'ask':
        this.serial += 1;
        this.waiting.set(this.serial, this.nowMs);
        return this.on({
          type: 'helper-asked',
          client: this.serial,
          peer: 'n2',
          resource: 'data',
          isConnected: move.amount > 3900,
        });
      case 'leave': {
        const client = [...this.waiting.keys()][0];
        if (client === undefined) return;
        this.waiting.delete(client);
        return this.on({type: 'helper-left', client});
      }
      case 'call':
        // While a helper waits a call says nothing new.
        if (this.state.asks.length === 0) this.calledMs = this.nowMs;
        return this.on({type: 'helper-called', peer: 'n2', resource: 'data'});
      case 'return':
        this.calledMs = undefined;
        return this.on({type: 'link-returned', resource: 'data'});
      case 'pass':
        return this.pass(move.amount);
      case 'answer': {
        const id = move.by === 'stale' ? 's-0' : this.state.asks[0]?.id;
        const more = move.by === 'original' || id === undefined ? {} : {dop_id: id, dop_seen: '1'};
        const fields = {t: 'outdate_rc', src: 'n2', dop_res: 'data', dop_value: String(move.value), ...more};
        return this.on({type: 'message', message: messageOf(fields)});
      }
      case 'status':
        return this.on({type: 'node-seen', node: 'n2', nodeType: 'normal', status: move.status, stonith: move.stonith});
    }
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const due = dopdWakeAt(this.state);
      if (due === undefined || due > endMs) break;
      this.nowMs = Math.max(due, this.nowMs);
      this.on({type: 'woke'});
    }
    this.nowMs = endMs;
  }
}

test('every helper gets one answer, in time, and a justified one', () => {
  fc.assert(
    fc.property(fc.array(move, {maxLength: 60}), (moves) => {
      const run = new Run();
      for (const each of moves) run.play(each);
      run.said = undefined;
      run.pass(ANSWER_LIMIT_MS);
      assert.equal(run.waiting.size, 0, 'a helper without an answer');
      assert.equal(dopdWakeAt(run.state), undefined);
    }),
    {numRuns: 500},
  );
});

test('being asked: every request of every asker gets exactly one answer, with its own id', () => {
  const event = fc.oneof(
    fc.record({src: fc.constantFrom('n2', 'n3'), id: fc.constantFrom(undefined, 'a', 'b', 'c')}),
    fc.constant('ended' as const),
  );
  fc.assert(
    fc.property(fc.array(event, {maxLength: 40}), (events) => {
      let state = startDopd('n1', NOTICE_MS, 's');
      const open = new Set<string>();
      let isRunning = false;
      for (const each of [...events, 'ended' as const]) {
        if (each === 'ended' && !isRunning) continue;
        const next: DopdEvent =
          each === 'ended'
            ? {type: 'outdate-ended', resource: 'data', value: 4, why: ''}
            : {
                type: 'message',
                message: messageOf({
                  t: 'start_outdate',
                  src: each.src,
                  dop_res: 'data',
                  ...(each.id && {dop_id: each.id}),
                }),
              };
        const step = stepDopd(state, next, 0);
        state = step.state;
        if (each !== 'ended') open.add(`${each.src} ${each.id}`);
        isRunning = each !== 'ended';
        for (const effect of step.effects) {
          if (effect.type !== 'send') continue;
          const who = `${fieldOf(effect.message, 'dest')} ${fieldOf(effect.message, 'dop_id')}`;
          assert.ok(open.delete(who), `${who} is answered twice or never asked`);
        }
      }
      assert.equal(open.size, 0);
    }),
  );
});

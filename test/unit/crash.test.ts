import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {type CrashReport, Recorder, writeCrashFile} from '../../src/runtime/crash.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-crash-'));
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

const keyring = {signWith: 1, keys: [{index: 1, method: 'sha1', key: 'HA_JACKBILLOW'}]};
function report(wallMs: number): CrashReport {
  return {
    format: 'systole-crash-1',
    process: 'manager',
    node: 'n1',
    version: '0.1.0',
    wallMs,
    error: 'Error: a peer is never heard in the future',
    config: {
      keyring,
      ha: {stonith: {type: 'external/x', parameters: ['se', 'cret']}, parameters: {stonith_host: 'n1 x secret'}},
    },
    state: {count: 1},
    events: [{now: {monoMs: 1, wallMs}, event: {type: 'tell', message: {type: 'use-keys', keyring}}}],
  };
}

test('the recorder replays: folding its events over its state gives the state of now', () => {
  for (const length of [0, 1, 255, 256, 257, 700, 1024]) {
    let state = 0;
    const recorder = new Recorder<number, number>(state);
    for (let event = 1; event <= length; event += 1) {
      recorder.record(state, event, {monoMs: event, wallMs: 0});
      state += event;
    }
    const {state: from, events} = recorder.contents();
    assert.equal(
      events.reduce((sum, {event}) => sum + event, from),
      state,
    );
    assert.ok(events.length >= Math.min(length, 256) && events.length <= 512, `${length}: ${events.length}`);
  }
});

test('a crash file is private, holds no secret, and replaces the oldest', () => {
  for (let at = 0; at < 14; at += 1) writeCrashFile(dir, report(1_000_000 * at));
  const names = readdirSync(dir).sort();
  assert.equal(names.length, 10);
  assert.match(names.at(-1) ?? '', /^systole-crash-1970-01-01T03-36-40-000Z-\d+\.json$/);
  const text = readFileSync(join(dir, names[0] ?? ''), 'utf8');
  assert.doesNotMatch(text, /JACKBILLOW|cret/);
  assert.equal(JSON.parse(text).events[0].event.message.keyring.keys[0].method, 'sha1');
  assert.equal(statSync(join(dir, names[0] ?? '')).mode & 0o777, 0o600);
  assert.equal(writeCrashFile('/dev/null/nowhere', report(1)), undefined);
});

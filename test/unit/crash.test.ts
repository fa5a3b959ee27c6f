import assert from 'node:assert/strict';
import {chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import {type CrashReport, Recorder, writeCrashFile} from '../../src/runtime/crash.js';
import {openFactsFile, readFacts} from '../../src/runtime/facts-file.js';

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

test('facts survive; damage is told from absence', async () => {
  const path = join(dir, 'lib/state.json');
  assert.deepEqual(readFacts(path), {ok: true, facts: undefined});
  const facts = {claims: {a: 3}, failCounts: {}};
  const file = openFactsFile(path);
  assert.equal(await file.persist(facts), undefined);
  assert.deepEqual(readFacts(path), {ok: true, facts});
  // Later facts win whatever the order in which writes end.
  await Promise.all([1, 2, 3, 4].map((claim) => file.persist({claims: {a: claim}, failCounts: {}})));
  assert.deepEqual(readFacts(path), {ok: true, facts: {claims: {a: 4}, failCounts: {}}});
  for (const bad of ['', '{', '[]', '{"claims":{"a":"x"},"failCounts":{}}', '{"claims":{}}', 'null']) {
    writeFileSync(path, bad);
    assert.equal(readFacts(path).ok, false, bad);
  }
});

test('a disk that refuses or hangs is told within the bound', async () => {
  assert.match(
    (await openFactsFile('/dev/null/x/state').persist({claims: {}, failCounts: {}})) ?? '',
    /ENOTDIR|EEXIST/,
  );
  const hanging = openFactsFile(join(dir, 'state'), 0);
  const failure = await hanging.persist({claims: {}, failCounts: {}});
  assert.match(failure ?? 'written', /written/);
  chmodSync(dir, 0o755);
});

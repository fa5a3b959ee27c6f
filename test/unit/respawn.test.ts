import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {LogRecord} from '../../src/model/log.js';
import {pollUntil} from '../../src/runtime/process-group.js';
import {type RespawnedClients, type RespawnOptions, startClients} from '../../src/runtime/respawn.js';

const bin = new URL('../../../fixtures/bin', import.meta.url).pathname;
const isRoot = process.getuid?.() === 0;
let dir = '';
let logs: LogRecord[] = [];
let clients: RespawnedClients | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-respawn-'));
  logs = [];
});
afterEach(async () => {
  await clients?.stop();
  clients = undefined;
  rmSync(dir, {recursive: true, force: true});
});

const me = isRoot ? 'root' : (process.env['USER'] ?? 'root');
function start(commands: string[], more: Partial<RespawnOptions> & {failfast?: boolean; user?: string} = {}): void {
  clients = startClients({
    clients: commands.map((command) => ({user: more.user ?? me, command, failfast: more.failfast ?? false})),
    env: {PATH: process.env['PATH'] ?? ''},
    log: (record) => logs.push(record),
    onFailfast: () => assert.fail('no failfast expected'),
    pauseMs: 1,
    killDelayMs: 200,
    ...more,
  });
}
const texts = (code: string): string[] => logs.filter((each) => each.code === code).map(({text}) => text);
const livesOf = (path: string): number => read(path).split('\n').length - 1;
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

test('a client that ends too fast is given up after its 11th short life', async () => {
  start([`${bin}/../bin/fails`]);
  assert.ok(await pollUntil(() => texts('CLIENT_TOO_FAST').length === 1, 8000));
  assert.equal(texts('CLIENT_STARTED').length, 11);
  assert.match(texts('CLIENT_TOO_FAST')[0] ?? '', /^Client .*fails "respawning too fast"$/);
});

test('long lives reset the count', async () => {
  start([`/bin/echo >>${dir}/lives`], {shortLifeMs: 0, shortLivesMax: 2});
  assert.ok(await pollUntil(() => texts('CLIENT_STARTED').length > 8, 8000));
  assert.equal(texts('CLIENT_TOO_FAST').length, 0);
});

test('exit 100 means never again', async () => {
  start([`/bin/sh -c 'echo life >>${dir}/lives; exit 100'`]);
  assert.ok(await pollUntil(() => texts('CLIENT_ENDED').length === 1, 5000));
  await clients?.stop();
  assert.equal(livesOf(`${dir}/lives`), 1);
  assert.match(texts('CLIENT_GONE')[0] ?? '', /is not running\.$/);
});

test('failfast: failure asks for the end of this node, success respawns', async () => {
  const reasons: string[] = [];
  start([`${bin}/fails`], {failfast: true, onFailfast: (reason) => reasons.push(reason)});
  assert.ok(await pollUntil(() => reasons.length === 1, 5000));
  assert.deepEqual(reasons, [`${bin}/fails`]);
  assert.equal(texts('CLIENT_STARTED').length, 1);
});

test('shutdown goes in reverse order and is bounded for a client that ignores SIGTERM', async () => {
  const script = (name: string) =>
    `/bin/sh -c 'trap "echo ${name} >>${dir}/order; exit" TERM; echo up >>${dir}/up; while :; do sleep 0.02; done'`;
  start([script('first'), `${bin}/ignores-term`, script('last')]);
  assert.ok(await pollUntil(() => livesOf(`${dir}/up`) === 2, 5000));
  const startedMs = performance.now();
  await clients?.stop();
  assert.ok(performance.now() - startedMs < 15_000);
  assert.equal(read(`${dir}/order`), 'last\nfirst\n');
  assert.equal(texts('CLIENT_KILLED').length, 1);
  assert.deepEqual(clients?.pids(), []);
});

(isRoot ? test : test.skip)('the client runs as its user, groups included', async () => {
  start([`/bin/sh -c 'id -u; id -g; id -G' >/tmp/systole-respawn-${process.pid}`], {user: 'nobody', shortLivesMax: 0});
  const path = `/tmp/systole-respawn-${process.pid}`;
  try {
    assert.ok(await pollUntil(() => livesOf(path) === 3, 5000));
    assert.equal(read(path), '65534\n65534\n65534\n');
  } finally {
    rmSync(path, {force: true});
  }
});

test('an unknown user never becomes root', async () => {
  start([`/bin/sh -c 'id -u >${dir}/id'`], {user: 'no-such-user', shortLivesMax: 0});
  assert.ok(await pollUntil(() => texts('CLIENT_TOO_FAST').length === 1, 5000));
  assert.equal(read(`${dir}/id`), '');
});

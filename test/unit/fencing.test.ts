import assert from 'node:assert/strict';
import {chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {LogRecord} from '../../src/model/log.js';
import {createFencer, type Fencer} from '../../src/runtime/fencing.js';
import {openWatchdog} from '../../src/runtime/watchdog.js';

let dir = '';
let logs: LogRecord[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-fencing-'));
  logs = [];
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

function fencer(type: string, parameters: string[], more: {body?: string; timeoutMs?: number} = {}): Fencer {
  const body = more.body ?? `echo "$hostlist|$user|$passwd|$*" >>${dir}/calls`;
  writeFileSync(
    join(dir, 'test'),
    `#!/bin/sh\nif [ "$1" = getconfignames ]; then echo hostlist; echo user passwd; exit 0; fi\n${body}\n`,
  );
  chmodSync(join(dir, 'test'), 0o755);
  return createFencer({
    device: {type, parameters},
    env: {PATH: process.env['PATH'] ?? ''},
    log: (record) => logs.push(record),
    pluginDir: dir,
    timeoutMs: more.timeoutMs ?? 5000,
  });
}
const calls = (): string => readFileSync(join(dir, 'calls'), 'utf8');

test('positional parameters get their names from the plugin', async () => {
  const verdict = await fencer('external/test', ['n1 n2', 'admin', 'se cret']).reset('n2');
  assert.deepEqual(verdict, {ok: true, text: 'OK'});
  assert.equal(calls(), 'n1 n2|admin|se cret|reset n2\n');
  assert.doesNotMatch(JSON.stringify(logs), /cret/);
});

test('parameters may be named', async () => {
  await fencer('external/test', ['passwd=a=b', 'hostlist=n2']).reset('n2');
  assert.equal(calls(), 'n2||a=b|reset n2\n');
});

test('failure, time-out, missing plugin, other types: not fenced, with a reason', async () => {
  const text = async (of: Fencer) => {
    const verdict = await of.reset('n2');
    assert.equal(verdict.ok, false);
    return verdict.text;
  };
  assert.match(await text(fencer('external/test', [], {body: 'exit 3'})), /reset ended with 3/);
  assert.match(await text(fencer('external/test', [], {body: 'exec sleep 100', timeoutMs: 200})), /did not end within/);
  assert.match(await text(fencer('external/other', [])), /plugin is missing/);
  for (const type of ['meatware', 'external/../test', 'external/a/b']) {
    assert.match(await text(fencer(type, [])), /not supported/);
  }
});

test('one node is reset once at a time, and a request is never answered by an older reset', async () => {
  const one = fencer('external/test', ['h', 'u', 'p'], {
    body: `printf '<' >>${dir}/calls; sleep 0.1; echo '>' >>${dir}/calls`,
  });
  const verdicts = await Promise.all([one.reset('n2'), one.reset('n2'), one.reset('n2')]);
  assert.deepEqual(
    verdicts.map(({ok}) => ok),
    [true, true, true],
  );
  assert.equal(calls(), '<>\n<>\n');
  assert.equal((await one.check()).ok, true);
});

test('the watchdog is fed and closed by its magic byte; a missing device is only logged', () => {
  const path = join(dir, 'watchdog');
  const absent = openWatchdog(path, 5000, (record) => logs.push(record));
  absent.feed();
  absent.disarm();
  assert.match(logs[0]?.text ?? '', /Cannot open watchdog device/);
  assert.throws(() => readFileSync(path));
  writeFileSync(path, '');
  const watchdog = openWatchdog(path, 5000, () => {});
  watchdog.feed();
  watchdog.feed();
  watchdog.disarm();
  watchdog.feed();
  assert.equal(readFileSync(path, 'latin1'), '\0\0V');
});

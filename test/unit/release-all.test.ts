import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, test} from '@jest/globals';
import {resolvePaths} from '../../src/model/paths.js';
import {keepConfig} from '../../src/runtime/config-in-force.js';
import {readGroupsInForce, writeGroupsInForce} from '../../src/runtime/groups-in-force.js';
import {loadConfig} from '../../src/runtime/load-config.js';

const script = fileURLToPath(new URL('../../src/runtime/release-all.js', import.meta.url));
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-release-'));
  for (const each of ['etc/resource.d', 'run', 'lib', 'log']) mkdirSync(join(dir, each), {recursive: true});
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

function agent(name: string, body: string): void {
  writeFileSync(join(dir, 'etc/resource.d', name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(dir, 'etc/resource.d', name), 0o755);
}
function run(): {status: number | null; text: string} {
  const env = {
    ...process.env,
    HA_DIR: join(dir, 'etc'),
    HA_RUNDIR: join(dir, 'run'),
    HA_VARLIBDIR: join(dir, 'lib'),
    HA_LOGDIR: join(dir, 'log'),
  };
  const {status, stderr} = spawnSync(process.execPath, [script], {env, encoding: 'utf8'});
  return {status, text: stderr};
}
const held = (name: string): string => join(dir, `run/${name}`);
const GOOD = `f="$HA_RUNDIR/$1"; case $2 in stop) echo "$1" >>"$HA_RUNDIR/order"; rm -f "$f";; status) [ -e "$f" ] && echo running || echo stopped;; esac`;

// The configuration is broken on purpose in these tests: haresources alone has to do.
test('every group is stopped right to left, and measured stopped', () => {
  agent('Good', GOOD);
  writeFileSync(join(dir, 'etc/haresources'), 'n1 Good::a Good::b \\\n Good::c\nn2 Good::d\n');
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(held(name), '');
  const {status, text} = run();
  assert.equal(status, 0, text);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => existsSync(held(name))),
    [false, false, false, false],
  );
  const order = readFileSync(held('order'), 'utf8')
    .split('\n')
    .filter((name) => 'abc'.includes(name) && name !== '');
  assert.equal(order.join(''), 'cba');
});

test('a stop that fails, lies, or is missing: exit 1, and all the rest is stopped', () => {
  agent('Good', GOOD);
  agent('Fails', 'exit 1');
  agent('Lies', 'if [ "$1" = status ]; then echo running; fi');
  for (const bad of ['Fails', 'Lies', 'Missing']) {
    writeFileSync(held('a'), '');
    writeFileSync(held('b'), '');
    writeFileSync(join(dir, 'etc/haresources'), `n1 Good::a ${bad} Good::b\n`);
    const {status, text} = run();
    assert.equal(status, 1, `${bad}: ${text}`);
    assert.equal(existsSync(held('a')) || existsSync(held('b')), false, bad);
  }
});

test('no haresources: nothing is known to be stopped', () => {
  assert.equal(run().status, 1);
});

test('a group that was taken out of haresources while it ran is stopped too', () => {
  agent('Good', GOOD);
  for (const name of ['a', 'b', 'c']) writeFileSync(held(name), '');
  writeFileSync(join(dir, 'etc/haresources'), 'n1 Good::a\n');
  const resource = (name: string) => ({word: `Good::${name}`, script: 'Good', args: [name]});
  const group = (...names: string[]) => ({
    key: `Good::${names[0]}`,
    home: 'n1',
    resources: names.map(resource),
    source: {line: 1},
  });
  assert.equal(writeGroupsInForce(join(dir, 'run'), {groups: [group('a', 'c'), group('b')], claims: {}}), undefined);
  assert.equal(run().status, 0);
  assert.deepEqual(
    ['a', 'b', 'c'].filter((name) => existsSync(held(name))),
    [],
  );
});

test('a damaged list of groups in force is no list', () => {
  const read = (text: string) => {
    writeFileSync(join(dir, 'run/groups.json'), text);
    return readGroupsInForce(join(dir, 'run'));
  };
  const lame = '{"key":"a","home":"n1","source":{},"resources":[{"word":"a"}]}';
  const rest = ['[]', '{"groups":[]}', `{"groups":[${lame}],"claims":{}}`, '{"groups":[],"claims":{"a":0}}'];
  for (const text of ['', '{', '{}', '[1]', ...rest]) assert.equal(read(text), undefined, text);
  assert.deepEqual(read('{"groups":[],"claims":{"a":7}}'), {groups: [], claims: {a: 7}});
});

test('the configuration that was in force is used, not what its files say by now, and goes with its keys', () => {
  agent('Good', GOOD);
  agent('Other', GOOD);
  const good = 'node n1 n2\nucast lo 127.0.0.2\nauto_failback off\n';
  for (const [name, text] of [
    ['nodeinfo', 'n1\n'],
    ['ha.cf', good],
    ['authkeys', 'auth 1\n1 sha1 A-TEST-KEY\n'],
    ['haresources', 'n1 Good::a\n'],
  ] as const)
    writeFileSync(join(dir, 'etc', name), text, {mode: 0o600});
  const {config, diagnostics} = loadConfig(resolvePaths({HA_DIR: join(dir, 'etc')}, join(dir, 'nowhere')), {});
  assert.ok(config, JSON.stringify(diagnostics));
  keepConfig(join(dir, 'run'), config, ({text}) => assert.fail(text));
  writeFileSync(join(dir, 'etc/haresources'), 'n1 Other::b\n');
  writeFileSync(join(dir, 'etc/ha.cf'), 'frobnicate\n');
  for (const name of ['a', 'b']) writeFileSync(held(name), '');
  const {status, text} = run();
  assert.equal(status, 0, text);
  assert.deepEqual([existsSync(held('a')), existsSync(held('b'))], [false, true]);
  assert.equal(existsSync(join(dir, 'run/config.json')), false);
});

test('an agent that cannot tell, or finds it there but unfit, has not stopped', () => {
  for (const words of [
    'echo "cannot determine status, may be running (1)"; exit 4',
    'echo "not running (hung)"; exit 1',
  ]) {
    agent('Unsure', `[ "$1" = stop ] || { ${words}; }`);
    writeFileSync(join(dir, 'etc/haresources'), 'n1 Unsure\n');
    assert.equal(run().status, 1, words);
  }
});

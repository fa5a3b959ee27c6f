// Goal: a successor gets exactly what was in force, or nothing; never what another user could have put there.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {ClusterConfig} from '../../src/model/config.js';
import type {LogRecord} from '../../src/model/log.js';
import {resolvePaths} from '../../src/model/paths.js';
import {messagingMark} from '../../src/runtime/config-diff.js';
import {forgetConfigInForce, keepConfig, plainConfig, readConfigInForce} from '../../src/runtime/config-in-force.js';
import {loadConfig} from '../../src/runtime/load-config.js';

let dir = '';
let config: ClusterConfig;
const path = () => join(dir, 'config.json');
const neverSaid = (record: LogRecord): void => assert.fail(record.text);
const problem = (): string => {
  const found = readConfigInForce(dir);
  return found.ok ? '' : found.problem;
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'systole-in-force-'));
  writeFileSync(join(dir, 'nodeinfo'), 'left\n');
  writeFileSync(join(dir, 'ha.cf'), 'node left right\nucast lo 127.0.0.2\nauto_failback off\nenv WORD=x\n');
  writeFileSync(join(dir, 'authkeys'), 'auth 1\n1 sha1 k\u00e9y\n', {encoding: 'latin1', mode: 0o600});
  writeFileSync(join(dir, 'haresources'), 'left 127.0.0.9\n');
  writeFileSync(join(dir, 'systole.conf'), '[timeouts]\nstart = 30\n');
  mkdirSync(join(dir, 'resource.d'));
  writeFileSync(join(dir, 'resource.d/IPaddr'), '#!/bin/sh\n', {mode: 0o755});
  const loaded = loadConfig(resolvePaths({HA_DIR: dir}, join(dir, 'nowhere')), {});
  assert.ok(loaded.config, JSON.stringify(loaded.diagnostics));
  config = plainConfig(loaded.config);
  keepConfig(dir, config, neverSaid);
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

test('it comes back whole, keys in all their bytes, readable for its owner alone', () => {
  assert.deepEqual(readConfigInForce(dir), {ok: true, config});
  assert.equal(config.keyring.keys[0]?.key, 'k\u00e9y');
  assert.equal(statSync(path()).mode & 0o777, 0o600);
  forgetConfigInForce(dir);
  assert.equal(existsSync(path()), false);
  assert.match(problem(), /ENOENT/);
});

test('an empty, cut, foreign or older file is none, and its text is in no message', () => {
  const texts = ['', '{"format":1,"config":{"keyring":"SECRET', '[]', '{"format":1}', '{"format":0,"config":{}}'];
  const lame = {...config, groups: [{key: 1}]};
  for (const text of [...texts, JSON.stringify({format: 1, config: lame})]) {
    writeFileSync(path(), text);
    assert.ok(problem() !== '' && !problem().includes('SECRET'), text);
  }
});

test('what somebody else could have written is none: a link, a directory, an open mode', () => {
  chmodSync(path(), 0o640);
  assert.match(problem(), /somebody else/);
  chmodSync(path(), 0o600);
  assert.equal(problem(), '');
  keepConfig(dir, config, neverSaid);
  writeFileSync(join(dir, 'elsewhere'), JSON.stringify({format: 1, config}), {mode: 0o600});
  rmSync(path());
  symlinkSync(join(dir, 'elsewhere'), path());
  assert.match(problem(), /ELOOP/);
  rmSync(path());
  mkdirSync(path());
  assert.match(problem(), /no file of ours/);
});

test('a link in the place of the draft is replaced, not followed', () => {
  const target = join(dir, 'target');
  writeFileSync(target, 'mine');
  symlinkSync(target, `${path()}.new`);
  keepConfig(dir, config, neverSaid);
  assert.equal(statSync(target).size, 4);
  assert.equal(problem(), '');
});

test('what cannot be written is said, and no older copy stays for a successor', () => {
  mkdirSync(`${path()}.new`);
  const said: LogRecord[] = [];
  keepConfig(dir, {...config, groups: []}, (record) => said.push(record));
  assert.deepEqual(
    said.map(({code}) => code),
    ['CONFIG_NOT_KEPT'],
  );
  assert.equal(readConfigInForce(dir).ok, false);
  assert.ok(!readdirSync(dir).includes('config.json'));
});

test('the mark is the same after the file, and another one for another dead time, not for another key', () => {
  const found = readConfigInForce(dir);
  assert.ok(found.ok);
  assert.equal(messagingMark(found.config), messagingMark(config));
  const {ha} = config;
  assert.notEqual(messagingMark({...config, ha: {...ha, deadtimeMs: ha.deadtimeMs + 1}}), messagingMark(config));
  assert.equal(messagingMark({...config, keyring: {signWith: 2, keys: []}}), messagingMark(config));
});

test('a configuration of another shape is of another format', () => {
  const {ha, systole, groups, keyring} = config;
  const optional = Object.fromEntries(OPTIONAL.map((key) => [key, null]));
  const keys = [
    {...optional, ...ha},
    systole,
    groups[0] ?? {},
    groups[0]?.resources[0] ?? {},
    keyring,
    keyring.keys[0] ?? {},
  ];
  const shape = keys.map((part) => Object.keys(part).sort().join(' '));
  const {format} = JSON.parse(readFileSync(path(), 'utf8')) as {readonly format: number};
  // Raise FORMAT in config-in-force.ts, and both numbers here, when this changes.
  assert.deepEqual({format, shape}, {format: 1, shape: SHAPE_1});
});

/** Of HaConfig; not in the file when nothing is given. */
const OPTIONAL = ['debugfile', 'logfacility', 'logfile', 'rtprio', 'stonith', 'watchdog'];
const SHAPE_1 = [
  'apiauth autoFailback compressionThresholdBytes deadpingMs deadtimeMs debug debugfile env generationMethod hopfudge initdeadMs ' +
    'keepaliveMs logBadpack logfacility logfile maxRexmitDelayMs media msgfmt node nodes parameters realtime respawn rtprio stonith ' +
    'syslogmsgfmt traditionalCompression udpPort warntimeMs watchdog',
  'defaults failureExpiryMaxMs failureExpiryMs killDelayMs monitorIntervalMs perAgent stopFailure stopRetries stopRetryDelayMs',
  'home key resources source',
  'args script word',
  'keys signWith',
  'index key method',
];

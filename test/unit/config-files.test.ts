// authkeys, haresources and systole.conf: the real reading rules, and what ours adds.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {resourceOf} from '../../src/config/haresources.js';
import {build, machine, summary} from '../helpers/config.js';

const groups = (haresources: string) => {
  const {config, diagnostics} = build({haresources});
  assert.ok(config, JSON.stringify(diagnostics));
  return config.groups.map(({home, key, resources, source}) => ({
    home,
    key,
    line: source.line,
    words: resources.map(({word}) => word).join(' '),
  }));
};

test('several keys: auth names the one that signs, all are known', () => {
  const {config} = build({authkeys: '  # c\n auth 2\n\n2 sha1 abc\n 1 md5 def\n'});
  assert.deepEqual(config?.keyring, {
    signWith: 2,
    keys: [
      {index: 2, method: 'sha1', key: 'abc'},
      {index: 1, method: 'md5', key: 'def'},
    ],
  });
});

test('the key is one word, the rest of its line is warned about', () => {
  const result = build({authkeys: 'auth 1\n1 sha1 my secret key\n'});
  assert.equal(result.config?.keyring.keys[0]?.key, 'my');
  assert.deepEqual(summary(result), ['warning HB_AUTHKEYS_TRAILING 2:11']);
});

test('crc alone and crc beside keys are warned about', () => {
  const alone = build({authkeys: 'auth 1\n1 crc\n'});
  assert.ok(alone.config);
  assert.deepEqual(summary(alone), ['warning HB_AUTHKEYS_CRC 2:1']);
  assert.deepEqual(summary(build({authkeys: 'auth 1\n1 sha1 k\n2 crc\n'})), ['warning HB_AUTHKEYS_CRC 3:1']);
});

test.each([
  [0o600, true],
  [0o400, true],
  [0o622, true], // Heartbeat looks at the read bits only.
  [0o640, false],
  [0o604, false],
])('authkeys mode %o', (authkeysMode, isGood) => {
  assert.equal(build({}, machine({authkeysMode})).config !== undefined, isGood);
});

test('haresources as the scripts read it', () => {
  const text = '# comment\n\nN1   10.0.0.17  Filesystem::/dev/drbd0::/Data::ext4\tmysqld # x\n\n  n2 apache2#glued\n';
  assert.deepEqual(groups(text), [
    {home: 'n1', key: '10.0.0.17', line: 3, words: '10.0.0.17 Filesystem::/dev/drbd0::/Data::ext4 mysqld'},
    {home: 'n2', key: 'apache2', line: 5, words: 'apache2'},
  ]);
});

test('continuation: with a blank two words, without one word', () => {
  assert.deepEqual(groups('n1 \\\n 10.0.0.17 \\\nmys\\\nqld\n')[0]?.words, '10.0.0.17 mysqld');
});

test('a comment eats the backslash', () => {
  assert.deepEqual(groups('n1 mysqld # \\\nn2 apache2\n').length, 2);
});

test('words become calls', () => {
  assert.deepEqual(resourceOf('10.0.0.17/24/eth0'), {
    word: '10.0.0.17/24/eth0',
    script: 'IPaddr',
    args: ['10.0.0.17/24/eth0'],
  });
  assert.deepEqual(resourceOf('a::b::::c::').args, ['b', 'c']);
  assert.equal(resourceOf('10.0.0.web').script, '10.0.0.web');
});

test('what breaks groups for Heartbeat is an error', () => {
  const errors = (haresources: string) => summary(build({haresources}));
  assert.deepEqual(errors('n1 mysqld Delay\nn2 Delay\n'), ['error HB_HARESOURCES_KEY_MEMBER 1:11']);
  assert.deepEqual(errors('n1 mysqld\nn2 mysqld\n'), ['error HB_HARESOURCES_DUPLICATE_KEY 2:4']);
  assert.deepEqual(errors('n1\nn2 mysqld\n'), ['error HB_HARESOURCES_EMPTY_GROUP 1:1']);
  assert.deepEqual(errors(`n1 mysqld${' '.repeat(5200)}\n`), ['error HB_HARESOURCES_LINE_LONG 1:1']);
  assert.deepEqual(errors(''), ['warning HB_HARESOURCES_NO_GROUPS 0:0']);
  assert.deepEqual(errors('n1 mysqld Delay mysqld\n'), ['warning HB_HARESOURCES_REPEATED 1:17']);
  const many = Array.from({length: 700}, (_, at) => `n1 Delay::${at}\n`).join('');
  assert.deepEqual(errors(many), ['error HB_HARESOURCES_TOO_MANY 521:4']);
  assert.deepEqual(errors('n1 mysqld Delay::1\nn2 apache2 Delay::1\n'), ['warning HB_HARESOURCES_SHARED 2:12']);
});

test('systole.conf overrides what it names and nothing else', () => {
  const systoleConf = `[timeouts]
stop = 90
[agent mysqld]
start = 10min   ; recovery
[agent apache2]
status = 500ms
[resources]
stop-failure = reboot
monitor-interval = 0
stop-retries = 0
`;
  const {config} = build({systoleConf});
  assert.deepEqual(config?.systole, {
    defaults: {startMs: 60_000, stopMs: 90_000, statusMs: 20_000},
    perAgent: {
      mysqld: {startMs: 600_000, stopMs: 300_000},
      Filesystem: {startMs: 120_000},
      drbddisk: {startMs: 240_000},
      apache2: {statusMs: 500},
    },
    killDelayMs: 5000,
    stopRetries: 0,
    stopRetryDelayMs: 1000,
    stopFailure: 'reboot',
    failureExpiryMs: 30_000,
    failureExpiryMaxMs: 600_000,
    monitorIntervalMs: 0,
  });
});

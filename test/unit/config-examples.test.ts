// Goal: the files every user brings are accepted as they stand, and the mistakes these files show are named.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {timeoutOf} from '../../src/model/config.js';
import {machine, readFixture, summary} from '../helpers/config.js';

const at = (nodeName: string, eth0: string, eth1: string) =>
  machine({
    nodeName,
    interfaces: [
      {name: 'eth0', addresses: [eth0]},
      {name: 'eth1', addresses: [eth1]},
    ],
  });

test('the files of ha.d.example are accepted on both nodes without a warning', () => {
  for (const [node, last] of [
    ['node1', 1],
    ['node2', 2],
  ] as const) {
    const result = readFixture('ha.d.example', at(node, `192.0.2.${last}`, `198.51.100.${last}`));
    assert.deepEqual(
      result.diagnostics.filter(({severity}) => severity !== 'notice'),
      [],
    );
    assert.equal(result.config?.ha.node, node);
    // Each node keeps the links to the other one only.
    const other = 3 - last;
    assert.deepEqual(result.config?.ha.media, [
      {kind: 'ucast', device: 'eth0', host: `192.0.2.${other}`},
      {kind: 'ucast', device: 'eth1', host: `198.51.100.${other}`},
    ]);
  }
});

test('systole.conf of ha.d.example shows the defaults', () => {
  const result = readFixture('ha.d.example', at('node1', '192.0.2.1', '198.51.100.1'));
  const without = readFixture('fixtures/config/book', at('dbm157', '192.168.0.157', '192.168.1.157'));
  assert.deepEqual(result.config?.systole, without.config?.systole);
});

test('the book chapter: two nodes, ucast links, address, DRBD, file system, mysqld', () => {
  const {config, diagnostics} = readFixture('fixtures/config/book', at('dbm157', '192.168.0.157', '192.168.1.157'));
  assert.ok(config, JSON.stringify(diagnostics));
  assert.deepEqual(config.ha.nodes, ['dbm157', 'dbm158']);
  assert.equal(config.ha.deadtimeMs, 15_000);
  assert.equal(config.ha.warntimeMs, 5000);
  assert.equal(config.ha.autoFailback, 'off');
  assert.equal(
    config.ha.respawn.map(({command}) => command).join(),
    '/usr/libexec/heartbeat/ipfail,/usr/libexec/heartbeat/dopd',
  );
  assert.deepEqual(config.groups, [
    {
      key: 'IPaddr::192.168.0.222/24/eth0',
      home: 'dbm157',
      source: {line: 1},
      resources: [
        {word: 'IPaddr::192.168.0.222/24/eth0', script: 'IPaddr', args: ['192.168.0.222/24/eth0']},
        {word: 'drbddisk::r0', script: 'drbddisk', args: ['r0']},
        {word: 'Filesystem::/dev/drbd0::/database', script: 'Filesystem', args: ['/dev/drbd0', '/database']},
        {word: 'mysqld', script: 'mysqld', args: []},
      ],
    },
  ]);
  assert.deepEqual(config.keyring, {signWith: 1, keys: [{index: 1, method: 'sha1', key: 'HA_JACKBILLOW'}]});
  assert.equal(timeoutOf(config.systole, 'mysqld', 'start'), 300_000);
  assert.equal(timeoutOf(config.systole, 'mysqld', 'status'), 20_000);
});

test('the guide: accepted, and its mistakes are named', () => {
  const facts = at('data-1-1', '10.0.0.7', '10.0.10.7');
  const result = readFixture('fixtures/config/guide', facts);
  assert.ok(result.config);
  assert.ok(summary(result).includes('warning HB_CONFIG_IPFAIL_PING 13:19'), summary(result).join('\n'));
  assert.ok(result.diagnostics.some(({code}) => code === 'HB_CONFIG_NO_FENCING'));
  const open = readFixture('fixtures/config/guide', {...facts, authkeysMode: 0o644});
  assert.equal(open.config, undefined);
  assert.ok(
    open.diagnostics.some(({code, hint}) => code === 'HB_AUTHKEYS_MODE' && hint === 'chmod 600 /etc/ha.d/authkeys'),
  );
});

test('without the companions of the guide the node still starts, and says what will not run', () => {
  const facts = {...at('dbm157', '192.168.0.157', '192.168.1.157'), companion: () => undefined};
  const result = readFixture('fixtures/config/book', facts);
  assert.deepEqual(result.config?.ha.respawn, []);
  assert.deepEqual(
    result.diagnostics.filter(({code}) => code === 'HB_CONFIG_CLIENT_ABSENT').map(({line}) => line),
    [11, 12],
  );
});

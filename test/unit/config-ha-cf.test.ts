// Goal: ha.cf means here what it means to Heartbeat 3.0.6 (resource-engine.md 6.1). Method: one line at a time added to a
// good file; what is refused there must be refused here, and what is accepted gives the same values.
import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {directiveNames} from '../../src/config/ha-cf.js';
import {parseTime} from '../../src/config/values.js';
import {build, GOOD, machine, summary, withLines} from '../helpers/config.js';

const ha = (...lines: string[]) => {
  const {config, diagnostics} = withLines(...lines);
  assert.ok(config, JSON.stringify(diagnostics));
  return config.ha;
};
const codes = (...lines: string[]) => summary(withLines(...lines));

test('a good configuration has no findings but the missing fencing', () => {
  const result = build();
  assert.deepEqual(summary(result), []);
  assert.deepEqual(
    result.diagnostics.map(({severity, code}) => `${severity} ${code}`),
    ['notice HB_CONFIG_NO_FENCING'],
  );
});

test.each([
  ['2', 2000],
  ['1.5', 1500],
  ['.5', 500],
  ['2.', 2000],
  ['500ms', 500],
  ['500msec', 500],
  ['100000us', 100],
  ['100000usec', 100],
])('time %s is %d ms', (text, ms) => assert.equal(parseTime(text), ms));

test.each(['3s', '1sec', '1min', '1m', '2h', '-1', '1,5', '', '.', '1e3', '5MS', '0x10', 'ms'])(
  'time %s is refused',
  (text) => assert.equal(parseTime(text), undefined),
);

test('defaults', () => {
  const {config} = build({haCf: 'node n1\nnode n2\nbcast eth0 eth1\n'});
  assert.ok(config);
  const {keepaliveMs, warntimeMs, deadtimeMs, initdeadMs, deadpingMs, udpPort, autoFailback, msgfmt} = config.ha;
  assert.deepEqual(
    [keepaliveMs, warntimeMs, deadtimeMs, initdeadMs, deadpingMs],
    [1000, 15_000, 30_000, 30_000, 30_000],
  );
  assert.deepEqual([udpPort, autoFailback, msgfmt, config.ha.hopfudge], [694, 'legacy', 'classic', 1]);
  assert.equal(config.ha.logfacility, 'daemon');
});

test.each([
  ['5', 12_000],
  ['5.999', 12_000],
  ['6', 12_000],
  ['8', 16_000],
  ['10', 20_000],
  ['11', 11_000],
])('deadtime %s gives initdead %d ms', (deadtime, ms) => {
  assert.equal(ha(`deadtime ${deadtime}`).initdeadMs, ms);
});

test('the last value wins, on a line and in the file, and the repetition is named', () => {
  assert.equal(ha('deadtime 5 6').deadtimeMs, 6000);
  assert.deepEqual(codes('deadtime 5 6'), ['warning HB_CONFIG_REPEATED 7:10', 'warning HB_CONFIG_REPEATED 7:12']);
});

test('commas separate, # ends a line inside a word, leading blanks and CR are nothing', () => {
  const {config} = build({haCf: `  \tnode n1,N2#,n3\r\nbcast eth0, eth1\r\n#node n9\ndebug 1\nauto_failback ON\n`});
  assert.deepEqual(config?.ha.nodes, ['n1', 'n2']);
  assert.deepEqual(config?.ha.media.length, 2);
  assert.equal(config?.ha.autoFailback, 'on');
});

test('a directive without a value is accepted', () => {
  assert.deepEqual(codes('deadping', 'apiauth', 'respawn'), [
    'notice HB_CONFIG_NO_VALUE 7:1',
    'notice HB_CONFIG_NO_VALUE 8:1',
    'notice HB_CONFIG_NO_VALUE 9:1',
  ]);
});

test('every directive of the real one is known', () => {
  const table = `node keepalive deadtime warntime initdead deadping auto_failback nice_failback udpport baud bcast udp mcast
    ucast ucast6 mcast6 serial ping ping6 ping_group logfile debugfile logfacility use_logd conn_logd_time syslogmsgfmt debug
    watchdog stonith stonith_host respawn failfast apiauth crm pacemaker crm_daemon_dir crmd_spawns_pengine autojoin uuidfrom
    hbgenmethod hopfudge msgfmt compression compression_threshold traditional_compression max_rexmit_delay realtime rtprio
    memreserve coredumps coreroot log_badpack use_apphbd cluster quorum_server env record_config_changes
    record_pengine_inputs enable_config_writes`;
  assert.deepEqual([...directiveNames].sort(), table.split(/\s+/).sort());
});

test('directives without a feature say what will not happen', () => {
  const {config, diagnostics} = withLines('ucast6 eth0 fe80::2', 'memreserve 6500', 'crm off');
  assert.ok(config);
  const texts = diagnostics.filter(({code}) => /NOT_BUILT|NO_EFFECT/.test(code)).map(({text}) => text);
  assert.match(texts[0] ?? '', /^ucast6 .* no heartbeats will be sent/);
  assert.match(texts[1] ?? '', /^memreserve .* no effect/);
});

test('links that carry nothing are no links', () => {
  const result = build({
    haCf: 'node n1 n2\nserial /dev/ttyS0\nping 10.0.0.254\nauto_failback off\nucast eth0 10.0.0.1\n',
  });
  assert.equal(result.config, undefined);
  assert.ok(summary(result).includes('error HB_CONFIG_NO_MEDIA 0:0'));
});

test('media', () => {
  const {config} = build({
    haCf: 'node n1 n2\nauto_failback on\nucast eth0 n2\nbcast eth1\nmcast eth1 239.0.0.1 695 1 0\nserial /dev/ttyS0\nbaud 9600\n',
  });
  assert.deepEqual(config?.ha.media, [
    {kind: 'ucast', device: 'eth0', host: '10.0.0.2'},
    {kind: 'bcast', device: 'eth1'},
    {kind: 'mcast', device: 'eth1', group: '239.0.0.1', port: 695, ttl: 1, loop: false},
    {kind: 'serial', device: '/dev/ttyS0', baud: 9600},
  ]);
});

test('two test nodes may share a loopback: own addresses on lo are kept', () => {
  const {config} = build({haCf: 'node n1 n2\nucast lo 127.0.0.1\nauto_failback off\n'});
  assert.equal(config?.ha.media.length, 1);
});

test('one link is worth a warning', () => {
  const {config, diagnostics} = build({
    haCf: 'node n1 n2\nucast eth0 10.0.0.2\nmcast eth0 239.0.0.1 694 1 0\nauto_failback off\n',
  });
  assert.ok(config);
  assert.ok(
    diagnostics.some(({code, text}) => code === 'HB_CONFIG_ONE_LINK' && text.startsWith('eth0 is the only link')),
  );
});

test('stonith lines: the last for this host counts, other hosts are not looked at', () => {
  const own = ha('stonith_host n2 nonsense', 'stonith_host * external/ssh a', 'stonith_host N1 external/ssh n2 pw');
  assert.deepEqual(own.stonith, {type: 'external/ssh', parameters: ['n2', 'pw']});
  assert.deepEqual(ha('stonith external/ssh /etc/ha.d/stonith.cfg').stonith?.parameters, ['n2', '10.0.0.9']);
});

test('respawn keeps its arguments, apiauth takes lists and fills in the defaults', () => {
  const own = ha(
    'respawn hacluster /bin/true -a, b',
    'failfast root /bin/true',
    'apiauth ipfail uid=root,hacluster gid=7',
  );
  assert.deepEqual(own.respawn, [
    {user: 'hacluster', command: '/bin/true -a, b', failfast: false},
    {user: 'root', command: '/bin/true', failfast: true},
  ]);
  assert.deepEqual(own.apiauth[0], {client: 'ipfail', uids: ['root', 'hacluster'], gids: ['7']});
  assert.deepEqual(
    own.apiauth.map(({client}) => client),
    ['ipfail', 'ccm', 'ping', 'lha-snmpagent', 'anon'],
  );
});

test('parameters are the texts of ha.cf, computed defaults in milliseconds, and env', () => {
  const {parameters} = ha('env SITE=left', 'logfacility local1', 'initdead 20');
  assert.equal(parameters['deadtime'], '10');
  assert.equal(parameters['warntime'], '5000ms');
  assert.equal(parameters['initdead'], '20');
  assert.equal(parameters['deadping'], '10000ms');
  assert.equal(parameters['SITE'], 'left');
  assert.equal(parameters['logfile'], '/dev/null');
  assert.equal(parameters['cluster'], 'linux-ha');
});

test('nice_failback', () => {
  const alone = build({haCf: GOOD.haCf.replace('auto_failback off', 'nice_failback on')});
  assert.equal(alone.config?.ha.autoFailback, 'legacy');
  assert.equal(ha('nice_failback on').autoFailback, 'off');
});

test('short times warn with and without real-time priority', () => {
  const short = ['keepalive 50ms', 'deadtime 500ms'];
  assert.ok(!codes(...short).some((each) => each.includes('DEADTIME_SHORT')));
  assert.ok(codes(...short, 'realtime off').some((each) => each.includes('DEADTIME_SHORT')));
});

test('errors leave no config, and all of them are collected', () => {
  const result = withLines('deadtme 3', 'debug x', 'hopfudge 256');
  assert.equal(result.config, undefined);
  assert.equal(result.diagnostics.filter(({severity}) => severity === 'error').length, 3);
});

test('a missing own node is named with the nearest', () => {
  const {diagnostics} = build({}, machine({nodeName: 'n1.example'}));
  const found = diagnostics.find(({code}) => code === 'HB_CONFIG_NODE_SELF');
  assert.equal(found?.text, 'Current node [n1.example] not in configuration!');
});

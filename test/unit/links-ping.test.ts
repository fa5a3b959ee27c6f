// Goal: what ping writes is read as it is meant, and nothing but an answer counts as one. Method: real lines of both
// programs that are called ping on Debian.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {answerOf, pingCommand} from '../../src/runtime/links/ping.js';

test.each([
  ['64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.030 ms', {seq: 1, tookMs: 0.03}],
  ['64 bytes from 127.0.0.1: icmp_seq=0 ttl=64 time=0,030 ms', undefined],
  ['[1700000000.123456] 64 bytes from 10.0.0.1: icmp_seq=77 ttl=64 time=2003 ms', {seq: 77, tookMs: 2003}],
  ['64 bytes from router (10.0.0.1): icmp_seq=3 ttl=64 time=0.5 ms (DUP!)', {seq: 3, tookMs: 0.5}],
  ['64 bytes from fe80::1%eth0: icmp_seq=4 ttl=64 time<1 ms', {seq: 4, tookMs: 1}],
  ['From 10.0.0.2 icmp_seq=3 Destination Host Unreachable', undefined],
  ['92 bytes from 10.0.0.2: Destination Host Unreachable', undefined],
  ['no answer yet for icmp_seq=5', undefined],
  ['PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.', undefined],
  ['', undefined],
])('%s', (line, answer) => {
  assert.deepEqual(answerOf(line), answer);
});

test('ping runs at the rate of keepalives, and never with our real-time priority', () => {
  const options = {nodes: [], intervalMs: 250, staleMs: 1000, onAnswer: () => undefined, onLog: () => undefined};
  const plain = pingCommand('10.0.0.1', {...options, isRealtime: false});
  assert.deepEqual(plain.slice(-5), ['ping', '-n', '-i', '0.25', '10.0.0.1']);
  assert.deepEqual(pingCommand('fe80::1%eth0', {...options, isRealtime: true}).slice(0, 3), ['chrt', '-o', '0']);
  assert.equal(pingCommand('fe80::1%eth0', {...options, isRealtime: true}).at(-5), 'ping6');
});

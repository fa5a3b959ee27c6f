import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {resolveMedia} from '../../src/runtime/links/resolve.js';

test('names become addresses, addresses stay, what cannot be resolved is named and left out', async () => {
  const bcast = {kind: 'bcast', device: 'eth1'} as const;
  const {media, problems} = await resolveMedia([
    {kind: 'ucast', device: 'eth0', host: '10.0.0.1'},
    bcast,
    {kind: 'ucast', device: 'eth0', host: 'localhost'},
    {kind: 'ucast', device: 'eth0', host: 'no-such-host.invalid'},
  ]);
  assert.deepEqual(media, [
    {kind: 'ucast', device: 'eth0', host: '10.0.0.1'},
    bcast,
    {kind: 'ucast', device: 'eth0', host: '127.0.0.1'},
  ]);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^ucast eth0 no-such-host\.invalid: /);
});

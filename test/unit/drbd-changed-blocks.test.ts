// Goal: the list of changed blocks is whole or an error, and comes in bounded time. Method: stand-in tools whose `dump-md` hangs, also in
// a child that keeps the pipe after drbdadm itself has ended or was killed, as drbdmeta does.

import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {afterEach, beforeEach, test} from '@jest/globals';
import {changedBlocks} from '../../src/runtime/drbd/changed-blocks.js';
import {DrbdTools} from '../../src/runtime/drbd/tools.js';
import {isGroupAlive} from '../../src/runtime/process-group.js';
import {FakeDrbd} from '../helpers/drbd.js';

const DUMP =
  'version "v08";\nla-size-sect 512;\nbm-byte-per-bit 4096;\nbm {\n   # at 0kB\n    0x0000000000000002;\n}\n# bits-set 1;\n';
let drbd: FakeDrbd;
beforeEach(() => {
  drbd = new FakeDrbd({up: 'no'});
  drbd.put('md', DUMP);
});
afterEach(() => drbd.remove());
const blocks = (dumpMs?: number) => changedBlocks(new DrbdTools(drbd.env), 'data', dumpMs);

test('what it prints', async () => {
  assert.deepEqual((await blocks()).extents, [{offset: 4096, length: 4096}]);
});

test.each([
  ['its child hangs, and it waits for it', '(sleep 60; touch late)\n'],
  ['its child hangs, and it has ended', '(sleep 60; touch late) & cat md; exit 0\n'],
])('%s: an error in time, and nobody is left', async (_, script) => {
  drbd.put('on-dump-md', `echo $$ >pid; ${script}`);
  const startedMs = performance.now();
  await assert.rejects(blocks(1500), /drbdadm dump-md data: no end within 1.5 s/);
  assert.ok(performance.now() - startedMs < 10_000);
  const endMs = performance.now() + 10_000;
  while (isGroupAlive(Number(drbd.read('pid')))) {
    assert.ok(performance.now() < endMs, 'its child lives on');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(!existsSync(`${drbd.dir}/late`));
});

test('it fails, or is cut short', async () => {
  drbd.put('on-dump-md', 'echo broken >&2; exit 7\n');
  await assert.rejects(blocks(), /exit 7: .*broken/);
  drbd.lose('on-dump-md');
  drbd.put('md', DUMP.slice(0, -30));
  await assert.rejects(blocks(), /ends before the bitmap does/);
});

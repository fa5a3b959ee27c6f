// Goal: what DRBD says rules what two whole daemons do: a standby is brought up, an outdated survivor waits and explains, the good
// node takes the group back when it returns, and nothing is moved onto a disk that is being synchronised. Method: two real
// daemons on loopback with the real drbddisk, and for each node a DRBD of its own that the test plays.
import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from '@jest/globals';
import type {DiskStatus} from '../../src/model/control.js';
import {type Daemon, Pair} from '../helpers/daemons.js';
import {type DrbdVariables, FakeDrbd} from '../helpers/drbd.js';

let pair: Pair;
let drbd: Record<'n1' | 'n2', FakeDrbd>;
beforeEach(() => {
  pair = new Pair({haresources: 'n1 Held::a drbddisk::data\n'});
  drbd = {n1: new FakeDrbd({up: 'no'}), n2: new FakeDrbd({up: 'no'})};
  for (const name of ['n1', 'n2'] as const) Object.assign(pair[name].env, drbd[name].env);
});
afterEach(() => {
  pair.close();
  for (const each of Object.values(drbd)) each.remove();
});

const GOOD = {role: 'Secondary', disk: 'UpToDate', conn: 'Connected', repl: 'Established', pdisk: 'UpToDate'} as const;
const LOST = {conn: 'Connecting', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'} as const;

/** A machine at its limit takes its time. */
const until = (what: string, isSo: () => boolean | Promise<boolean>) => pair.until(what, isSo, 45_000);

async function disk(node: Daemon): Promise<DiskStatus | undefined> {
  return (await node.status())?.disks?.[0];
}

/** Sets what DRBD says on a node, and waits until its daemon knows. */
async function says(name: 'n1' | 'n2', variables: Partial<DrbdVariables>): Promise<void> {
  drbd[name].set(variables);
  const wanted = [drbd[name].get('disk'), drbd[name].get('pdisk'), drbd[name].get('conn'), drbd[name].get('role')];
  await until(`${name} knows ${wanted}`, async () => {
    const seen = await disk(pair[name]);
    return [seen?.disk, seen?.peerDisk, seen?.connection, seen?.role].join() === wanted.join();
  });
}

/** n1 serves; both disks are good. */
async function serving(): Promise<void> {
  const {n1, n2} = pair;
  n1.start();
  n2.start();
  await until('both disks were brought up', () => Object.values(drbd).every((each) => each.get('up') === 'yes'));
  await says('n2', {...GOOD, prole: 'Primary'});
  await until('n1 serves', () => n1.holds('a') && drbd.n1.get('role') === 'Primary');
  await says('n1', {...GOOD, role: 'Primary'});
  await pair.untilStable(n1, n2);
}

function countIn(node: Daemon, text: string): number {
  return node.read('log/ha-log').split(text).length - 1;
}

test('an outdated survivor explains and waits; the good node takes the group back when it returns', async () => {
  const {n1, n2} = pair;
  await serving();
  await says('n2', {...GOOD, ...LOST, disk: 'Outdated'});
  n1.killAll();
  await until('n2 alone', async () => (await n2.status())?.nodes.find(({name}) => name === 'n1')?.status === 'dead');
  await until('n2 says why', async () => /is Outdated here/.test((await n2.status())?.groups[0]?.reason ?? ''));
  // Longer than the five seconds after which a failed start is tried again by a node alone.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  assert.equal(n2.holds('a'), false);
  assert.deepEqual(drbd.n2.calls(), ['up data']);
  assert.equal(countIn(n2, 'is not started here: the disk of data is Outdated here'), 1);
  // As the kernel of a node that went on alone has its peer booked.
  drbd.n1.set({...GOOD, ...LOST, pdisk: 'Outdated'});
  n1.start();
  await until('n1 serves again', () => n1.holds('a') && drbd.n1.get('role') === 'Primary');
  assert.equal(n2.holds('a'), false);
}, 180_000);

test('nothing moves onto a disk that is being synchronised; it does when that is over; a better disk is used at once', async () => {
  const {n1, n2} = pair;
  await serving();
  drbd.n1.put('on-events2', 'oos=163840');
  await says('n1', {...GOOD, role: 'Primary', repl: 'SyncSource', pdisk: 'Inconsistent'});
  await until('how far it is', async () => (await disk(n1))?.progress?.percent === 37.5);
  const refused = await n1.ask({command: 'standby', scope: 'all'});
  assert.ok(!refused.ok && refused.code === 'DISK_NOT_READY', JSON.stringify(refused));
  assert.match(refused.text, /^n2 cannot take Held::a: data is still being synchronised to it, 37\.5 %/);
  const taken = await n2.ask({command: 'takeover', scope: 'all'});
  assert.ok(!taken.ok && taken.code === 'DISK_NOT_READY', JSON.stringify(taken));
  assert.match(taken.text, /the other node refuses: n2 cannot take Held::a/);
  drbd.n1.put('on-events2', '');
  await says('n1', {...GOOD, role: 'Primary'});
  await says('n2', GOOD);
  assert.equal((await n1.ask({command: 'standby', scope: 'all'})).ok, true);
  await until('n2 serves', () => n2.holds('a') && drbd.n2.get('role') === 'Primary');
  assert.equal(n1.holds('a'), false);
  // Its power is cut while n1 is a target: n1 must not serve, until its disk is good.
  await says('n1', {...GOOD, repl: 'SyncTarget', disk: 'Inconsistent', prole: 'Primary'});
  n2.killAll();
  await until('n1 says why', async () => /being synchronised/.test((await n1.status())?.groups[0]?.reason ?? ''));
  await until('n1 alone', async () => (await n1.status())?.nodes.find(({name}) => name === 'n2')?.status === 'dead');
  drbd.n1.set({...GOOD, ...LOST});
  await until('n1 serves', () => n1.holds('a') && drbd.n1.get('role') === 'Primary');
  assert.deepEqual(
    drbd.n1.calls().filter((call) => call === 'primary data').length,
    2,
    'one for each time that it served: nothing was tried in vain',
  );
}, 180_000);

test('the stream does not outlive its manager, and nothing is left after a stop', async () => {
  const {n1} = pair;
  n1.start();
  await until('the stream runs', () => n1.processes().some(({command}) => command.includes('events2 --statistics')));
  process.kill(n1.pid, 'SIGKILL');
  // Its successor has another one; when both are stopped there is none.
  await until('the successor', () => n1.processes().some(({command}) => command.includes('events2 --statistics')));
  await until('answers', async () => (await n1.status()) !== undefined);
  await n1.ask({command: 'shutdown'});
  await until('nothing is left', () => n1.processes().length === 0);
}, 180_000);

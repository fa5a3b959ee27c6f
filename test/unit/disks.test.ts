// Goal: facts of DRBD rule starts and planned moves (issue of the survivor whose disk is Outdated), and facts that are not known
// change nothing. Method: two real manager cores; the test says what DRBD says, scripts fail as drbddisk would.

import assert from 'node:assert/strict';
import {describe, test} from '@jest/globals';
import {judgeMove} from '../../src/commands/lib/move.js';
import {factsWithout} from '../../src/drbd/facts.js';
import type {DiskFacts} from '../../src/model/disk.js';
import {BesideReal} from '../helpers/beside-real.js';
import {facts, type Said, SEEN} from '../helpers/disk-facts.js';
import {type Member, Pair} from '../helpers/pair.js';

const DISK = 'n1 A drbddisk::data Fs';

function see(node: Member, said: Said | undefined): void {
  node.give({type: 'disks-changed', disks: said === undefined ? [] : [facts(said)]});
}

/** n1 serves, wherever home is, and both disks are good. */
function serving(options: Partial<ConstructorParameters<typeof Pair>[0]> = {}, key = 'A'): Pair {
  const pair = new Pair({haresources: DISK, ...options});
  pair.node('n1').boot();
  pair.run(20);
  pair.node('n1').missed('n2');
  pair.until(() => pair.runners(key).join() === 'n1', 2000);
  see(pair.node('n1'), SEEN.active);
  see(pair.node('n2'), SEEN.standby);
  returns(pair, 'n2');
  see(pair.node('n2'), SEEN.standby);
  pair.run(1000);
  assert.deepEqual(pair.runners(key), ['n1']);
  return pair;
}

function count(pair: Pair, text: string): number {
  return pair.trace.filter((line) => line.includes(text)).length;
}

function returns(pair: Pair, name: string): void {
  pair.node(name).boot();
  for (const other of pair.alive()) if (other.name !== name) other.restarted(name);
  pair.introduce();
}

for (const home of ['n1', 'n2']) {
  test(`an outdated survivor serves nothing, says why once, and the good node takes over when it returns (home ${home})`, () => {
    const pair = serving({haresources: `${home} A drbddisk::data Fs`});
    const n2 = pair.node('n2');
    see(n2, SEEN.outdated);
    pair.node('n1').powerCut();
    n2.missed('n1');
    pair.run(60_000);
    assert.deepEqual(pair.runners('A'), []);
    assert.equal(count(pair, 'n2 RSC drbddisk start'), 0);
    assert.equal(count(pair, 'n2 WARN Resource group A is not started here'), 1);
    assert.match(n2.group('A').reason ?? '', /^the disk of data is Outdated here: the other node went on writing$/);
    assert.equal(n2.group('A').owner, undefined);
    returns(pair, 'n1');
    see(pair.node('n1'), SEEN.alone);
    pair.until(() => pair.runners('A').join() === 'n1', 1000);
    see(pair.node('n1'), SEEN.source);
    see(n2, SEEN.target);
    pair.run(10_000);
    assert.deepEqual(pair.runners('A'), ['n1']);
    assert.equal(n2.group('A').owner, 'n1');
  });
}

test('both lost their power, one comes back: it may lack what the other wrote last, so it waits until they have met', () => {
  const pair = new Pair({haresources: DISK});
  const n1 = pair.node('n1');
  n1.boot();
  see(n1, {...SEEN.alone, disk: 'Consistent'});
  pair.run(20);
  n1.missed('n2');
  pair.run(60_000);
  assert.equal(count(pair, 'n1 RSC drbddisk start'), 0);
  assert.match(n1.group('A').reason ?? '', /Consistent here: the other node may have gone on writing/);
  returns(pair, 'n2');
  see(pair.node('n2'), SEEN.standby);
  see(n1, {});
  pair.until(() => pair.runners('A').length === 1, 5000);
});

test('a disk that becomes good: the start is tried at once, and the log says it', () => {
  const pair = serving();
  const n2 = pair.node('n2');
  see(n2, SEEN.outdated);
  pair.node('n1').powerCut();
  n2.missed('n1');
  pair.run(7000);
  see(n2, SEEN.target);
  assert.match(
    n2.group('A').reason ?? '',
    /being synchronised.+37\.5 %, 160\.0 MiB to go, 10\.0 MiB\/s, about 0:16 left/,
  );
  // Another reason is another line; its progress is not.
  see(n2, {...SEEN.target, leftKib: 100_000});
  assert.equal(count(pair, 'n2 WARN Resource group A is not started here'), 2);
  see(n2, SEEN.idle);
  pair.until(() => pair.runners('A').join() === 'n2', 50);
  assert.equal(count(pair, 'may be started here again'), 1);
});

test('the agent refused before anything was known: no storm of tries once the reason is known, and one when it is over', () => {
  const pair = new Pair({haresources: DISK});
  const n1 = pair.node('n1');
  n1.scripts.set('drbddisk start', {ms: 20, code: 1});
  n1.boot();
  pair.run(20);
  n1.missed('n2');
  pair.until(() => n1.group('A').state === 'failed', 1000);
  see(n1, SEEN.outdated);
  const tries = count(pair, 'n1 RSC drbddisk start');
  pair.run(120_000);
  assert.equal(count(pair, 'n1 RSC drbddisk start'), tries);
  assert.match(n1.group('A').reason ?? '', /Outdated/);
  n1.scripts.delete('drbddisk start');
  see(n1, SEEN.idle);
  pair.until(() => pair.runners('A').join() === 'n1', 50);
});

test('no disk at all: the agent may attach it once; then the group waits for a change', () => {
  const pair = new Pair({haresources: DISK});
  const n1 = pair.node('n1');
  n1.scripts.set('drbddisk start', {ms: 20, code: 1});
  see(n1, {disk: 'Diskless'});
  n1.boot();
  see(n1, {disk: 'Diskless', conn: 'Connecting'});
  pair.run(20);
  n1.missed('n2');
  pair.run(60_000);
  assert.equal(count(pair, 'n1 RSC drbddisk start'), 1);
  assert.match(n1.group('A').reason ?? '', /has no disk here \(Diskless\)/);
});

test('all heartbeats lost, replication passes: one try, then the standby waits for its peer to let go', () => {
  const pair = serving();
  const n2 = pair.node('n2');
  n2.scripts.set('drbddisk start', {ms: 7000, code: 1});
  pair.cut();
  pair.run(120_000);
  assert.equal(count(pair, 'n2 RSC drbddisk start'), 1);
  assert.match(n2.group('A').reason ?? '', /Primary on the other node, and connected/);
  n2.scripts.delete('drbddisk start');
  see(n2, SEEN.alone);
  pair.until(() => pair.runners('A').includes('n2'), 50);
});

for (const line of ['IPaddr::10.0.0.1 drbddisk::data Fs', 'IPaddr::10.0.0.1 IPaddr::10.0.0.2 drbddisk Fs']) {
  test(`the peer looks Primary: the disk is asked before an address is held (${line})`, () => {
    const pair = serving({haresources: `n1 ${line}`}, 'IPaddr::10.0.0.1');
    const n2 = pair.node('n2');
    n2.scripts.set('drbddisk start', {ms: 7000, code: 1});
    pair.cut();
    pair.run(120_000);
    assert.equal(count(pair, 'n2 RSC drbddisk start'), 1);
    assert.equal(count(pair, 'n2 RSC IPaddr start'), 0);
    // Its power was lost after all: DRBD notices when it is asked, and the rest is started in its order, each once.
    n2.scripts.delete('drbddisk start');
    see(n2, {...SEEN.standby});
    see(n2, SEEN.alone);
    pair.until(() => pair.runners('IPaddr::10.0.0.1').includes('n2'), 2000);
  });
}

for (const [home, line] of [
  ['n1', 'IPaddr::10.0.0.1 drbddisk::data Fs'],
  ['n2', 'IPaddr::10.0.0.1 drbddisk::data Fs'],
  ['n1', 'drbddisk::data Fs IPaddr::10.0.0.1'],
]) {
  const key = line?.split(' ')[0] ?? '';
  const start = () => {
    const pair = serving({haresources: `${home} ${line}`}, key);
    pair.node('n2').scripts.set('drbddisk start', {ms: 7000, code: 1});
    return pair;
  };
  const judge = (pair: Pair) => {
    assert.deepEqual(pair.runners(key), ['n1']);
    assert.equal(count(pair, 'n1 RSC drbddisk stop'), 0);
    assert.equal(count(pair, 'Both machines own'), 0);
    assert.equal(pair.node('n2').group(key).owner, 'n1');
  };

  test(`the heartbeats return while the disk is still being asked: the owner goes on, and nothing moves (${home} ${line})`, () => {
    const pair = start();
    pair.cut();
    pair.run(3000);
    assert.equal(count(pair, 'n2 RSC drbddisk start'), 1);
    pair.heal();
    pair.run(60_000);
    judge(pair);
    assert.equal(count(pair, `n2 WARN Resource group ${key} runs on n1, which is heard again`), 1);
  });

  test(`only the standby misses the other: what it says while it asks its disk stops nobody (${home} ${line})`, () => {
    const pair = start();
    pair.node('n2').missed('n1');
    pair.run(3000);
    assert.equal(count(pair, 'n2 RSC drbddisk start'), 1);
    pair.heal();
    pair.run(60_000);
    judge(pair);
  });
}

test('the heartbeats return when the disk has been had: the newer claim holds, as for every group that is started', () => {
  const pair = serving({haresources: 'n1 IPaddr::10.0.0.1 drbddisk::data Fs'}, 'IPaddr::10.0.0.1');
  const n2 = pair.node('n2');
  n2.scripts.set('IPaddr start', {ms: 7000, code: 0});
  pair.cut();
  pair.run(3000);
  assert.equal(count(pair, 'n2 RSC IPaddr start'), 1);
  pair.heal();
  pair.run(60_000);
  assert.deepEqual(pair.runners('IPaddr::10.0.0.1'), ['n2']);
});

test('the disk was had before its turn: the others are started in their order, and it only once; what looks itself is not asked first', () => {
  const pair = serving(
    {haresources: 'n1 IPaddr::10.0.0.1 drbddisk::data Filesystem::a::b mysqld App'},
    'IPaddr::10.0.0.1',
  );
  const n2 = pair.node('n2');
  const before = pair.trace.length;
  pair.node('n1').powerCut();
  n2.missed('n1');
  pair.until(() => n2.group('IPaddr::10.0.0.1').state === 'running', 2000);
  const asked = pair.trace.slice(before).flatMap((each) => /n2 RSC (\w+ \w+)/.exec(each)?.[1] ?? []);
  assert.deepEqual(asked, [
    'drbddisk start',
    'IPaddr start',
    'Filesystem start',
    'mysqld start',
    'App status',
    'App start',
  ]);
});

test('what comes before the disk and is no address keeps its place', () => {
  const pair = serving({haresources: 'n1 Vg drbddisk::data Fs'}, 'Vg');
  const n2 = pair.node('n2');
  pair.node('n1').powerCut();
  n2.missed('n1');
  pair.until(() => n2.group('Vg').state === 'running', 2000);
  const asked = pair.trace.flatMap((each) => /n2 RSC (\w+ start)/.exec(each)?.[1] ?? []);
  assert.deepEqual(asked, ['Vg start', 'drbddisk start', 'Fs start']);
});

test('both disks bad: nobody starts it, both say why', () => {
  const pair = new Pair({haresources: DISK});
  pair.boot('n1', 'n2');
  for (const name of ['n1', 'n2']) see(pair.node(name), {disk: 'Inconsistent', pdisk: 'Inconsistent'});
  pair.run(500);
  const tries = count(pair, 'RSC drbddisk start');
  pair.run(30_000);
  assert.equal(count(pair, 'RSC drbddisk start'), tries);
});

test('the good node tries on however often its start failed, for the other one cannot', () => {
  const pair = serving();
  see(pair.node('n2'), SEEN.outdated);
  const n1 = pair.node('n1');
  n1.scripts.set('Fs start', {ms: 20, code: 1});
  n1.running.clear();
  pair.until(() => n1.group('A').state === 'failed', 60_000);
  pair.run(300_000);
  assert.ok(count(pair, 'n1 RSC Fs start') >= 3, 'it is tried again');
  assert.equal(count(pair, 'n2 RSC drbddisk start'), 0);
  n1.scripts.delete('Fs start');
  pair.until(() => pair.runners('A').join() === 'n1', 600_000);
});

describe('planned moves', () => {
  test('who waits for a move goes on waiting while the group is given and not yet taken', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    // What the taker has done is known before what it owns.
    pair.beaconMs = 200;
    n1.request({command: 'standby', scope: 'all'});
    let gaps = 0;
    while (pair.runners('A').join() !== 'n2' || pair.node('n2').group('A').state !== 'running') {
      pair.run(1);
      const status = n1.status();
      const progress = judgeMove({direction: 'standby', scope: 'all'}, status);
      assert.ok(!progress.done || progress.ok, progress.text);
      if (status.groups[0]?.owner === undefined) gaps += 1;
    }
    assert.ok(gaps > 0, 'there was no such moment');
  });

  test('hb_standby is refused while the peer is being synchronised, with the progress', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    see(n1, SEEN.source);
    const reply = n1.replies.get(n1.request({command: 'standby', scope: 'all'}));
    assert.deepEqual(reply, {
      ok: false,
      code: 'DISK_NOT_READY',
      text: 'n2 cannot take A: data is still being synchronised to it, 37.5 %, 160.0 MiB to go, 10.0 MiB/s, about 0:16 left',
      hint: 'with --wait the command waits for the end of the synchronisation; systole status shows how far it is',
    });
    pair.run(5000);
    assert.deepEqual(pair.runners('A'), ['n1']);
    see(n1, SEEN.active);
    n1.request({command: 'standby', scope: 'all'});
    pair.until(() => pair.runners('A').join() === 'n2', 1000);
  });

  for (const [name, said, text] of [
    ['outdated', SEEN.aloneActive, 'data is not connected (Connecting), so the copy there is Outdated'],
    [
      'alone',
      {role: 'Primary', conn: 'StandAlone', pdisk: 'DUnknown'},
      'not connected (StandAlone), so the copy there may be old',
    ],
    ['diskless', {role: 'Primary', pdisk: 'Diskless'}, 'the copy of data there is Diskless'],
  ] as const) {
    test(`hb_standby is refused when the peer is ${name}`, () => {
      const n1 = serving().node('n1');
      see(n1, said);
      const reply = n1.replies.get(n1.request({command: 'standby', scope: 'all'}));
      assert.ok(reply?.ok === false && reply.text.includes(text), JSON.stringify(reply));
    });
  }

  test('a giver that lost its own disk may give to the good one', () => {
    const pair = serving();
    see(pair.node('n1'), {role: 'Primary', disk: 'Diskless'});
    pair.node('n1').request({command: 'standby', scope: 'all'});
    pair.until(() => pair.runners('A').join() === 'n2', 1000);
  });

  test('hb_takeover: refused by the taker itself, and by a giver that knows more', () => {
    const pair = serving();
    const n2 = pair.node('n2');
    see(n2, SEEN.target);
    const own = n2.replies.get(n2.request({command: 'takeover', scope: 'all'}));
    assert.ok(
      own?.ok === false && own.code === 'DISK_NOT_READY' && own.text.startsWith('n2 cannot take A: '),
      own?.text,
    );
    see(n2, undefined);
    see(pair.node('n1'), SEEN.source);
    const id = n2.request({command: 'takeover', scope: 'all'});
    pair.run(100);
    const told = n2.replies.get(id);
    assert.ok(told?.ok === false && told.code === 'DISK_NOT_READY', JSON.stringify(told));
    assert.match(
      told.text,
      /^the other node refuses: n2 cannot take A: data is still being synchronised to it, 37\.5 %/,
    );
    assert.equal(count(pair, 'n1 WARN Takeover request from n2 ignored'), 1);
    assert.deepEqual(pair.runners('A'), ['n1']);
  });

  test('a giver that knows nothing is refused by the taker', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    see(n1, undefined);
    see(pair.node('n2'), SEEN.alone);
    const id = n1.request({command: 'standby', scope: 'all'});
    pair.run(100);
    const reply = n1.replies.get(id);
    assert.ok(reply?.ok === false && /n2 cannot take A: data is not connected/.test(reply.text), JSON.stringify(reply));
    pair.run(5000);
    assert.deepEqual(pair.runners('A'), ['n1']);
  });

  test('nothing known on either side: moves as ever', () => {
    const pair = serving();
    for (const name of ['n1', 'n2']) see(pair.node(name), undefined);
    pair.node('n1').request({command: 'standby', scope: 'all'});
    pair.until(() => pair.runners('A').join() === 'n2', 1000);
  });

  test('the disk fails between question and answer: the group is kept', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    const id = n1.request({command: 'standby', scope: 'all'});
    see(n1, SEEN.aloneActive);
    pair.run(15_000);
    assert.deepEqual(pair.runners('A'), ['n1']);
    assert.equal(count(pair, 'n1 RSC drbddisk stop'), 0);
    assert.match(JSON.stringify(n1.replies.get(id)), /gives nothing/);
    assert.equal(n1.status().standby, undefined);
    assert.equal(pair.node('n2').status().standby, undefined);
  });

  test('auto_failback waits for the synchronisation, says so once, and moves by itself', () => {
    const on = new Pair({haresources: 'n2 A drbddisk::data Fs', autoFailback: 'on'});
    on.node('n1').boot();
    on.run(20);
    on.node('n1').missed('n2');
    on.until(() => on.runners('A').join() === 'n1', 2000);
    see(on.node('n1'), SEEN.aloneActive);
    returns(on, 'n2');
    see(on.node('n2'), SEEN.outdated);
    on.run(3000);
    see(on.node('n1'), SEEN.source);
    see(on.node('n2'), SEEN.target);
    on.run(60_000);
    assert.deepEqual(on.runners('A'), ['n1']);
    assert.equal(count(on, 'n1 info n2 is back, its resources stay here for now: n2 cannot take A'), 1);
    see(on.node('n2'), SEEN.standby);
    see(on.node('n1'), SEEN.active);
    on.until(() => on.runners('A').join() === 'n2', 1000);
  });

  describe('copies that are known to differ', () => {
    const refused = (pair: Pair, name: 'n1' | 'n2', command: 'standby' | 'takeover'): string => {
      const node = pair.node(name);
      const id = node.request({command, scope: 'all'});
      pair.run(2000);
      const reply = node.replies.get(id);
      assert.deepEqual(pair.runners('A'), ['n1']);
      assert.ok(reply?.ok === false && reply.code === 'DISK_NOT_READY', JSON.stringify(reply));
      return `${reply.text} (${reply.hint})`;
    };
    const TEXT =
      /n2 cannot take A: 4\.0 MiB of data are known to differ .+ does not serve: drbdadm disconnect data; drbdadm connect data/;

    test('hb_standby and hb_takeover are refused, by either node, until they agree', () => {
      const pair = serving();
      see(pair.node('n1'), SEEN.differs);
      assert.match(refused(pair, 'n1', 'standby'), TEXT);
      assert.match(refused(pair, 'n2', 'takeover'), TEXT);
      see(pair.node('n1'), SEEN.active);
      see(pair.node('n2'), SEEN.differsThere);
      assert.match(refused(pair, 'n2', 'takeover'), TEXT);
      assert.match(refused(pair, 'n1', 'standby'), TEXT);
      see(pair.node('n2'), SEEN.standby);
      pair.node('n1').request({command: 'standby', scope: 'all'});
      pair.until(() => pair.runners('A').join() === 'n2', 1000);
    });

    test('auto_failback waits for them to agree, and moves by itself', () => {
      const on = new Pair({haresources: 'n2 A drbddisk::data Fs', autoFailback: 'on'});
      on.node('n1').boot();
      on.run(20);
      on.node('n1').missed('n2');
      on.until(() => on.runners('A').join() === 'n1', 2000);
      see(on.node('n1'), SEEN.differs);
      returns(on, 'n2');
      see(on.node('n2'), SEEN.differsThere);
      on.run(60_000);
      assert.deepEqual(on.runners('A'), ['n1']);
      assert.equal(count(on, 'n1 info n2 is back, its resources stay here for now: n2 cannot take A: 4.0 MiB'), 1);
      see(on.node('n2'), SEEN.standby);
      see(on.node('n1'), SEEN.active);
      on.until(() => on.runners('A').join() === 'n2', 1000);
    });

    test('it is said once, and once when it is over', () => {
      const pair = serving();
      const n1 = pair.node('n1');
      see(n1, SEEN.differs);
      see(n1, {...SEEN.differs, differsKib: 8192});
      see(n1, {...SEEN.differs, repl: 'VerifyS'});
      assert.equal(count(pair, 'n1 WARN 4.0 MiB of data are known to differ'), 1);
      see(n1, {...SEEN.active, conn: 'Connecting', pdisk: 'DUnknown', repl: 'Off'});
      see(n1, SEEN.source);
      assert.equal(count(pair, 'n1 info The copies of data'), 0);
      see(n1, SEEN.active);
      assert.equal(count(pair, 'n1 info The copies of data on the two nodes are not known to differ any more'), 1);
    });

    test('the serving node dies: the other one takes over, and the log says what it may lack', () => {
      const pair = serving();
      const n2 = pair.node('n2');
      see(n2, SEEN.differsThere);
      pair.node('n1').powerCut();
      n2.missed('n1');
      see(n2, SEEN.alone);
      pair.until(() => pair.runners('A').join() === 'n2', 2000);
      see(n2, {...SEEN.aloneActive, leftKib: 12});
      assert.equal(count(pair, 'n2 WARN data is made Primary here with a copy that is known to differ'), 1);
      see(n2, {...SEEN.aloneActive, leftKib: 4096});
      assert.equal(count(pair, 'n2 WARN data is made Primary here with a copy that is known to differ'), 1);
    });
  });

  test('a graceful stop is always possible; the node with old data takes nothing, until the disks met again', () => {
    const pair = serving();
    const [n1, n2] = [pair.node('n1'), pair.node('n2')];
    see(n1, SEEN.aloneActive);
    see(n2, SEEN.outdated);
    n1.request({command: 'shutdown'});
    pair.run(10_000);
    assert.equal(n1.exited, 0);
    assert.deepEqual(pair.runners('A'), []);
    assert.match(n2.group('A').reason ?? '', /Outdated/);
  });
});

describe('a manager that begins before anything is known of DRBD', () => {
  const LINE = 'n1 IPaddr::10.0.0.1 drbddisk::data Fs';
  const KEY = 'IPaddr::10.0.0.1';
  /** n1 serves, all heartbeats are lost, and the manager of n2 is replaced. */
  function replaced(disksAtStart: readonly DiskFacts[] | undefined, line = LINE): Pair {
    const pair = serving({haresources: line}, KEY);
    const n2 = pair.node('n2');
    n2.scripts.set('drbddisk start', {ms: 5000, code: 1});
    pair.cut();
    n2.kill();
    n2.disksAtStart = disksAtStart;
    pair.trace.length = 0;
    n2.boot();
    n2.missed('n1');
    return pair;
  }
  const starts = (pair: Pair) =>
    pair.trace.filter((line) => / n2 RSC \S+ start/.test(line)).map((line) => line.split(' ')[3]);

  for (const first of ['nothing', 'no answer yet'] as const)
    test(`${first}: it waits a moment, and then asks the disk before it takes an address`, () => {
      const pair = replaced(first === 'nothing' ? undefined : [factsWithout('data', 'unknown')]);
      pair.run(500);
      assert.deepEqual(starts(pair), []);
      assert.match(pair.node('n2').group(KEY).reason ?? '', /DRBD has not said yet/);
      see(pair.node('n2'), SEEN.standby);
      pair.run(500);
      assert.deepEqual(pair.trace.filter((text) => / n2 RSC \S+ start/.test(text)).length, 1);
      assert.ok(count(pair, 'n2 RSC drbddisk start') === 1 && !pair.runners(KEY).includes('n2'), pair.trace.join('\n'));
    });

  test('nothing is ever known: it goes on after three seconds, by its own clock', () => {
    const pair = replaced(undefined);
    const began = pair.nowMs;
    pair.until(() => count(pair, 'n2 RSC IPaddr start') > 0, 4000);
    assert.ok(pair.nowMs - began >= 2900 && pair.nowMs - began < 3200, `${pair.nowMs - began}`);
  });

  test('what is known already, or never will be, is not waited for; nor by a group without a disk', () => {
    for (const disks of [[], [facts(SEEN.alone)], [factsWithout('data', 'down')]]) {
      const pair = replaced(disks);
      pair.run(100);
      assert.equal(count(pair, 'n2 RSC IPaddr start'), 1);
    }
    const pair = replaced(undefined, `${LINE}; n1 B`);
    pair.run(100);
    assert.deepEqual(pair.runners('B'), ['n1', 'n2']);
    assert.equal(count(pair, 'n2 RSC IPaddr start'), 0);
  });

  test('what runs here in part is not completed before', () => {
    const pair = serving({haresources: LINE}, KEY);
    const n1 = pair.node('n1');
    pair.cut();
    n1.kill();
    n1.running.delete(`${KEY}#Fs`);
    n1.disksAtStart = undefined;
    pair.trace.length = 0;
    n1.boot();
    n1.missed('n2');
    pair.run(1000);
    assert.equal(count(pair, 'n1 RSC Fs start'), 0);
    see(n1, SEEN.active);
    pair.until(() => n1.running.has(`${KEY}#Fs`), 100);
  });

  test('a disk that comes with a reload is waited for as well', () => {
    const pair = new Pair({haresources: 'n1 B'});
    const n1 = pair.node('n1');
    n1.boot();
    pair.run(20);
    n1.missed('n2');
    pair.run(5000);
    n1.reload({haresources: `n1 B; ${LINE}`});
    pair.run(1000);
    assert.equal(count(pair, 'n1 RSC IPaddr start'), 0);
    see(n1, undefined);
    pair.until(() => n1.group(KEY).state === 'running', 100);
    // The same files again.
    n1.reload({haresources: `n1 B; ${LINE}`});
    assert.equal(n1.group(KEY).state, 'running');
  });
});

describe('beside a real Heartbeat', () => {
  const wants = {t: 'ask_resources', rsc_hold: 'all', info: 'me'};

  function beside(self: 'n1' | 'n2', autoFailback: 'on' | 'off' | 'legacy' = 'off'): BesideReal {
    const real = new BesideReal(self, {haresources: DISK, autoFailback});
    real.join();
    return real;
  }

  test('its hb_standby is not accepted while the disk here is not good: it keeps the group', () => {
    const real = beside('n2');
    real.says({t: 'resource', rsc_hold: 'all', rtype: 'full', isstable: '1', seq: '5'});
    real.pair.run(15_000);
    see(real.node, SEEN.target);
    real.says(wants);
    real.pair.run(100);
    assert.deepEqual(real.sent('ask_resources'), []);
    assert.match(
      real.pair.trace.join('\n'),
      /Standby message from n1 ignored\. n2 cannot take A: data is being synchronised/,
    );
    see(real.node, SEEN.standby);
    real.says(wants);
    real.pair.run(100);
    assert.equal(real.sent('ask_resources').length, 1);
  });

  test('auto_failback: what it offered once too early is asked for when the disk is good', () => {
    const real = beside('n1', 'on');
    real.says({t: 'resource', rsc_hold: 'all', rtype: 'full', isstable: '1', seq: '5'});
    real.pair.run(15_000);
    see(real.node, SEEN.target);
    real.says({...wants, rsc_hold: 'foreign'});
    real.pair.run(30_000);
    assert.deepEqual(real.sent('hb_takeover'), []);
    see(real.node, SEEN.standby);
    real.pair.run(100);
    assert.deepEqual(real.sent('hb_takeover'), ['t=hb_takeover rsc_hold=local']);
  });

  test('its hb_takeover is not followed while its disk is not good', () => {
    const real = beside('n1');
    real.says({t: 'resource', rsc_hold: 'none', rtype: 'full', isstable: '1', seq: '5'});
    real.pair.until(() => real.runs('A'), 30_000);
    see(real.node, SEEN.source);
    real.says({t: 'hb_takeover', rsc_hold: 'all'});
    real.pair.run(5000);
    assert.equal(real.runs('A'), true);
    assert.deepEqual(real.sent('ask_resources'), []);
  });

  test('what a disk bars here is offered to it', () => {
    const real = beside('n1');
    see(real.node, SEEN.outdated);
    real.says({t: 'resource', rsc_hold: 'none', rtype: 'full', isstable: '1', seq: '5'});
    real.pair.run(15_000);
    assert.equal(real.runs('A'), false);
    assert.deepEqual(real.sent('ask_resources'), ['t=ask_resources rsc_hold=local info=me']);
  });

  test('legacy: its request is answered when its disk is good', () => {
    const real = beside('n1', 'legacy');
    real.says({t: 'ip-request-resp', dest: 'n1', ipaddr: 'A', weown: 'no', ok: 'OK'});
    real.pair.until(() => real.runs('A'), 5000);
    see(real.node, SEEN.source);
    for (let times = 0; times < 3; times += 1) {
      real.says({t: 'ip-request', ipaddr: 'A'});
      real.pair.run(2000);
    }
    assert.equal(real.runs('A'), true);
    assert.equal(count(real.pair, 'asks for A, not now'), 1);
    see(real.node, SEEN.active);
    real.pair.run(100);
    assert.equal(real.runs('A'), false);
    assert.equal(real.sent('ip-request-resp').length, 1);
  });
});

describe('a service that loses a disk', () => {
  const told = (pair: Pair): readonly string[] =>
    pair.trace.flatMap(
      (line) =>
        / n1 (WARN|info) ((?:The disk of|What is written|n2 has a good).*)/.exec(line)?.slice(1, 3).join(' ') ?? [],
    );
  const LOST = {conn: 'Connecting', repl: 'Off', prole: 'Unknown', pdisk: 'DUnknown'} as const;

  test('its own: said once, with what to do, and once when it is good again', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    for (const disk of ['Failed', 'Diskless', 'Diskless']) see(n1, {...SEEN.active, disk});
    for (const disk of ['Attaching', 'Negotiating']) see(n1, {...SEEN.active, disk});
    see(n1, {...SEEN.target, role: 'Primary', prole: 'Secondary'});
    see(n1, SEEN.active);
    assert.deepEqual(told(pair), [
      'WARN The disk of data is lost here (Failed); the service goes on with that of n2. What to do: systole standby first, then docs/drbd.md, "A disk fails"',
      'info The disk of data is good here again',
    ]);
  });

  test('its own, and there is no other', () => {
    const pair = serving();
    see(pair.node('n1'), {...SEEN.active, disk: 'Diskless', ...LOST});
    assert.match(told(pair)[0] ?? '', /is lost here \(Diskless\); and there is no other: data is not connected/);
  });

  for (const pdisk of ['Failed', 'Diskless', 'Inconsistent', 'Outdated'])
    test(`its other copy (${pdisk}): said once, with what to do there, and once when it is good again`, () => {
      const pair = serving();
      const n1 = pair.node('n1');
      see(n1, {...SEEN.active, pdisk});
      see(n1, {...SEEN.active, pdisk: 'Diskless'});
      see(n1, {...SEEN.active, pdisk: 'Negotiating'});
      see(n1, SEEN.source);
      see(n1, SEEN.active);
      const [lost = '', back, ...others] = told(pair);
      assert.ok(
        lost.startsWith(
          `WARN What is written to data is on one node only: the copy of data there is ${pdisk}. What to do: on n2, `,
        ),
        lost,
      );
      assert.match(
        lost,
        /F|D/.test(pdisk)
          ? /docs\/drbd\.md, "A disk fails"$/
          : /kernel log, then: drbdadm disconnect data; drbdadm connect data$/,
      );
      assert.deepEqual([back, others], ['info n2 has a good copy of data again', []]);
    });

  test('a peer that reboots is lost once, and back once it is UpToDate again; an ordinary synchronisation says nothing', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    see(n1, SEEN.source);
    see(n1, SEEN.active);
    assert.deepEqual(told(pair), []);
    see(n1, {...SEEN.active, ...LOST});
    see(n1, SEEN.aloneActive);
    for (const said of [
      // The handshake; DRBD tells its parts one after the other.
      {conn: 'Connected', repl: 'Off', prole: 'Unknown', pdisk: 'Outdated'},
      {repl: 'Off', pdisk: 'Consistent'},
      {repl: 'WFBitMapS', pdisk: 'Outdated'},
      {repl: 'SyncSource', pdisk: 'Inconsistent'},
      {repl: 'PausedSyncS', pdisk: 'Inconsistent'},
    ])
      see(n1, {...SEEN.active, ...said});
    see(n1, SEEN.active);
    assert.deepEqual(told(pair), [
      'WARN What is written to data is on one node only: data is not connected (Connecting), so the copy there may be old',
      'info n2 has a good copy of data again',
    ]);
  });

  test('a standby, and who gives the group away, says nothing of it; nor what is not known', () => {
    const pair = serving();
    const n1 = pair.node('n1');
    see(n1, {...SEEN.active, ...LOST, role: 'Secondary'});
    see(n1, {disk: 'Diskless'});
    see(n1, undefined);
    assert.deepEqual(told(pair), []);
  });
});

test('status shows the disks and the groups that they carry; without any nothing is added', () => {
  const pair = serving();
  const n1 = pair.node('n1');
  const [disk, ...others] = n1.status().disks ?? [];
  assert.equal(JSON.stringify([disk?.resource, disk?.groups, others]), '["data",["A"],[]]');
  see(n1, undefined);
  assert.equal('disks' in n1.status(), false);
});

// A second resource of two volumes, with a group and a database of its own, whose home is the other node: each node is Primary of one
// resource and standby of the other. Promises: a cut outdates both standbys, every volume; all of it moves, is taken over and comes back
// together; nothing that was written in either database or volume is lost, and no volume has two Primaries (the Watch).

import assert from 'node:assert/strict';
import type {MinorState} from '../../../src/drbd/proc-drbd.js';
import {both, type Cluster} from '../cluster.js';
import type {Guest} from '../guest.js';
import * as network from '../network.js';
import {cacheDirectory} from '../qemu.js';
import {askToMove, bringBack, type Run, ready, type Scenarios, seconds, withSettings} from '../run.js';
import {until} from '../slow.js';

const DATA = [0] as const;
const MORE = [1, 2] as const;
type Minors = readonly number[];

export const scenarios: Scenarios = {
  'two-resources': {
    about:
      'a second resource of two volumes, Primary on the other node: both standbys are outdated; both groups move, are taken over and return',
    order: 47,
    play: (run) =>
      withSettings(
        run,
        {hasMore: true},
        () => twoResources(run),
        () => firstStart(run.cluster),
      ),
  },
};

/** As the worked example's (Cluster.firstStart). */
async function firstStart(cluster: Cluster): Promise<void> {
  const [first] = cluster.guests;
  await both(cluster.guests, async (guest) => {
    await guest.run('drbdadm create-md --force more && drbdadm up more', 120_000);
  });
  await first.run('drbdadm primary --force more');
  await first.run(
    'mkfs.ext4 -q -E nodiscard /dev/drbd1 && mkfs.ext4 -q -E nodiscard /dev/drbd2 && mount /dev/drbd1 /more/a',
    120_000,
  );
  await first.run(
    `tar -C /more/a -xf ${cacheDirectory}/mysql.tar && umount /more/a && drbdadm secondary more`,
    180_000,
  );
  await cluster.synchronised();
}

async function twoResources(run: Run): Promise<void> {
  const {cluster} = run;
  const [one, two] = cluster.guests;
  await apart(run);
  await cutBoth(run);

  let before = await run.written();
  await askToMove(run, one, 'hb_standby all');
  await serves(run, two, [...DATA, ...MORE]);
  await run.note('both moved', before, `to ${two.name}`);

  before = await run.written();
  await two.powerCut();
  await serves(run, one, [...DATA, ...MORE]);
  await mark(one, 3);
  await bringBack(run, two);
  assert.equal(await cluster.active(10_000), one, 'the first group moved by itself');
  assert.ok(await holds(cluster, one, MORE), 'the second group moved by itself');
  assert.equal(await marks(one), '1,2,3 1,2,3');
  await run.note('both taken', before, `by ${one.name}, and ${two.name} is back`);
}

/** Each group at home. */
async function apart(run: Run): Promise<void> {
  const {cluster} = run;
  await ready(run);
  const runsSomewhere = async (): Promise<boolean> =>
    (await holds(cluster, cluster.guests[0], MORE)) || (await holds(cluster, cluster.guests[1], MORE));
  await until(runsSomewhere, {timeoutMs: 120_000, everyMs: 500, what: () => 'the second group is started nowhere'});
  for (const [at, minors] of [DATA, MORE].entries()) {
    const guest = cluster.guests[at] as Guest;
    if (!(await holds(cluster, guest, minors))) await askToMove(run, guest, 'hb_takeover local');
    await serves(run, guest, minors);
  }
}

/** One cable, and the dopd of each node asks and is asked at once. */
async function cutBoth(run: Run): Promise<void> {
  const {cluster} = run;
  const [one, two] = cluster.guests;
  const before = await run.written();
  await mark(two, 1);
  const cutMs = performance.now();
  await network.cutCable(1, 'eth1');
  const isOutdated = ({disk}: MinorState): boolean => disk === 'Outdated';
  const areOutdated = async (): Promise<boolean> =>
    (await every(cluster, one, MORE, isOutdated)) && (await every(cluster, two, DATA, isOutdated));
  await until(areOutdated, {timeoutMs: 60_000, everyMs: 200, what: () => 'not both standbys are outdated'});
  const tookMs = performance.now() - cutMs;
  const knows = ({role, peerDisk}: MinorState): boolean => role === 'Primary' && peerDisk === 'Outdated';
  const bothKnow = async (): Promise<boolean> =>
    (await every(cluster, one, DATA, knows)) && (await every(cluster, two, MORE, knows));
  await until(bothKnow, {timeoutMs: 20_000, everyMs: 200, what: () => 'not both Primaries learn of it'});
  // What only the Primaries have: the other copies must get it.
  await mark(two, 2);
  await run.serving((await run.written()) + 30, 60_000);
  assert.ok((await holds(cluster, one, DATA)) && (await holds(cluster, two, MORE)), 'a group moved');
  await network.healCable(1, 'eth1');
  await cluster.synchronised();
  await run.note('two-resources', before, `both outdated ${seconds(tookMs)} after the cut`);
}

/** Primary of all of them, all mounted, both databases answering where they should. */
async function serves(run: Run, guest: Guest, minors: Minors): Promise<void> {
  await until(() => holds(run.cluster, guest, minors), {
    timeoutMs: 240_000,
    everyMs: 500,
    what: () => `${guest.name} does not get drbd${minors.join(', drbd')}`,
  });
  if (minors.includes(DATA[0])) {
    assert.equal(await run.cluster.active(60_000), guest);
    await run.serving(await run.written(), 120_000);
  }
  if (!minors.includes(MORE[0])) return;
  // While it starts, the server may accept a connection and not answer.
  const answers = async () => (await guest.exec(`timeout 5 ${client('SELECT 1')}`)).code === 0;
  await until(answers, {timeoutMs: 180_000, everyMs: 1000, what: () => 'the second database does not start'});
}

async function holds(cluster: Cluster, guest: Guest, minors: Minors): Promise<boolean> {
  const held = (await cluster.see(guest))?.holds ?? [];
  return minors.every((minor) => held.includes(`drbd${minor} Primary`) && held.includes(`drbd${minor} mounted`));
}

async function every(
  cluster: Cluster,
  guest: Guest,
  minors: Minors,
  is: (minor: MinorState) => boolean,
): Promise<boolean> {
  const found = (await cluster.see(guest))?.minors.filter(({minor}) => minors.includes(minor)) ?? [];
  return found.length === minors.length && found.every(is);
}

/** In the database on the first volume, and in a file on the second. */
async function mark(guest: Guest, id: number): Promise<void> {
  await guest.run(`${client(`INSERT INTO entries (id) VALUES (${id})`)} && echo ${id} >>/more/b/marks && sync`, 60_000);
}

async function marks(guest: Guest): Promise<string> {
  const rows = await guest.run(client('SELECT GROUP_CONCAT(id ORDER BY id) FROM entries'), 60_000);
  return `${rows.trim()} ${(await guest.run('paste -s -d, /more/b/marks')).trim()}`;
}

function client(statement: string): string {
  return `mariadb --defaults-file=/more/my.cnf -N demo -e "${statement}"`;
}

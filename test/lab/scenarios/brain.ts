// A real split brain, from the cut to the last look into the backup: both nodes were Primary and both databases were written. Both
// must say so, with who has what, and nothing may be discarded until somebody decides. Then `systole drbd resolve` on the node
// that yielded: the winner keeps serving and keeps every row of its own; every acknowledged row that is not there any more
// is found in the backup, by a database that is started on it.

import assert from 'node:assert/strict';
import {packageRoot} from '../../../src/lab/host.js';
import {until} from '../../../src/lab/wait.js';
import type {Guest} from '../guest.js';
import * as network from '../network.js';
import {log, type Run, ready, type Scenarios, seconds} from '../run.js';

const SYSTOLE = `${packageRoot}/bin/systole`;
const MARKS = 200;

export const scenarios: Scenarios = {
  'split-brain': {
    about: 'both nodes wrote: both report it, resolve on one of them, its rows are in the backup',
    order: 170,
    play: splitBrain,
  },
};

async function splitBrain(run: Run): Promise<void> {
  const {cluster} = run;
  const active = await ready(run);
  await sql(active, 'CREATE TABLE IF NOT EXISTS marks (text VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB');
  const {winner, loser} = await split(run, active);
  const healedMs = performance.now();
  for (const guest of [winner, loser]) await reported(guest, cluster.other(guest));
  const reportedMs = performance.now() - healedMs;
  const connections = await Promise.all(
    [winner, loser].map(async (guest) => (await cluster.see(guest))?.minor?.connection ?? ''),
  );
  // The one that sees the end of the handshake before its own verdict tries on, in vain.
  assert.ok(connections.includes('StandAlone'), `${connections}: something was discarded by itself`);
  assert.ok(
    connections.every((each) => ['StandAlone', 'Connecting'].includes(each)),
    `${connections}`,
  );
  const beforeMs = performance.now();
  const words = `systole drbd resolve data --discard-node ${winner.name} --yes`;
  const wrong = await loser.exec(`${SYSTOLE}${words.slice(7)}`, 240_000);
  assert.equal(wrong.code, 3);
  assert.ok(wrong.stderr.includes(`on ${winner.name}: ${words.replace(' --yes', '')}`), wrong.stderr);
  const resolved = await loser.run(`${SYSTOLE} drbd resolve data --discard-node ${loser.name} --yes`, 480_000);
  const resolvedMs = performance.now() - beforeMs;
  assert.match(resolved, /both nodes have the same data again/);
  await cluster.synchronised(30_000);
  assert.equal(await cluster.active(10_000), winner, 'the winner let go');
  await run.serving(await run.written(), 60_000);
  await keptAndSaved(run, {winner, loser});
  const {outageMs, acknowledged: written, lost} = await run.client.verify();
  const note = `reported ${seconds(reportedMs)} after the healing, resolved in ${seconds(resolvedMs)}; the rows lost are in the backup`;
  run.rows.push({scenario: 'split-brain', outageMs, written, lost: Number(lost), note});
  await sql(winner, 'DROP TABLE marks');
  // Rows of the discarded copy are gone by decision; from here on none may be.
  await run.renew();
}

/** Cuts everything between the nodes, has both databases written, heals; one of them keeps the group. */
async function split(run: Run, active: Guest): Promise<{readonly winner: Guest; readonly loser: Guest}> {
  const {cluster, watch} = run;
  const standby = cluster.other(active);
  watch.isExcused = true;
  await network.isolate('eth0', true);
  await network.cutCable(1, 'eth1');
  await mark(active);
  await until(async () => (await cluster.see(standby))?.isMounted, {
    timeoutMs: 120_000,
    everyMs: 500,
    what: () => 'the other node takes nothing over: this scenario proves nothing',
  });
  // While it starts, the server may accept a connection and not answer.
  const answers = () => standby.exec(`timeout 5 ${client('SELECT 1')}`).catch(() => undefined);
  await until(async () => (await answers())?.code === 0, {
    timeoutMs: 180_000,
    everyMs: 1000,
    what: () => 'the other database does not start',
  });
  await mark(standby);
  await network.isolate('eth0', false);
  await network.healCable(1, 'eth1');
  const winner = await until(
    async () => {
      for (const guest of cluster.guests) {
        const seen = await cluster.see(guest);
        if (seen?.minor?.role === 'Secondary' && !seen.isMounted) return cluster.other(guest);
      }
      return undefined;
    },
    {timeoutMs: 60_000, everyMs: 300, what: () => 'nobody yields'},
  );
  watch.isExcused = false;
  return {winner, loser: cluster.other(winner)};
}

async function mark(guest: Guest): Promise<void> {
  const rows = Array.from({length: MARKS}, (_, number) => `('${guest.name} ${number}')`).join(',');
  await sql(guest, `INSERT INTO marks VALUES ${rows}`);
}

/** In the log and in status, with the identifiers of both. */
async function reported(guest: Guest, other: Guest): Promise<void> {
  await until(async () => (await log(guest)).includes('SPLIT BRAIN'), {
    timeoutMs: 60_000,
    everyMs: 500,
    what: () => `${guest.name} does not report the split brain`,
  });
  const line = (await log(guest)).split('\n').find((each) => each.includes('SPLIT BRAIN')) ?? '';
  assert.match(
    line,
    new RegExp(`ERROR: data: SPLIT BRAIN.*${guest.name}: generation [0-9A-F]{16}.*${other.name}: generation`),
  );
  // Its first start in a guest reads some hundred modules over 9p.
  const shown = await guest.exec(`${SYSTOLE} drbd status data`, 240_000);
  assert.equal(shown.code, 1);
  assert.match(shown.stdout, /SPLIT BRAIN: both nodes wrote/);
  assert.ok(shown.stdout.includes(`on ${other.name}: systole drbd resolve data --discard-node ${other.name}`));
}

async function keptAndSaved(run: Run, {winner, loser}: {readonly winner: Guest; readonly loser: Guest}): Promise<void> {
  const here = await idsOf(winner);
  assert.equal(await count(winner, winner.name), MARKS, 'the winner lost rows of its own');
  assert.equal(await count(winner, loser.name), 0, 'rows of the loser came from nowhere');
  // A copy of the device as it is now, and the saved blocks over it.
  const image = '/dev/shm/copy.img';
  const [backup = ''] = (await loser.run('ls -d /var/lib/heartbeat/drbd-backup/*')).trim().split('\n');
  await loser.run(`cp --sparse=always /dev/lab-drbd ${image}`, 120_000);
  assert.match(await loser.run(`${SYSTOLE} drbd restore ${backup}`, 240_000), /all sums are right/);
  await loser.run(`${SYSTOLE} drbd restore ${backup} --onto ${image}`, 240_000);
  await loser.run(`modprobe loop; mkdir -p /run/look && mount -t ext4 -o loop ${image} /run/look`);
  const query = [
    `SELECT text FROM demo.marks INTO OUTFILE '/run/look/marks';`,
    `SELECT id FROM demo.entries INTO OUTFILE '/run/look/entries';`,
  ].join('\n');
  await loser.run(
    `printf '%s\\n' "${query}" | mariadbd --no-defaults --user=root --datadir=/run/look/mysql --innodb-log-file-size=16M --bootstrap`,
    180_000,
  );
  const marks = (await loser.run('cat /run/look/marks')).trim().split('\n');
  assert.equal(marks.filter((text) => text.startsWith(loser.name)).length, MARKS, 'marks are missing in the backup');
  assert.equal(marks.filter((text) => text.startsWith(winner.name)).length, 0);
  const saved = (await loser.run('cat /run/look/entries')).trim().split('\n').map(Number);
  await loser.run(`umount /run/look; rm -rf ${image} ${backup}`);
  const {acknowledged, lost} = await run.client.verify();
  // Ids are given once: what the winner has not is in the backup, or was never acknowledged.
  const onlySaved = saved.filter((id) => !here.has(id)).length;
  assert.ok(
    Number(lost) <= onlySaved,
    `${lost} of ${acknowledged} rows are not served, and ${onlySaved} are in the backup`,
  );
}

async function idsOf(guest: Guest): Promise<ReadonlySet<number>> {
  const text = await guest.run(client('SELECT id FROM entries'), 60_000);
  return new Set(text.trim().split('\n').map(Number));
}

async function count(guest: Guest, name: string): Promise<number> {
  return Number((await guest.run(client(`SELECT COUNT(*) FROM marks WHERE text LIKE '${name} %'`))).trim());
}

async function sql(guest: Guest, statement: string): Promise<void> {
  await guest.run(client(statement), 60_000);
}

function client(statement: string): string {
  return `mariadb --defaults-file=/etc/my.cnf -N demo -e "${statement}"`;
}

// Goal: mysqld judges the server by its answers and never ends a process that is not this server. Method: a real MariaDB
// on an empty data directory in memory.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, rmdirSync} from 'node:fs';
import {afterAll, afterEach, beforeAll, describe, test} from '@jest/globals';
import {startTimeOf} from '../../src/runtime/process-group.js';
import {isRoot, runAgent} from '../helpers/agent.js';
import {Sandbox} from '../helpers/sandbox.js';

const possible = isRoot && existsSync('/usr/sbin/mariadbd') && existsSync('/usr/bin/mariadb-install-db');
if (!possible) process.stderr.write('mysqld: skipped, it needs root and mariadb-server-core\n');

(possible ? describe : describe.skip)('mysqld', () => {
  let box: Sandbox;
  let dir: string;
  beforeAll(async () => {
    box = await Sandbox.open();
    dir = box.sh('mktemp -d /tmp/systole-db-XXXXXX').trim();
    box.sh(`mount -t tmpfs none ${dir}
      mariadb-install-db --no-defaults --datadir=${dir}/data --auth-root-authentication-method=socket --skip-test-db \
        --user=root --innodb-log-file-size=4M --innodb-buffer-pool-size=8M >/dev/null 2>&1`);
    config();
  });
  afterEach(async () => {
    assert.equal((await call('stop')).code, 0);
  });
  afterAll(async () => {
    await box.close();
    rmdirSync(dir);
  });
  const config = (more = '') =>
    box.sh(`cat >${dir}/my.cnf <<'END'
[mysqld]
datadir=${dir}/data
socket=${dir}/data/s.sock
pid-file=${dir}/data/server.pid
log-error=${dir}/data/server.err
skip-networking
innodb_buffer_pool_size=8M
innodb_log_file_size=4M
${more}
END`);
  const call = (action: string, env: Record<string, string> = {}, args = [`${dir}/my.cnf`]) =>
    runAgent({agent: 'mysqld', args, sandbox: box, env}, action);
  const pid = () => Number(box.sh(`cat ${dir}/data/server.pid`));
  const query = (sql: string) => box.sh(`mariadb --no-defaults -N -S ${dir}/data/s.sock -e "${sql}"`).trim();

  test('a start returns when queries are answered; rows survive a stop', async () => {
    assert.equal((await call('start')).code, 0);
    query('CREATE DATABASE d; CREATE TABLE d.t (n INT) ENGINE=InnoDB; INSERT INTO d.t VALUES (42)');
    assert.equal((await call('stop')).code, 0);
    assert.equal((await call('start')).code, 0);
    assert.equal(query('SELECT n FROM d.t'), '42');
  });

  test('a server that denies access or is full is alive', async () => {
    config('max_connections=10');
    await call('start');
    query("ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('x')");
    const denied = await call('status');
    assert.match(denied.stdout, /^running/, denied.stderr);
    query2(`ALTER USER root@localhost IDENTIFIED VIA unix_socket`);
    // MariaDB keeps one more place for SUPER.
    const sessions = Array.from({length: 11}, () =>
      spawn(box.prefix[0]!, [
        ...box.prefix.slice(1),
        'mariadb',
        '--no-defaults',
        '-N',
        '-n',
        '-S',
        `${dir}/data/s.sock`,
      ]),
    );
    for (const session of sessions) {
      session.stdin.write('SELECT 1;\n');
      await once(session.stdout, 'data');
    }
    assert.throws(() => query('SELECT 1'), /1040/);
    assert.match((await call('status')).stdout, /^running/);
    for (const session of sessions) {
      const ended = once(session, 'exit');
      session.stdin.end();
      await ended;
    }
    await call('stop');
    config();
  });
  const query2 = (sql: string) => box.sh(`mariadb --no-defaults -u root -px -S ${dir}/data/s.sock -e "${sql}"`);

  test('a server that hangs is not running, and is killed after the time-out', async () => {
    await call('start');
    const server = pid();
    process.kill(server, 'SIGSTOP');
    const status = await call('status', {MYSQLD_CHECK_TIMEOUT: '1'});
    assert.match(status.stdout, /^not running \(process \d+ does not answer/);
    assert.equal(status.code, 1);
    const stop = await call('stop', {MYSQLD_STOP_TIMEOUT: '1', MYSQLD_CHECK_TIMEOUT: '1'});
    assert.equal(stop.code, 0);
    assert.match(stop.stderr, new RegExp(`process ${server} has not ended within 1 s: sending SIGKILL`));
    assert.match((await call('status')).stdout, /^not running/);
  });

  test('a server that dies while starting shows its own last words', async () => {
    config('no_such_option=1');
    const outcome = await call('start');
    config();
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /ended during its start/);
    assert.match(outcome.stderr, /unknown variable 'no_such_option=1'/);
  });

  test('a process that only has the pid of the file is neither running nor stopped', async () => {
    const stranger = spawn('sleep', ['60']);
    await once(stranger, 'spawn');
    box.sh(`echo ${stranger.pid} >${dir}/data/server.pid`);
    assert.match((await call('status')).stdout, /^not running \(no server/);
    assert.equal((await call('stop')).code, 0);
    assert.equal(stranger.exitCode, null);
    assert.equal(stranger.signalCode, null);
    // A real server without its pid file is found all the same.
    assert.equal((await call('start')).code, 0);
    box.sh(`rm ${dir}/data/server.pid`);
    assert.match((await call('status')).stdout, /^running/);
    assert.equal((await call('stop')).code, 0);
    assert.match((await call('status')).stdout, /^not running/);
    const ended = once(stranger, 'exit');
    stranger.kill('SIGKILL');
    await ended;
  });

  // Goal: `stop` never says `stopped` of a server that runs, or the other node would start a second one on the same data.
  test.each(['recorded', 'found by its command line'])('my.cnf lost while the server runs: %s', async (how) => {
    await call('start');
    const server = pid();
    box.sh(`mv ${dir}/my.cnf ${dir}/lost`);
    if (how !== 'recorded') box.sh('rm -f /run/heartbeat/agents/mysqld_*');
    const status = await call('status');
    assert.match(status.stdout, /^running/, status.stderr);
    assert.equal((await call('start')).code, 1);
    const stop = await call('stop');
    assert.equal(stop.code, 0, stop.stderr);
    assert.match(stop.stderr, new RegExp(`process ${server} has ended`));
    assert.equal(startTimeOf(server), undefined);
    assert.match((await call('status')).stdout, /^not running/);
    const again = await call('stop');
    assert.equal(again.code, 0, again.stderr);
    box.sh(`mv ${dir}/lost ${dir}/my.cnf`);
  });

  test('my.cnf that cannot be read: the recorded server is stopped; one that may be it is an error', async () => {
    await call('start');
    const server = pid();
    box.sh(`echo '[mysqld' >>${dir}/my.cnf`);
    assert.match((await call('status')).stdout, /^running/);
    assert.equal((await call('stop')).code, 0);
    assert.equal(startTimeOf(server), undefined);
    config();
    // Without argument nothing but the configuration says which server is meant.
    await call('start');
    const bad = `${dir}/bad.cnf`;
    box.sh(`echo '[mysqld' >${bad}; : >${dir}/empty; mkdir -p /etc/mysql; touch /etc/mysql/my.cnf
      mount --bind ${bad} "$(readlink -f /etc/mysql/my.cnf)"`);
    try {
      const stop = await call('stop', {}, []);
      assert.equal(stop.code, 1, stop.stderr);
      assert.match(stop.stderr, /process \d+ may be its server/);
    } finally {
      box.sh('umount "$(readlink -f /etc/mysql/my.cnf)"');
    }
  });

  test('what my.cnf says now does not mislead status and stop of the server that was started', async () => {
    await call('start');
    const server = pid();
    box.sh(
      `sed -i 's|^datadir=.*|datadir=${dir}/elsewhere|; s|^socket=.*|socket=${dir}/other.sock|; /^pid-file/d' ${dir}/my.cnf`,
    );
    assert.match((await call('status')).stdout, new RegExp(`^running \\(process ${server} answers`));
    assert.equal((await call('stop')).code, 0);
    assert.equal(startTimeOf(server), undefined);
    assert.match((await call('status')).stdout, /^not running/);
    config();
  });

  test('start means the same server as status and stop, whatever my.cnf says now', async () => {
    await call('start');
    const server = pid();
    box.sh(`sed -i 's|^datadir=.*|datadir=${dir}/elsewhere|' ${dir}/my.cnf`);
    const again = await call('start');
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, new RegExp(`process ${server} already serves ${dir}/data`));
    assert.equal((await call('stop')).code, 0);
    assert.equal(startTimeOf(server), undefined);
    config();
  });

  test('two arguments whose names share a record do not share a server', async () => {
    box.sh(`mkdir ${dir}/c; cp ${dir}/my.cnf ${dir}/c_my.cnf
      sed 's|${dir}/data|${dir}/none|' ${dir}/my.cnf >${dir}/c/my.cnf`);
    const served = [`${dir}/c_my.cnf`];
    assert.equal((await call('start', {}, served)).code, 0);
    const other = [`${dir}/c/my.cnf`];
    assert.match((await call('status', {}, other)).stdout, /^not running/);
    assert.equal((await call('stop', {}, other)).code, 0);
    assert.match((await call('status', {}, served)).stdout, /^running/);
    assert.equal((await call('stop', {}, served)).code, 0);
  });

  test('a socket left by a server that was killed is not taken for the new one', async () => {
    await call('start');
    const server = pid();
    process.kill(server, 'SIGKILL');
    const again = await call('start');
    assert.equal(again.code, 0, again.stderr);
    assert.notEqual(pid(), server);
    assert.equal(query('SELECT 1'), '1');
  });

  test('my_print_defaults, which is asked in its place, says what the server says', () => {
    box.sh(`cat >${dir}/odd.cnf <<'END'
[client]
socket=/wrong
[mysqld]
!includedir ${dir}/more
datadir = "${dir}/with blank"
init_connect = 'SET @a = "b -- c"'
[mariadb-10.11]
port=3310
[mysqld_one]
port=3311
[mysqldump]
user=wrong
END
      mkdir -p ${dir}/more; printf '[server]\npid-file=x.pid # why\n' >${dir}/more/a.cnf`);
    for (const suffix of ['', '--defaults-group-suffix=_one']) {
      const words = `--defaults-file=${dir}/odd.cnf ${suffix}`;
      const [, said = ''] = box.sh(`mariadbd ${words} --print-defaults`).trimEnd().split('\n');
      const small = box.sh(`my_print_defaults ${words} --mysqld`).trimEnd().split('\n').join(' ');
      assert.match(small, /--datadir=.*with blank.*--port=331[01]/);
      assert.equal(small, said.trimEnd());
    }
  });

  test('an instance by name and directory, and a missing data directory', async () => {
    const instance = [`33079@${dir}/data`];
    assert.equal((await call('start', {}, instance)).code, 0);
    assert.equal(box.sh(`mariadb --no-defaults -N -S ${dir}/data/mysqld.sock -e 'SELECT @@port'`).trim(), '33079');
    assert.equal((await call('stop', {}, instance)).code, 0);
    const absent = await call('start', {}, [`x@${dir}/absent`]);
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /no data directory .*is its file system mounted/);
  });

  test('without a client program the greeting decides', async () => {
    await call('start');
    // Only the programs the agent needs besides a client.
    box.sh(`mkdir -p ${dir}/bin; for p in perl timeout readlink cut sed uname; do ln -sf $(command -v $p) ${dir}/bin/$p; done
      ln -sf /usr/sbin/mariadbd ${dir}/bin/mariadbd; mount --bind /dev/null /usr/bin/mariadb; mount --bind /dev/null /usr/bin/mysql`);
    try {
      assert.match((await call('status')).stdout, /^running/);
      process.kill(pid(), 'SIGSTOP');
      assert.match((await call('status', {MYSQLD_CHECK_TIMEOUT: '1'})).stdout, /^not running .*no greeting/);
      process.kill(pid(), 'SIGCONT');
    } finally {
      box.sh('umount /usr/bin/mariadb /usr/bin/mysql');
    }
  });
});

// Puts a small MariaDB on the shared disk of a lab: data directory, my.cnf and a table the writer fills. Assumes the
// packages mariadb-server-core and mariadb-client-core. Promises that a commit is on the disk before it is acknowledged.

import {writeFileSync} from 'node:fs';
import type {Lab} from './lab.js';

export const databasePrograms = ['mariadbd', 'mariadb-install-db', 'mkfs.ext4', 'losetup'] as const;

const config = `[mysqld]
user = root
datadir = /data/mysql
socket = /run/mysqld.sock
pid-file = /run/mysqld.pid
log-error = /var/log/mysqld.log
bind-address = 0.0.0.0
port = 3306
skip-name-resolve
# Every acknowledged row is on the disk.
innodb_flush_log_at_trx_commit = 1
innodb_log_file_size = 8M
innodb_buffer_pool_size = 32M
innodb_buffer_pool_dump_at_shutdown = off
innodb_buffer_pool_load_at_startup = off
performance_schema = off
[client]
socket = /run/mysqld.sock
user = root
`;

const setup = `FLUSH PRIVILEGES;
CREATE USER 'demo'@'%' IDENTIFIED BY 'demo';
CREATE DATABASE demo;
CREATE TABLE demo.entries (id BIGINT PRIMARY KEY, at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6)) ENGINE=InnoDB;
GRANT ALL ON demo.* TO 'demo'@'%';
`;

/** Installs on the client machine, which then lets the disk go. */
export async function installDatabase(lab: Lab): Promise<void> {
  const device = lab.disk?.device;
  if (!device) throw new Error('the lab has no disk');
  const {client} = lab;
  writeFileSync(`${lab.directory}/my.cnf`, config);
  writeFileSync(`${lab.directory}/setup.sql`, setup);
  await client.run(`mount -t ext4 ${device} /data && cp ${lab.directory}/my.cnf /data/my.cnf`);
  await client.run(
    'mariadb-install-db --defaults-file=/data/my.cnf --auth-root-authentication-method=normal --skip-test-db',
    {timeoutMs: 60_000},
  );
  await client.run(`mariadbd --defaults-file=/data/my.cnf --bootstrap <${lab.directory}/setup.sql`, {
    timeoutMs: 30_000,
  });
  await client.run('umount /data');
}

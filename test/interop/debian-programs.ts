// The programs of a node as an administrator exchanges them: Debian's package heartbeat removed and installed with dpkg,
// ours installed with `systole install --destdir /`. Everything happens on private copies inside the lab machine (an
// overlay over /usr, copies of dpkg's database and of parts of /etc), so the host keeps its package and its files.
// Assumes machines of src/lab that are on, and Debian's package installed on the host: the archive to install again is made
// from it, so that nothing is fetched.

import {cpSync, existsSync, lstatSync, mkdirSync, statSync, writeFileSync} from 'node:fs';
import {host, packageRoot} from '../../src/lab/host.js';
import type {Lab, LabNode} from '../../src/lab/lab.js';

/** What the two packages and their maintainer scripts write to below /etc. */
const etcParts = ['init.d', 'logrotate.d', 'logcheck', 'default', 'systemd', 'rcS.d'];
const runlevels = [0, 1, 2, 3, 4, 5, 6].map((level) => `rc${level}.d`);
const controlParts = ['preinst', 'postinst', 'prerm', 'postrm', 'conffiles'];
const dpkgInfo = '/var/lib/dpkg/info/heartbeat';
const timeoutMs = 60_000;

/** Why this cannot be done here; undefined: it can. */
export function programsObstacle(): string | undefined {
  return existsSync(`${dpkgInfo}.list`) ? undefined : 'no heartbeat package';
}

/** Packs the installed package into an archive again: same control file, maintainer scripts, conffiles and files. */
export async function makeArchive(lab: Lab): Promise<string> {
  const tree = `${lab.directory}/heartbeat`;
  mkdirSync(`${tree}/DEBIAN`, {recursive: true, mode: 0o755});
  const status = await host('dpkg-query', ['-s', 'heartbeat']);
  const control = status.replace(/^Status:.*\n/m, '').replace(/^Conffiles:\n( .*\n)*/m, '');
  writeFileSync(`${tree}/DEBIAN/control`, control);
  for (const part of controlParts)
    if (existsSync(`${dpkgInfo}.${part}`)) cpSync(`${dpkgInfo}.${part}`, `${tree}/DEBIAN/${part}`);
  const files = (await host('dpkg-query', ['-L', 'heartbeat']))
    .split('\n')
    .filter((path) => /^\/./.test(path) && !isMergedDirectory(path));
  writeFileSync(`${lab.directory}/files`, files.map((path) => `${path.slice(1)}\n`).join(''));
  const tar = `${lab.directory}/files.tar`;
  await host('tar', ['-C', '/', '--no-recursion', '-cf', tar, '-T', `${lab.directory}/files`]);
  await host('tar', ['-C', tree, '-xf', tar]);
  await host('dpkg-deb', ['--build', '-Znone', tree, `${lab.directory}/heartbeat.deb`]);
  return `${lab.directory}/heartbeat.deb`;
}

/** /lib is a link to /usr/lib today; in the package it is a directory. */
function isMergedDirectory(path: string): boolean {
  return lstatSync(path).isSymbolicLink() && statSync(path, {throwIfNoEntry: false})?.isDirectory() === true;
}

/** Makes /usr, dpkg's database and the parts of /etc private and writable. Once after each boot. */
export async function makePrivate({machine}: LabNode): Promise<void> {
  cpSync('/var/lib/dpkg', `${machine.directory}/dpkg`, {recursive: true});
  await machine.run(
    'mkdir -p /mnt/over && mount -t tmpfs -o size=512m over /mnt/over && mkdir /mnt/over/up /mnt/over/work',
  );
  await machine.run('mount -t overlay -o lowerdir=/usr,upperdir=/mnt/over/up,workdir=/mnt/over/work over /usr');
  await machine.run(`mkdir -p /var/lib/dpkg && mount --bind ${machine.directory}/dpkg /var/lib/dpkg`);
  for (const part of [...etcParts, ...runlevels])
    await machine.run(`[ ! -L /etc/${part} ] || { rm /etc/${part}; cp -a /.etc/${part} /etc/${part}; }`);
}

/** `apt-get remove heartbeat`, then `systole install --destdir /`: docs/migrating.md. The daemon is stopped. */
export async function installOurs({machine}: LabNode): Promise<void> {
  // The companions are clients of the API, and Debian's work with our daemon.
  await machine.run('mkdir -p /usr/local/lib/heartbeat');
  await machine.run('cp -p /usr/libexec/heartbeat/ipfail /usr/libexec/heartbeat/dopd /usr/local/lib/heartbeat');
  await machine.run('dpkg --remove heartbeat', {timeoutMs});
  await machine.run(`${packageRoot}/bin/systole install --destdir /`, {timeoutMs});
  await machine.run('cp -np /usr/local/lib/heartbeat/* /usr/libexec/heartbeat');
}

/** The way back: ours removed, then `apt-get install heartbeat`, which starts the daemon by itself. */
export async function installDebians({machine}: LabNode, archive: string): Promise<void> {
  await machine.run('/usr/sbin/systole uninstall --destdir /', {timeoutMs});
  await machine.run(`dpkg --install ${archive}`, {timeoutMs});
}

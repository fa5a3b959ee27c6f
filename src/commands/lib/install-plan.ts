// What `systole install` lays out, at the paths of Debian's heartbeat package. A plan is data: shown with --dry-run, done
// otherwise. Programs are relative links into the package directory, so that a tree under --destdir works where it is.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {dirname, relative} from 'node:path';

export type Step =
  | {readonly kind: 'directory'; readonly to: string; readonly mode: number}
  /** A file or a whole folder of ours: replaced. */
  | {readonly kind: 'copy'; readonly from: string; readonly to: string; readonly mode?: number}
  | {readonly kind: 'link'; readonly target: string; readonly to: string}
  /** Below /etc: never overwritten once it was changed. */
  | {readonly kind: 'config'; readonly from: string; readonly to: string; readonly mode: number};

export interface InstallOptions {
  /** The package to install from. */
  readonly packageDir: string;
  /** e.g. `/usr`. */
  readonly prefix: string;
}

const SBIN = ['heartbeat', 'systole'];
const LIBEXEC = ['heartbeat', 'ipfail', 'dopd', 'drbd-peer-outdater'];
const SHARE = [
  'ResourceManager',
  'hb_addnode',
  'hb_delnode',
  'hb_setsite',
  'hb_setweight',
  'hb_standby',
  'hb_takeover',
  'mach_down',
  'req_resource',
];
/** Parts of the package that are needed at run time. */
const PARTS = [
  'package.json',
  'LICENSE',
  'bin',
  'dist/src',
  'dist/bundle',
  'resource.d',
  'ha.d',
  'ha.d.example',
  'packaging',
];

export function planInstall({packageDir, prefix}: InstallOptions): readonly Step[] {
  const home = `${prefix}/lib/systole`;
  const has = (name: string): boolean => existsSync(`${packageDir}/${name}`);
  const programs = (directory: string, names: readonly string[]): Step[] =>
    names.filter((name) => has(`bin/${name}`)).map((name) => link(`${directory}/${name}`, `${home}/bin/${name}`));
  return [
    ...PARTS.filter(has).map((part): Step => ({kind: 'copy', from: `${packageDir}/${part}`, to: `${home}/${part}`})),
    ...runtimePackages(packageDir).map(
      (path): Step => ({kind: 'copy', from: `${packageDir}/${path}`, to: `${home}/${path}`}),
    ),
    ...programs(`${prefix}/sbin`, SBIN),
    ...programs(`${prefix}/bin`, ['cl_status']),
    ...programs(`${prefix}/libexec/heartbeat`, LIBEXEC),
    ...programs(`${prefix}/share/heartbeat`, SHARE),
    ...manPages(packageDir, prefix),
    {kind: 'directory', to: '/etc/ha.d/resource.d', mode: 0o755},
    {kind: 'directory', to: '/etc/ha.d/conf', mode: 0o755},
    ...haDir(packageDir),
    config(packageDir, 'packaging/heartbeat.init', '/etc/init.d/heartbeat', 0o755),
    config(packageDir, 'packaging/heartbeat.logrotate', '/etc/logrotate.d/heartbeat', 0o644),
    {
      kind: 'copy',
      from: `${packageDir}/packaging/heartbeat.service`,
      to: '/lib/systemd/system/heartbeat.service',
      mode: 0o644,
    },
    {
      kind: 'copy',
      from: `${packageDir}/packaging/heartbeat.tmpfiles`,
      to: `${prefix}/lib/tmpfiles.d/heartbeat.conf`,
      mode: 0o644,
    },
    {kind: 'directory', to: '/var/lib/heartbeat', mode: 0o750},
  ];
}

function link(to: string, target: string): Step {
  return {kind: 'link', to, target: relative(dirname(to), target)};
}

function config(packageDir: string, from: string, to: string, mode: number): Step {
  return {kind: 'config', from: `${packageDir}/${from}`, to, mode};
}

function haDir(packageDir: string): Step[] {
  const hooks = readdirSync(`${packageDir}/ha.d/rc.d`).map((name) => `rc.d/${name}`);
  return ['harc', 'shellfuncs', 'README.config', ...hooks].map((name) => {
    const mode = name === 'shellfuncs' || name === 'README.config' ? 0o644 : 0o755;
    return config(packageDir, `ha.d/${name}`, `/etc/ha.d/${name}`, mode);
  });
}

function manPages(packageDir: string, prefix: string): Step[] {
  return readdirSync(`${packageDir}/packaging/man`).map((name) => {
    const to = `${prefix}/share/man/man${name.slice(-1)}/${name}`;
    return {kind: 'copy', from: `${packageDir}/packaging/man/${name}`, to, mode: 0o644};
  });
}

/** The packages a run needs, from npm's own record of what is installed; those of development are left out. */
function runtimePackages(packageDir: string): readonly string[] {
  const lock = [`${packageDir}/package-lock.json`, `${packageDir}/node_modules/.package-lock.json`].find(existsSync);
  // An installed tree has no such record, and holds nothing but run-time packages.
  if (lock === undefined) return existsSync(`${packageDir}/node_modules`) ? ['node_modules'] : [];
  const {packages} = JSON.parse(readFileSync(lock, 'utf8')) as {
    packages: Record<string, {dev?: boolean; optional?: boolean}>;
  };
  return Object.entries(packages)
    .filter(([path, about]) => path.startsWith('node_modules/') && about.dev !== true)
    .map(([path]) => path)
    .filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(`${packageDir}/${path}`));
}

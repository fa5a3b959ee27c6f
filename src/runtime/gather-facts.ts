// Collects what the configuration check must know of this machine: name, interfaces, users, programs, devices. Everything
// is read at most once and only when asked for; synchronous, because nothing else happens before the configuration is known.

import {readFileSync, type Stats, statSync} from 'node:fs';
import {hostname, networkInterfaces} from 'node:os';
import {dirname} from 'node:path';
import type {Facts} from '../config/facts.js';
import type {Paths} from '../model/paths.js';
import {groupId, userAccount} from './accounts.js';
import {agentFinder, stateOf} from './agent-finder.js';
import {unitDirsOf} from './agents.js';
import {bootLinkOf} from './boot-links.js';
import {namesIn} from './names-in.js';

const FACT_BYTES_MAX = 1 << 20;

const STONITH_DIR = '/usr/lib/stonith/plugins';

/**
 * `HA_UNITDIRS` replaces the directories of systemd units (separated by colons), `HA_STONITHDIR` that of cluster-glue's
 * plugins.
 */
export function gatherFacts(paths: Paths, env: Readonly<Record<string, string | undefined>>): Facts {
  const unitDirs = unitDirsOf(env);
  const stonithDir = env['HA_STONITHDIR'] ?? STONITH_DIR;
  const lines = once((file: string) =>
    (readSmall(file) ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim()),
  );
  return {
    nodeName: nodeNameOf(paths.haDir),
    interfaces: interfaces(),
    authkeysMode: modeOf(`${paths.haDir}/authkeys`),
    agents: agentFinder(paths.agentDirs, unitDirs),
    bootLink: (resource) => bootLinkOf(resource, {agentDirs: paths.agentDirs, unitDirs, etcDir: '/etc'}),
    userExists: (name) => userAccount(name) !== undefined,
    groupExists: (name) => groupId(name) !== undefined,
    isExecutable: (path) => stateOf(path) === 'ok',
    companion: (name) =>
      companionDirs(paths)
        .map((each) => `${each}/${name}`)
        .find((path) => stateOf(path) === 'ok'),
    // The fencer calls external plugins only; other types would be compiled modules of cluster-glue.
    isStonithType: (type) => type.startsWith('external/') && stateOf(`${stonithDir}/${type}`) === 'ok',
    isCharDevice: (path) => statOf(path)?.isCharacterDevice() ?? false,
    readText: readSmall,
    hostAddress: (name) => addressIn(lines('/etc/hosts'), name),
    servicePort: () => portIn(lines('/etc/services')),
  };
}

/** First line of the nodeinfo file, else the host's name. */
export function nodeNameOf(haDir: string): string {
  const given = readSmall(`${haDir}/nodeinfo`)?.split('\n')[0]?.trim();
  return (given === undefined || given === '' ? hostname() : given).toLowerCase();
}

function companionDirs(paths: Paths): string[] {
  const ours = paths.agentDirs.at(-1);
  const shipped = ours === undefined ? [] : [`${dirname(ours)}/bin`];
  return ['/usr/libexec/heartbeat', '/usr/lib/heartbeat', ...shipped];
}

/** Interfaces without an address are links too: the kernel's list knows them, the runtime's does not. */
function interfaces(): Facts['interfaces'] {
  const found = networkInterfaces();
  const names = new Set([...Object.keys(found), ...namesIn('/sys/class/net')]);
  return [...names].map((name) => ({name, addresses: (found[name] ?? []).map(({address}) => address)}));
}

function addressIn(lines: readonly string[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  for (const line of lines) {
    const [address, ...names] = line.split(/\s+/);
    if (address !== undefined && /^\d+\.\d+\.\d+\.\d+$/.test(address)) {
      if (names.some((each) => each.toLowerCase() === wanted)) return address;
    }
  }
  return undefined;
}

function portIn(lines: readonly string[]): number | undefined {
  for (const line of lines) {
    const port = /^ha-cluster\s+(\d{1,5})\/udp\b/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  return undefined;
}

function modeOf(path: string): number | undefined {
  const mode = statOf(path)?.mode;
  return mode === undefined ? undefined : mode & 0o777;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function readSmall(path: string): string | undefined {
  const stat = statOf(path);
  // Never a pipe, which would block, nor something huge.
  if (!stat?.isFile() || stat.size > FACT_BYTES_MAX) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function once<T>(read: (key: string) => T): (key: string) => T {
  const cache = new Map<string, T>();
  return (key) => {
    const found = cache.get(key) ?? read(key);
    cache.set(key, found);
    return found;
  };
}

// The environment of everything the daemon starts (resource-engine.md 3.3): Heartbeat's own variables, one HA_<name>
// per recorded directive, and the directories in use, so that scripts and commands called by them find this daemon.

import type {HaConfig} from '../model/config.js';
import type {Paths} from '../model/paths.js';

export type ScriptEnv = Readonly<Record<string, string>>;

/** Scripts parse the output of tools, so no translations; and what steers this Node must not steer another. */
function isDropped(name: string): boolean {
  return name === 'LC_ALL' || name === 'LANGUAGE' || name.startsWith('NODE_');
}
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function scriptEnv(
  ha: HaConfig,
  paths: Paths,
  inherited: Readonly<Record<string, string | undefined>>,
  debug: number = ha.debug,
): ScriptEnv {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && !isDropped(name)) env[name] = value;
  }
  env['PATH'] = withSystemPath(inherited['PATH']);
  for (const [name, value] of Object.entries(ha.parameters)) if (isVariable(name)) env[`HA_${name}`] = value;
  for (const [name, value] of Object.entries(ha.env)) if (isVariable(name)) env[`HA_${name}`] = value;
  return Object.assign(env, ownVariables(ha, paths, debug));
}

function ownVariables(ha: HaConfig, paths: Paths, debug: number): Record<string, string> {
  const env: Record<string, string> = {
    // With the trailing slash, as the real daemon exports it.
    HA_DIR: `${paths.haDir}/`,
    HA_FUNCS: `${paths.haDir}//shellfuncs`,
    HA_DATEFMT: '%Y/%m/%d_%T\t',
    OCF_ROOT: '/usr/lib/ocf',
    HA_CURHOST: ha.node,
    HA_LOGFILE: ha.logfile ?? '/dev/null',
    HA_DEBUGLOG: ha.debugfile ?? '/dev/null',
    HA_COMPRESSION: ha.parameters['compression'] ?? 'zlib',
    HA_debug: String(debug),
    HA_RSCTMP: rscTmpDir(paths),
    HA_FIFO: paths.fifo,
    HA_VARLIB: paths.varLibDir,
    HA_VARLIBDIR: paths.varLibDir,
    HA_RUNDIR: paths.runDir,
    HA_LOGDIR: paths.logDir,
  };
  if (ha.logfacility !== undefined) env['HA_LOGFACILITY'] = ha.logfacility;
  return env;
}

/** Scratch files of agents; private to this daemon when its run directory is. */
export function rscTmpDir(paths: Paths): string {
  return paths.runDir === '/run/heartbeat' ? '/run/resource-agents' : `${paths.runDir}/rsctmp`;
}

export function isVariable(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

/** A daemon started at boot may have almost no PATH; agents need ip, mount, fsck. */
function withSystemPath(path: string | undefined): string {
  if (path === undefined || path === '') return SYSTEM_PATH;
  const have = path.split(':');
  return [...have, ...SYSTEM_PATH.split(':').filter((each) => !have.includes(each))].join(':');
}

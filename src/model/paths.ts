// Where everything lives. Every default is Debian's; each directory can be overridden by an environment variable.

export interface Paths {
  /** HA_DIR: ha.cf, authkeys, haresources, systole.conf, rc.d, resource.d, harc, shellfuncs. */
  readonly haDir: string;
  /** HA_VARLIBDIR: fifo, hb_generation, hb_uuid, hostcache, state of ours. */
  readonly varLibDir: string;
  /** HA_RUNDIR: sockets. */
  readonly runDir: string;
  /** HA_LOGDIR: JSON log, crash files. */
  readonly logDir: string;
  readonly pidFile: string;
  /** Which messaging process runs; see messaging-pid.ts. */
  readonly messagingPidFile: string;
  readonly fifo: string;
  readonly generationFile: string;
  readonly uuidFile: string;
  /** The client API socket of Heartbeat 3.0.6. */
  readonly registerSocket: string;
  /** Our own control socket. */
  readonly controlSocket: string;
  /** The directories searched for agents, in order; the last is the one shipped with this package. */
  readonly agentDirs: readonly string[];
}

/** `packageDir` is the directory that holds resource.d of this package. */
export function resolvePaths(env: Readonly<Record<string, string | undefined>>, packageDir: string): Paths {
  const haDir = trim(env['HA_DIR'] ?? '/etc/ha.d');
  const varLibDir = trim(env['HA_VARLIBDIR'] ?? '/var/lib/heartbeat');
  const runDir = trim(env['HA_RUNDIR'] ?? '/run/heartbeat');
  const logDir = trim(env['HA_LOGDIR'] ?? '/var/log');
  return {
    haDir,
    varLibDir,
    runDir,
    logDir,
    // Debian's pid file is beside the run directory, not in it; an overridden directory holds its own.
    pidFile: runDir === '/run/heartbeat' ? '/run/heartbeat.pid' : `${runDir}/heartbeat.pid`,
    messagingPidFile: `${runDir}/messaging.pid`,
    fifo: `${varLibDir}/fifo`,
    generationFile: `${varLibDir}/hb_generation`,
    uuidFile: `${varLibDir}/hb_uuid`,
    registerSocket: `${runDir}/register`,
    controlSocket: `${runDir}/systole`,
    agentDirs: [`${haDir}/resource.d`, '/etc/init.d', `${packageDir}/resource.d`],
  };
}

function trim(directory: string): string {
  return directory.length > 1 ? directory.replace(/\/+$/, '') : directory;
}

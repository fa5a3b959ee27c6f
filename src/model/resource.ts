// Resource agents as both the edge and the core see them. The edge reports, the core judges.

export type ResourceAction = 'start' | 'stop' | 'status';

/** One entry of a haresources line: `Filesystem::/dev/drbd0::/data` is script `Filesystem`, two args. */
export interface Resource {
  /** The word as written in haresources; a bare address stays as written. */
  readonly word: string;
  /** File name of the agent; `IPaddr` for a bare address. */
  readonly script: string;
  /** The parts after each `::`; empty parts vanish. */
  readonly args: readonly string[];
}

/** One line of haresources: started left to right, stopped right to left. */
export interface ResourceGroup {
  /** The first resource word of the line; unique in the file. */
  readonly key: string;
  /** Lower-case name of the node named first on the line. */
  readonly home: string;
  readonly resources: readonly Resource[];
  readonly source: {readonly line: number};
}

/** What a manager has under way, for its successor on the same machine. */
export interface GroupsInForce {
  readonly groups: readonly ResourceGroup[];
  /** Of the groups that it owns, by key: the newer decision to start one is the higher (docs/adr/0002). From 1. */
  readonly claims: Readonly<Record<string, number>>;
}

export interface ResourceTimeouts {
  readonly startMs: number;
  readonly stopMs: number;
  readonly statusMs: number;
}

/** Anything executable in resource.d, init.d or a systemd unit is called as `NAME [ARG...] start|stop|status`. */
export interface ResourceCall {
  /** Key of the group. */
  readonly group: string;
  /** Position in the group, 0 first. */
  readonly index: number;
  readonly resource: Resource;
  readonly action: ResourceAction;
  /** Then SIGTERM to the process group; SIGKILL follows killDelayMs later. */
  readonly timeoutMs: number;
  readonly killDelayMs: number;
}

/** Everything the runtime saw of one call. It draws no conclusion. */
export interface ResourceExit {
  /** undefined: killed by a signal, or could not be run. */
  readonly code: number | undefined;
  /** stdout, bounded (65536 bytes). */
  readonly output: string;
  readonly timedOut: boolean;
  /** The agent was not found or could not be executed. */
  readonly missing: boolean;
  readonly tookMs: number;
}

export type Verdict = 'running' | 'stopped' | 'done' | 'failed' | 'unknown';

/** drbddisk: `cannot determine status, may be running`, which holds `not ... running` as well. */
const IS_UNSURE = /may be running|cannot [^\n]*running/i;
// Heartbeat 3.0.6, ResourceManager, we_own_resource: `*[Nn][Oo][Tt]\ *[Rr]unning*`, else `*[Rr]unning*|*OK*`.
const IS_STOPPED = /[Nn][Oo][Tt] [^\n]*[Rr]unning/;
const IS_RUNNING = /[Rr]unning|OK/;
/** `not running (REASON)` with exit code 1 (resource.d/README.md). */
const IS_UNFIT = /^not running \(/;
/** What a wrapper of another kind of agent says of an error: after a failed stop it proves nothing, at a beginning it is the rule. */
const IS_ERROR = /^ERROR\b/;

/**
 * R1 scripts answer `status` with words, not with an exit code; `not running` also contains `running`. Who says that he cannot
 * tell is believed first. Agents that print nothing are judged by LSB exit codes: 0 running, 3 or 7 stopped.
 */
export function judge(action: ResourceAction, exit: ResourceExit): Verdict {
  if (action !== 'status') return exit.code === 0 && !exit.timedOut ? 'done' : 'failed';
  if (exit.timedOut || exit.missing || exit.code === undefined) return 'unknown';
  if (exit.output.trim() === '') return judgeByCode(exit.code);
  if (IS_UNSURE.test(exit.output)) return 'unknown';
  if (IS_STOPPED.test(exit.output)) return 'stopped';
  return IS_RUNNING.test(exit.output) ? 'running' : 'stopped';
}

/** LSB: dead though its pid file is there. OCF: not installed, not configured; so on a standby without the disk that it lives on. */
const SILENT_ABSENT = [1, 5, 6];

/**
 * What is found when a daemon begins, and as long as a part of it is not known to be ours. Something unfit to serve is there. Who says
 * nothing and fails has nothing here, unless it ran here a moment ago; a monitor and a failed stop ask for more as well.
 */
export function judgeFound<Found extends Verdict>(
  status: ResourceExit,
  verdict: Found,
  didRun: boolean,
): Found | 'stopped' | 'unknown' {
  if (verdict === 'stopped') return isUnfit(status) ? 'unknown' : 'stopped';
  const isSilent = status.output.trim() === '' && !status.timedOut && !status.missing;
  return isSilent && !didRun && SILENT_ABSENT.includes(status.code ?? -1) ? 'stopped' : verdict;
}

/** After a stop that failed, or at the last: nothing of it is left, so another node may start it. */
export function provesStopped(status: ResourceExit): boolean {
  return (
    judge('status', status) === 'stopped' && !isUnfit(status) && !(status.code === 1 && IS_ERROR.test(status.output))
  );
}

/** It does not serve, and yet something of it is there. */
function isUnfit(status: ResourceExit): boolean {
  return status.code === 1 && IS_UNFIT.test(status.output);
}

function judgeByCode(code: number): Verdict {
  if (code === 0) return 'running';
  return code === 3 || code === 7 ? 'stopped' : 'unknown';
}

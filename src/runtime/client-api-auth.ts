// Who may sign on to the client API. Heartbeat compares the claimed pid, uid and gid with the socket's credentials; Node has no
// SO_PEERCRED, so what is checked here is weaker in one point: that the claimed process exists and really has the
// claimed user and group, not that it is the one at the other end. A process that reaches the socket can hence sign on in the
// name of another process. Who reaches it is hence decided by the file modes (root and group haclient), and the
// group already may use the API. Because of it no signal that could harm is ever sent on a client's request.

import {readFileSync} from 'node:fs';
import type {ApiAuth} from '../model/config.js';

export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Accounts {
  readonly uidOf: (user: string) => number | undefined;
  readonly gidOf: (group: string) => number | undefined;
}

/** What 3.0.6 assumes where ha.cf has no apiauth line (resource-engine.md 6.1). There is no entry for other names. */
const defaults: readonly ApiAuth[] = [
  {client: 'ipfail', uids: ['hacluster'], gids: []},
  {client: 'ccm', uids: ['hacluster'], gids: []},
  {client: 'ping', uids: [], gids: ['haclient']},
  {client: 'lha-snmpagent', uids: ['root'], gids: []},
  {client: 'anon', uids: ['root'], gids: ['haclient']},
];

export interface Refusal {
  /** The words that 3.0.6 answers with. */
  readonly info: string;
  /** For the log: what exactly did not fit. */
  readonly detail: string;
}

/** `name` is undefined for a casual client. Returns why not; undefined: it may. */
export function refusal(
  name: string | undefined,
  claimed: Credentials,
  configured: readonly ApiAuth[],
  accounts: Accounts,
): Refusal | undefined {
  const found = processCredentials(claimed.pid);
  if (found === undefined) return {info: 'pid mismatch', detail: `there is no process ${claimed.pid}`};
  const {pid, uid, gid} = claimed;
  const lie = 'incorrect/false credentials';
  if (!found.uids.includes(uid)) return {info: lie, detail: `process ${pid} does not have uid ${uid}`};
  if (!found.gids.includes(gid)) return {info: lie, detail: `process ${pid} does not have gid ${gid}`};
  const wanted = name ?? 'anon';
  const rule = ruleOf(wanted, configured) ?? (name === undefined ? undefined : ruleOf('default', configured));
  if (rule === undefined) return {info: 'no default client auth', detail: `no apiauth entry for ${wanted}`};
  if (rule.uids.some((each) => (numberOf(each) ?? accounts.uidOf(each)) === uid)) return undefined;
  if (rule.gids.some((each) => (numberOf(each) ?? accounts.gidOf(each)) === gid)) return undefined;
  const detail = `apiauth does not allow ${wanted} with uid ${uid} and gid ${gid}`;
  return {info: 'client failed authorization', detail};
}

function ruleOf(client: string, configured: readonly ApiAuth[]): ApiAuth | undefined {
  return configured.find((each) => each.client === client) ?? defaults.find((each) => each.client === client);
}

function numberOf(word: string): number | undefined {
  return /^[0-9]+$/.test(word) ? Number(word) : undefined;
}

/** Real and effective ids; a set-gid program claims the effective one. */
function processCredentials(
  pid: number,
): {readonly uids: readonly number[]; readonly gids: readonly number[]} | undefined {
  const status = processStatus(pid);
  const ids = (word: string): readonly number[] =>
    (new RegExp(`^${word}:\\s+(\\d+)\\s+(\\d+)`, 'm').exec(status ?? '') ?? []).slice(1).map(Number);
  return status === undefined ? undefined : {uids: ids('Uid'), gids: ids('Gid')};
}

export function isAlive(pid: number): boolean {
  const status = processStatus(pid);
  return status !== undefined && !/^State:\s+[ZX]/m.test(status);
}

/** USR1 USR2 CHLD CONT URG WINCH IO: asked for by clients that want to be woken; the rest end or stop a process. */
const harmless = new Set([10, 12, 17, 18, 23, 28, 29]);

export function isHarmlessSignal(signal: number): boolean {
  return harmless.has(signal);
}

/** Sends it only to a process that catches it, so that nobody dies of a message. */
export function signalClient(pid: number, signal: number): void {
  const caught = /^SigCgt:\s+([0-9a-f]+)/m.exec(processStatus(pid) ?? '')?.[1];
  if (caught === undefined || ((BigInt(`0x${caught}`) >> BigInt(signal - 1)) & 1n) === 0n) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between.
  }
}

function processStatus(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return undefined;
  }
}

// Calls a resource agent the way a cluster manager does: argument words, then the action; PATH and what the test adds as
// the only environment; `/` as working directory; in a process group of its own. Reports what was seen, judges nothing.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import type {Sandbox} from './sandbox.js';

export const agentDir = fileURLToPath(new URL('../../../resource.d', import.meta.url));
export const isRoot = process.getuid?.() === 0;
export const systemPath = '/usr/sbin:/usr/bin:/sbin:/bin';

export interface Call {
  readonly agent: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly sandbox?: Sandbox | undefined;
  /** Kill the whole process group this long after the start. */
  readonly killAfterMs?: number;
}

export interface Outcome {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
  /** Something still held standard output or error open 300 ms after the agent had ended. */
  readonly outputHeld: boolean;
}

export async function runAgent(call: Call, action: string): Promise<Outcome> {
  const words = [...(call.sandbox?.prefix ?? []), `${agentDir}/${call.agent}`, ...call.args, action];
  const startedAt = performance.now();
  const child = spawn(words[0]!, words.slice(1), {
    cwd: '/',
    detached: true,
    env: {PATH: systemPath, ...call.env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes) => {
    stdout += bytes;
  });
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const closed = once(child, 'close').then(() => false);
  const killer = call.killAfterMs === undefined ? undefined : setTimeout(() => killGroup(child.pid!), call.killAfterMs);
  const [code] = (await once(child, 'exit')) as [number | null];
  const tookMs = performance.now() - startedAt;
  clearTimeout(killer);
  const outputHeld = await Promise.race([closed, delay(300)]);
  child.stdout.destroy();
  child.stderr.destroy();
  return {code: code ?? undefined, stdout, stderr, tookMs, outputHeld};
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It had just ended.
  }
}

function delay(ms: number): Promise<true> {
  return new Promise((resolve) => setTimeout(resolve, ms, true).unref());
}

/** The ownership test of Heartbeat's own ResourceManager (3.0.6, we_own_resource). */
export function heartbeatOwns(stdout: string): boolean {
  if (/[Nn][Oo][Tt] .*[Rr]unning/s.test(stdout)) return false;
  return /[Rr]unning|OK/.test(stdout);
}

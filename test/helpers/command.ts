// Runs a program of bin/ as a child process, the way scripts do, in directories of its own.

import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {fileURLToPath} from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

export interface Place {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  remove(): void;
}

/** Directories for one test: ha.d, run, lib, log below a fresh directory. */
export function place(): Place {
  const dir = mkdtempSync(`${tmpdir()}/systole-command-`);
  for (const name of ['ha.d', 'run', 'lib', 'log']) mkdirSync(`${dir}/${name}`);
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    HA_DIR: `${dir}/ha.d`,
    HA_RUNDIR: `${dir}/run`,
    HA_VARLIBDIR: `${dir}/lib`,
    HA_LOGDIR: `${dir}/log`,
    HA_CURHOST: 'n1',
    NO_COLOR: '1',
  };
  return {dir, env, remove: () => rmSync(dir, {recursive: true, force: true})};
}

export function runProgram(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input = '',
): Promise<Ended> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, {cwd: '/', env, timeout: 15_000, killSignal: 'SIGKILL'});
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (status) => resolve({status, stdout, stderr, tookMs: performance.now() - startedMs}));
  });
}

export function runBin(name: string, args: readonly string[], where: Place, input = ''): Promise<Ended> {
  return runProgram(`${root}/bin/${name}`, args, where.env, input);
}

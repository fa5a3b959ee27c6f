// What the lab asks of the host: where this checkout is, whether namespaces can be made, one-shot commands, and the
// removal of what a lab that was killed could not remove itself (only a directory: see machine.ts and disk.ts).

import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** The top directory of this checkout; this file runs as dist/src/lab/host.js. */
export const packageRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

const prefix = 'systole-lab-';

/** Why no lab can be made here; undefined: it can. */
export function labObstacle(programs: readonly string[] = []): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  for (const program of ['unshare', 'nsenter', 'ip', 'pivot_root', 'perl', ...programs])
    if (spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status !== 0)
      return `${program} is not installed`;
  // A bridge and a veth pair in a namespace of its own: what a container without rights, or a bare kernel, refuses.
  const trial =
    'mount -t tmpfs x /mnt && ip link add br0 type bridge && ip link add veth0 type veth peer name veth1 && mount -t sysfs x /mnt';
  const made = spawnSync('unshare', [
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--propagation',
    'private',
    'sh',
    '-c',
    trial,
  ]);
  return made.status === 0 ? undefined : `namespaces are refused: ${`${made.stderr}`.trim().split('\n')[0]}`;
}

/** A directory named after this process, so that a later run can tell that its owner is gone. */
export function makeLabDirectory(): string {
  removeStaleLabs();
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** A killed lab leaves a directory and nothing else; removes those whose process is gone. */
export function removeStaleLabs(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length).split('-')[0]);
    if (!(pid > 0) || isAlive(pid)) continue;
    rmSync(join(tmpdir(), name), {recursive: true, force: true});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program of the host, by default in our environment; rejects with its complaints on failure. */
export function host(
  program: string,
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = {...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {env});
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: exit ${code}\n${stderr}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

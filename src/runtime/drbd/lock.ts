// A lock that flock(1) holds, so that agents in other languages can wait for it too. It ends with this process, however that ends,
// and not with its terminal: the holder has a session of its own. Without flock or the directory there is none to hold.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {dirname} from 'node:path';
import type {DrbdTools} from './tools.js';

export interface Lock {
  /** False: another one has held it all the time. */
  readonly isHeld: boolean;
  release(): void;
}

export async function holdLock(tools: DrbdTools, path: string, waitS: number): Promise<Lock> {
  const flock = tools.find('flock');
  if (flock === undefined || !existsSync(dirname(path))) return {isHeld: true, release: () => {}};
  const holder = spawn(flock, ['-o', '-w', `${waitS}`, path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  holder.stdin.on('error', () => undefined);
  const isHeld = await Promise.race([
    once(holder.stdout, 'data').then(() => true),
    once(holder, 'exit').then(([code]) => code !== 1),
  ]).catch(() => true);
  return {isHeld, release: () => holder.stdin.end()};
}

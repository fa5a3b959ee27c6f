// Which blocks of a disk DRBD counts as changed, while its resource is down: `drbdadm apply-al` (what was being written when the
// resource went down counts as changed), then `drbdadm dump-md`, read as a stream because a large disk's text is larger than
// what is kept of other programs' output. Promises: a dump that ended early, or a tool that failed, is an error and never an
// empty list; the wait is bounded, whatever drbdadm has started.

import {type ChildProcessByStdio, spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {type Dump, DumpReader} from '../../drbd/dump-md.js';
import {signalGroup} from '../process-group.js';
import {type DrbdTools, reasonOf} from './tools.js';

const APPLY_MS = 60_000;
/** A dump of 16 TiB takes seconds; a program that does nothing for so long hangs. */
const DUMP_MS = 300_000;
const COMPLAINT_MAX = 400;

export class BlocksError extends Error {}

export async function changedBlocks(tools: DrbdTools, resource: string, dumpMs = DUMP_MS): Promise<Dump> {
  const applied = await tools.adm(['apply-al', resource], APPLY_MS);
  if (applied.code !== 0) throw new BlocksError(`drbdadm apply-al ${resource}: ${reasonOf(applied)}`);
  const path = tools.find('drbdadm');
  if (path === undefined) throw new BlocksError('drbdadm is not installed');
  // drbdadm starts drbdmeta, which would live on and hold the pipe: the whole group is ended.
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const child = spawn(path, ['dump-md', resource], {env: {...tools.env}, stdio: [...stdio], detached: true});
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(`no end within ${dumpMs / 1000} s`);
    }, dumpMs);
  });
  try {
    const reader = new DumpReader();
    const failure = await Promise.race([readDump(child, reader), deadline]);
    const dump = failure === '' ? reader.end() : failure;
    if (typeof dump === 'string') throw new BlocksError(`drbdadm dump-md ${resource}: ${dump}`);
    return dump;
  } finally {
    clearTimeout(timer);
  }
}

/** Empty: it ended well, and everything that it printed was read. */
async function readDump(child: ChildProcessByStdio<null, Readable, Readable>, reader: DumpReader): Promise<string> {
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk}`.slice(-COMPLAINT_MAX);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `exit ${code ?? signal}`));
  });
  for await (const line of createInterface({input: child.stdout})) reader.line(line);
  const failure = await ended;
  return failure === '' ? '' : `${failure}: ${complaint.replace(/\s+/g, ' ').trim()}`;
}

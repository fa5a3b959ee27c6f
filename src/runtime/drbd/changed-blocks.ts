// Which blocks of a disk DRBD counts as changed, while its resource is down: `drbdadm apply-al` (what was being written when the
// resource went down counts as changed), then `drbdadm dump-md`, read as a stream because a large disk's text is larger than
// what is kept of other programs' output. Promises: a dump that ended early, or a tool that failed, is an error and never an
// empty list.

import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {type Dump, DumpReader} from '../../drbd/dump-md.js';
import {type DrbdTools, reasonOf} from './tools.js';

const APPLY_MS = 60_000;
/** A dump of 16 TiB takes seconds; a program that does nothing for so long hangs. */
const DUMP_MS = 300_000;
const COMPLAINT_MAX = 400;

export class BlocksError extends Error {}

export async function changedBlocks(tools: DrbdTools, resource: string): Promise<Dump> {
  const applied = await tools.adm(['apply-al', resource], APPLY_MS);
  if (applied.code !== 0) throw new BlocksError(`drbdadm apply-al ${resource}: ${reasonOf(applied)}`);
  const path = tools.find('drbdadm');
  if (path === undefined) throw new BlocksError('drbdadm is not installed');
  const child = spawn(path, ['dump-md', resource], {env: {...tools.env}, stdio: ['ignore', 'pipe', 'pipe']});
  const timer = setTimeout(() => child.kill('SIGKILL'), DUMP_MS);
  const reader = new DumpReader();
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
  clearTimeout(timer);
  if (failure !== '')
    throw new BlocksError(`drbdadm dump-md ${resource}: ${failure}: ${complaint.replace(/\s+/g, ' ').trim()}`);
  const dump = reader.end();
  if (typeof dump === 'string') throw new BlocksError(`drbdadm dump-md ${resource}: ${dump}`);
  return dump;
}

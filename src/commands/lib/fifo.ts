// The control FIFO of a real heartbeat: a block of `name=value` lines becomes a cluster message. Never blocks: a FIFO that
// nobody reads is reported, and a missing one is never created as a regular file (Heartbeat's own programs did both).

import {closeSync, constants, fstatSync, openSync, writeSync} from 'node:fs';

export type FifoResult = 'written' | 'no-fifo' | 'no-reader' | 'denied' | 'full' | 'invalid';

const PIPE_BUF = 4096; // Larger writes are not atomic and could mix with another writer's.

export function writeFifo(fifo: string, fields: Readonly<Record<string, string>>): FifoResult {
  const block = formatBlock(fields);
  if (block === undefined) return 'invalid';
  let descriptor: number | undefined;
  try {
    descriptor = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    if (!fstatSync(descriptor).isFIFO()) return 'no-fifo';
    return writeSync(descriptor, block) === Buffer.byteLength(block) ? 'written' : 'full';
  } catch (error) {
    return explain((error as NodeJS.ErrnoException).code);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** undefined when a value would break the framing. */
export function formatBlock(fields: Readonly<Record<string, string>>): string | undefined {
  const lines = Object.entries(fields);
  if (lines.some(([name, value]) => !/^[\w-]+$/.test(name) || /[\n\0]/.test(value))) return undefined;
  const block = `>>>\n${lines.map(([name, value]) => `${name}=${value}\n`).join('')}<<<\n`;
  return Buffer.byteLength(block) <= PIPE_BUF ? block : undefined;
}

function explain(code: string | undefined): FifoResult {
  if (code === 'ENXIO') return 'no-reader';
  if (code === 'EACCES' || code === 'EPERM') return 'denied';
  return code === 'EAGAIN' ? 'full' : 'no-fifo';
}

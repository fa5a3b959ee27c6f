// The control FIFO HA_VARLIBDIR/fifo: scripts write classic blocks into it (wire-protocol.md 1.3), the daemon sends them to the
// cluster. Only root can write, so a block is trusted as far as its form goes. It promises to be read for ever (opened for
// writing as well, it never ends when a script closes it), in bounded memory, and never through a thread of the pool, which
// a blocking read would occupy until the next script comes.

import {execFileSync} from 'node:child_process';
import {chmodSync, closeSync, constants, fstatSync, lstatSync, openSync, renameSync} from 'node:fs';
import {Socket} from 'node:net';
import {type LogRecord, log} from '../model/log.js';
import type {Message} from '../model/message.js';
import {type BlockState, EMPTY_BLOCKS, FIFO_LIMITS, readBlocks} from '../wire/blocks.js';

/** A matter of a millisecond; on one slow processor, beside real-time processes that start, of more than five seconds. */
const MKFIFO_MS = 30_000;

export interface FifoOptions {
  readonly path: string;
  readonly onMessage: (message: Message) => void;
  readonly onLog: (record: LogRecord) => void;
}

export interface Fifo {
  close(): void;
}

/** Throws when the FIFO cannot be made: without it no script could reach the daemon. */
export function openFifo({path, onMessage, onLog}: FifoOptions): Fifo {
  prepare(path, onLog);
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  if (!fstatSync(descriptor).isFIFO()) {
    closeSync(descriptor);
    throw new Error(`${path} is not a FIFO`);
  }
  const socket = new Socket({fd: descriptor, readable: true, writable: false});
  let state: BlockState = EMPTY_BLOCKS;
  socket.on('data', (chunk: Buffer) => {
    const read = readBlocks(state, chunk, FIFO_LIMITS);
    state = read.state;
    for (const fault of read.faults)
      onLog(log('ERROR', 'FIFO_BAD_BLOCK', `NV failure (msgfromsteam): ${fault} in a message from the FIFO`, {fault}));
    for (const message of read.messages) onMessage(message);
  });
  socket.on('error', (error) => onLog(log('ERROR', 'FIFO_ERROR', `FIFO ${path}: ${error.message}`)));
  return {close: () => socket.destroy()};
}

function prepare(path: string, onLog: (record: LogRecord) => void): void {
  const found = lstatSync(path, {throwIfNoEntry: false});
  if (found?.isFIFO()) {
    // An existing one keeps its owner; nobody else may inject messages.
    if ((found.mode & 0o777) !== 0o600) chmodSync(path, 0o600);
    return;
  }
  if (found !== undefined) {
    const kept = `${path}.not-a-fifo`;
    renameSync(path, kept);
    onLog(log('WARN', 'FIFO_REPLACED', `${path} was not a FIFO: moved to ${kept}, made anew`));
  }
  execFileSync('mkfifo', ['-m', '600', path], {stdio: 'ignore', timeout: MKFIFO_MS});
}

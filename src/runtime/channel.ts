// The local channel between the manager and the messaging process: one JSON object per line over a connected socket
// pair. Both ends are ours, so a line that is not JSON, or is too long, is a mistake of ours and asserts. It assumes that the
// socket is already connected; it promises that messages arrive in order, that nothing is delivered after close, and
// that a peer that stops reading costs a bounded amount of memory: log lines are left out first, then the channel closes.

import assert from 'node:assert/strict';
import type {Duplex} from 'node:stream';

export const lineBytesMax = 4 * 1024 * 1024;
export const queueBytesMax = 16 * 1024 * 1024;
/** Above this the reader is slow, and log lines are worth less than what keeps the cluster together. */
const logQueueBytesMax = 1024 * 1024;

/** `ended` the peer closed or died; `overflow` it stopped reading; `closed` by ourselves. */
export type ChannelEnd = 'ended' | 'overflow' | 'closed';

export interface ChannelHandlers<In> {
  readonly onMessage: (message: In) => void;
  /** Called once. Nothing is delivered afterwards. */
  readonly onEnd: (end: ChannelEnd) => void;
}

export interface Channel<Out> {
  /** False: dropped, because the channel has ended or a log line met a slow reader. */
  send(message: Out): boolean;
  /** Flushes what was sent, then closes. */
  close(): void;
  readonly droppedLogs: number;
}

interface Typed {
  readonly type: string;
}

export function openChannel<Out extends Typed, In extends Typed>(
  socket: Duplex,
  handlers: ChannelHandlers<In>,
): Channel<Out> {
  const lines = new LineReader();
  let end: ChannelEnd | undefined;
  let droppedLogs = 0;
  const finish = (reason: ChannelEnd): void => {
    if (end !== undefined) return;
    end = reason;
    if (reason !== 'closed') socket.destroy();
    handlers.onEnd(reason);
  };
  socket.on('data', (chunk: Buffer) => {
    for (const line of lines.push(chunk)) {
      if (end !== undefined) return;
      handlers.onMessage(parseLine<In>(line));
    }
  });
  socket.on('end', () => finish('ended'));
  socket.on('close', () => finish('ended'));
  // A reset or a broken pipe says the same as an end: the other process is gone.
  socket.on('error', () => finish('ended'));
  return {
    send(message) {
      if (end !== undefined) return false;
      if (message.type === 'log' && socket.writableLength > logQueueBytesMax) {
        droppedLogs += 1;
        return false;
      }
      const line = Buffer.from(`${JSON.stringify(message)}\n`, 'utf8');
      assert(line.length <= lineBytesMax, `a channel line of type ${message.type} has ${line.length} bytes`);
      if (socket.writableLength + line.length > queueBytesMax) {
        finish('overflow');
        return false;
      }
      socket.write(line);
      return true;
    },
    close() {
      if (end !== undefined) return;
      socket.end();
      finish('closed');
    },
    get droppedLogs() {
      return droppedLogs;
    },
  };
}

function parseLine<In extends Typed>(line: string): In {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    assert.fail(`a channel line is not JSON: ${line.slice(0, 80)}`);
  }
  assert(
    typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string',
    `a channel line has no type: ${line.slice(0, 80)}`,
  );
  return value as In; // The other end is this same program, checked by its compiler.
}

/** Cuts a byte stream into lines. A line is decoded whole, so a character split over two chunks survives. */
class LineReader {
  private parts: Buffer[] = [];
  private heldBytes = 0;

  *push(chunk: Buffer): Generator<string> {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const line =
        this.parts.length === 0 ? chunk.subarray(from, at) : Buffer.concat([...this.parts, chunk.subarray(from, at)]);
      assert(line.length < lineBytesMax, 'a channel line is too long');
      this.parts = [];
      this.heldBytes = 0;
      from = at + 1;
      yield line.toString('utf8');
    }
    if (from === chunk.length) return;
    this.parts.push(chunk.subarray(from));
    this.heldBytes += chunk.length - from;
    assert(this.heldBytes < lineBytesMax, 'a channel line is too long');
  }
}

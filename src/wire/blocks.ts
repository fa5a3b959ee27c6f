// Classic blocks out of a byte stream: the control FIFO and serial lines. Assumes any bytes in any pieces; promises
// that the pieces do not matter, that noise costs at most the block it hits, and that memory is bounded by the limits.
// Signatures are not looked at: serial callers give each message to verifyClassic.

import type {Message} from '../model/message.js';
import type {WireFault} from '../model/messaging.js';
import {CLASSIC_END, CLASSIC_START, decodeClassic} from './classic.js';

/** The real daemon reads its FIFO in lines of at most 511 bytes; the rest of a longer one spoils the message. */
export const FIFO_LINE_BYTES_MAX = 511;
export const BLOCK_BYTES_MAX = 65_536;

export interface BlockLimits {
  readonly lineBytesMax: number;
  readonly blockBytesMax: number;
}
export const FIFO_LIMITS: BlockLimits = {lineBytesMax: FIFO_LINE_BYTES_MAX, blockBytesMax: BLOCK_BYTES_MAX};
/** A serial line carries whole packets, structs on one line among them. */
export const SERIAL_LIMITS: BlockLimits = {lineBytesMax: BLOCK_BYTES_MAX, blockBytesMax: BLOCK_BYTES_MAX};

/** Plain data; give each state back exactly once. */
export interface BlockState {
  /** The line so far, at most one byte above its limit. */
  readonly line: string;
  /** The lines of the open block; undefined: none is open, everything up to the next `>>>` is skipped. */
  readonly block: string | undefined;
}

export interface BlocksRead {
  readonly state: BlockState;
  readonly messages: readonly Message[];
  readonly faults: readonly WireFault[];
}

export const EMPTY_BLOCKS: BlockState = {line: '', block: undefined};

export function readBlocks(state: BlockState, chunk: Buffer, limits: BlockLimits = FIFO_LIMITS): BlocksRead {
  const reader = new Reader(state, limits);
  const text = chunk.toString('latin1');
  let at = 0;
  for (const {index, 0: end} of text.matchAll(/[\n\0]/g)) {
    reader.append(text.slice(at, index));
    reader.endLine(end === '\0');
    at = index + 1;
  }
  reader.append(text.slice(at));
  return {state: {line: reader.line, block: reader.block}, messages: reader.messages, faults: reader.faults};
}

/** The working copy of a state during one call. */
class Reader {
  line: string;
  block: string | undefined;
  readonly messages: Message[] = [];
  readonly faults: WireFault[] = [];

  constructor(
    state: BlockState,
    readonly limits: BlockLimits,
  ) {
    this.line = state.line;
    this.block = state.block;
  }

  /** One byte too many is kept as the sign that the line is too long; more would be memory for nothing. */
  append(piece: string): void {
    this.line += piece.slice(0, this.limits.lineBytesMax + 1 - this.line.length);
    if (this.line.length > this.limits.lineBytesMax) this.giveUp('too-long');
  }

  endLine(isNul: boolean): void {
    const line = this.line;
    this.line = '';
    if (line.length > this.limits.lineBytesMax) return;
    // A start inside an open block: the rest of the old one was lost. With an equals sign it is an odd field instead.
    if (line.startsWith('>>>') && !line.includes('=')) this.start();
    else if (this.block !== undefined && line !== '') this.add(line);
    if (isNul && this.block !== undefined) this.finish();
  }

  private start(): void {
    this.giveUp('no-end');
    this.block = CLASSIC_START;
  }

  private add(line: string): void {
    if (line === '<<<') this.finish();
    else if ((this.block?.length ?? 0) + line.length >= this.limits.blockBytesMax) this.giveUp('too-long');
    else this.block += `${line}\n`;
  }

  private finish(): void {
    const decoded = decodeClassic(Buffer.from(`${this.block}${CLASSIC_END}`, 'latin1'));
    this.block = undefined;
    if (decoded.ok) this.messages.push(decoded.message);
    else this.faults.push(decoded.fault);
  }

  private giveUp(fault: WireFault): void {
    if (this.block === undefined) return;
    this.block = undefined;
    this.faults.push(fault);
  }
}

// The present state of all resources without starting a process for each look: one `drbdsetup events2` that goes on running, its
// lines folded into a picture. Assumes that the stream may end at any time (module not loaded, resource layer restarted) and
// may lag behind the kernel: who must be certain reads again (DrbdTools.read). Promises: while the stream is not complete
// there is no picture, rather than an old one; it is begun again for ever, with pauses; close() leaves no process.

import {EMPTY_PICTURE, type Events2Picture, foldEvent, resourcesOf} from '../../drbd/events2.js';
import {helperCall} from '../../drbd/handler-env.js';
import type {ResourceState} from '../../drbd/state.js';
import {type EventStream, openEventStream} from './event-stream.js';
import type {DrbdTools} from './tools.js';

const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 30_000;
/** A stream that lived so long was a good one. */
const GOOD_MS = 10_000;

export interface WatchOptions {
  readonly tools: DrbdTools;
  /** The kernel calls a handler, e.g. `fence-peer`. */
  readonly onHelper: (resource: string, helper: string) => void;
  /** A resource, or its connection, is new or gone: what was read of its configuration is old. */
  readonly onConfigured: (resource: string) => void;
  /** It connects, or is connected when the stream begins. */
  readonly onConnected: (resource: string) => void;
}

export class DrbdWatch {
  readonly #options: WatchOptions;
  #picture: Events2Picture = EMPTY_PICTURE;
  #stream: EventStream | undefined;
  /** Without the program that sets a death signal: the stream before ended without a word with it. */
  #isPlain = false;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = PAUSE_MIN_MS;
  #waiting = new Set<() => void>();
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#begin();
  }

  /** undefined: not known at this moment; `down`: there is none of that name. */
  state(resource: string): ResourceState | 'down' | undefined {
    if (!this.#picture.isComplete) return undefined;
    return resourcesOf(this.#picture).find((each) => each.name === resource) ?? 'down';
  }

  /** Settles at the next change of anything, or when the time is over. */
  changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(over);
        resolve();
      };
      const timer = setTimeout(over, timeoutMs);
      this.#waiting.add(over);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stream?.close();
    for (const each of [...this.#waiting]) each();
  }

  #begin(): void {
    const startedMs = performance.now();
    let isSilent = true;
    const onLines = (lines: readonly string[]): void => {
      isSilent = false;
      for (const line of lines) this.#line(line);
    };
    const onEnd = (): void => {
      if (isSilent) this.#isPlain = !this.#isPlain;
      this.#ended(performance.now() - startedMs);
    };
    this.#stream = openEventStream(this.#options.tools, {onLines, onEnd}, this.#isPlain);
    if (this.#stream === undefined) this.#ended(0);
  }

  #ended(livedMs: number): void {
    this.#picture = EMPTY_PICTURE;
    if (this.#isClosed) return;
    this.#pauseMs = livedMs > GOOD_MS ? PAUSE_MIN_MS : Math.min(this.#pauseMs * 2, PAUSE_MAX_MS);
    this.#timer = setTimeout(() => this.#begin(), this.#pauseMs);
  }

  #line(line: string): void {
    if (this.#isClosed) return;
    const isLive = this.#picture.isComplete;
    this.#picture = foldEvent(this.#picture, line);
    if (!this.#picture.isComplete) return;
    for (const each of [...this.#waiting]) each();
    const call = helperCall(line);
    if (call) this.#options.onHelper(call.resource, call.helper);
    const name = /\bname:(\S+)/.exec(line)?.[1];
    if (!isLive) for (const each of resourcesOf(this.#picture)) this.#found(each);
    else if (name !== undefined && /\b(create|destroy) (resource|connection|device) /.test(line))
      this.#options.onConfigured(name);
    if (isLive && name !== undefined && /\bchange connection .*\bconnection:Connected\b/.test(line))
      this.#options.onConnected(name);
  }

  /** When the stream begins. What is connected may have been so for long, or have come back while no stream told it. */
  #found({name, peers}: ResourceState): void {
    this.#options.onConfigured(name);
    if (peers.some((peer) => peer.connection === 'Connected')) this.#options.onConnected(name);
  }
}

// What is configured for each resource, read again when DRBD says that something was configured: the settings in force
// (`drbdsetup show`) and the fence-peer handler (`drbdadm dump`). Reading takes several processes, so it is done ahead of the
// moment in which it is needed, and not at the moment of a change, which may be an outdating that wants the processor for itself.
// Promises: one reading at a time; what cannot be read is absent, never guessed. What is known of a resource that was changed a
// moment ago may be old; who uses it looks afterwards at what came of it.

import {type FenceHandler, fenceHandlers} from '../../drbd/handler-env.js';
import {type DrbdSettings, type ShowBlock, settingsOf} from '../../drbd/show.js';
import type {DrbdTools} from './tools.js';

/** Changes come in bursts. */
const CALM_MS = 1500;

export class DrbdConfigured {
  readonly #tools: DrbdTools;
  readonly #node: string;
  readonly #onRead: () => void;
  readonly #shows = new Map<string, ShowBlock>();
  readonly #due = new Set<string>();
  #handlers: Readonly<Record<string, FenceHandler>> = {};
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isClosed = false;

  constructor(tools: DrbdTools, node: string, onRead: () => void) {
    this.#tools = tools;
    this.#node = node;
    this.#onRead = onRead;
  }

  show(resource: string): ShowBlock | undefined {
    return this.#shows.get(resource);
  }

  handler(resource: string): FenceHandler | undefined {
    return Object.hasOwn(this.#handlers, resource) ? this.#handlers[resource] : undefined;
  }

  settings(): readonly {readonly resource: string; readonly settings: DrbdSettings}[] {
    return [...this.#shows].map(([resource, show]) => ({resource, settings: settingsOf(show)}));
  }

  changed(resource: string): void {
    this.#due.add(resource);
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#read(), this.#shows.has(resource) ? CALM_MS : 0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#due.size > 0 && !this.#isClosed) {
      const names = [...this.#due];
      this.#due.clear();
      for (const name of names) {
        const show = await this.#tools.show(name);
        if (show === undefined) this.#shows.delete(name);
        else this.#shows.set(name, show);
      }
      const dump = await this.#tools.configuration();
      this.#handlers = dump === undefined ? {} : fenceHandlers(dump, this.#node);
      this.#onRead();
    }
    this.#isReading = false;
  }
}

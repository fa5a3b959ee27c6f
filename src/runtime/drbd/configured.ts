// What is configured for each resource, read again when DRBD says that something was configured: the settings in force
// (`drbdsetup show`) and the fence-peer handler (`drbdadm dump`). Reading takes several processes, so it is done ahead of the
// moment in which it is needed. Promises: one reading at a time; what cannot be read is absent, never guessed.

import {type FenceHandler, fenceHandlers} from '../../drbd/handler-env.js';
import {type DrbdSettings, type ShowBlock, settingsOf} from '../../drbd/show.js';
import type {DrbdTools} from './tools.js';

export class DrbdConfigured {
  readonly #tools: DrbdTools;
  readonly #node: string;
  readonly #onRead: () => void;
  readonly #shows = new Map<string, ShowBlock>();
  readonly #due = new Set<string>();
  #handlers: Readonly<Record<string, FenceHandler>> = {};
  #isReading = false;

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
    this.#shows.delete(resource);
    this.#due.add(resource);
    if (!this.#isReading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#due.size > 0) {
      const names = [...this.#due];
      this.#due.clear();
      for (const name of names) {
        const show = await this.#tools.show(name);
        // A change during the reading makes it worthless.
        if (show !== undefined && !this.#due.has(name)) this.#shows.set(name, show);
      }
      const dump = await this.#tools.configuration();
      this.#handlers = dump === undefined ? {} : fenceHandlers(dump, this.#node);
      this.#onRead();
    }
    this.#isReading = false;
  }
}

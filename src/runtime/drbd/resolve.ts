// Carries out src/drbd/resolve-plan.ts on the node whose changes go. Each turn looks at DRBD anew, does one step, and notes it in the
// journal when it is done; so being killed anywhere costs at most that step. Promises: no block is overwritten before the
// backup that was asked for is synced to its disk; every wait is bounded; a step that fails ends the run with what to do.

import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {progressText} from '../../drbd/describe.js';
import type {Journal} from '../../drbd/resolve-journal.js';
import {
  isUntouched,
  type Next,
  nextResolveStep,
  type ResolveSight,
  type Step,
  sightOf,
} from '../../drbd/resolve-plan.js';
import type {ResourceState} from '../../drbd/state.js';
import {whyUnusable} from './manifest.js';
import {progressOf} from './report.js';
import {writeJournal} from './resolve-journal.js';
import {type SaveOptions, saveAround, saveBefore} from './resolve-save.js';
import {reasonOf, type ToolExit} from './tools.js';
import {connectWishPath} from './view-here.js';

export interface ResolveOptions extends SaveOptions {
  /** How long the other node is waited for. */
  readonly waitMs: number;
  readonly pollMs?: number;
  readonly procDrbd?: string;
}

export type ResolveOutcome =
  | {readonly ended: 'done'; readonly journal: Journal}
  | {readonly ended: 'stopped'; readonly why: string; readonly todo: string}
  /** The other node did not come, or the synchronisation is not over; the run can go on later. */
  | {readonly ended: 'waited'; readonly why: string};

export class ResolveError extends Error {
  constructor(
    message: string,
    readonly todo: string,
  ) {
    super(message);
  }
}

const TOOL_MS = 60_000;
const NOT_CONNECTED = /\(162\)|unknown connection/;
/** So long nobody is told to type anything: dopd on the other node connects by itself. */
const HINT_MS = 8000;

export async function runResolve(begun: Journal, options: ResolveOptions): Promise<ResolveOutcome> {
  let journal = begun;
  const run = new ResolveRun(options, begun.resource);
  try {
    for (;;) {
      const state = await run.look();
      const next = nextResolveStep(journal.done, journal.backup, sightOf(state));
      if (next.do === 'stop') return {ended: 'stopped', why: next.why, todo: next.todo};
      if (next.do === 'finish') return {ended: 'done', journal};
      const late = run.isLate(next, state);
      if (late !== undefined) return {ended: 'waited', why: late};
      const step = await run.perform(next, journal, state);
      if (step === undefined || journal.done.includes(step)) continue;
      journal = {...journal, done: [...journal.done, step]};
      writeJournal(options.places, journal);
    }
  } finally {
    rmSync(connectWishPath(options.places, begun.resource), {force: true});
  }
}

class ResolveRun {
  #waitedMs = performance.now();
  #lastSeen = '';
  #hasHinted = false;
  #hasMet = false;
  #hasSaidUnsaved = false;
  /** When this run met the other node, no synchronisation had begun. */
  #wasWhole = false;

  constructor(
    private readonly options: ResolveOptions,
    private readonly resource: string,
  ) {}

  async look(): Promise<ResourceState | undefined> {
    const sight = await this.options.tools.read(this.resource);
    if (sight.found === 'nothing') throw new ResolveError(`the state cannot be read: ${sight.why}`, this.again());
    return sight.found === 'up' ? sight.state : undefined;
  }

  /** The time runs anew whenever something has changed: a long synchronisation is no standstill. */
  isLate(next: Next, state: ResourceState | undefined): string | undefined {
    const sight = sightOf(state);
    const left = state?.peers[0]?.volumes.map(({outOfSyncKib}) => outOfSyncKib);
    const seen = JSON.stringify([next.do, sight.connection, sight.replications, left]);
    if (seen !== this.#lastSeen) {
      this.#lastSeen = seen;
      this.#waitedMs = performance.now();
    }
    if (performance.now() - this.#waitedMs < this.options.waitMs) return undefined;
    return sight.connection === 'Connected' ? 'the synchronisation does not go on' : 'the other node does not connect';
  }

  async perform(next: Next, journal: Journal, state: ResourceState | undefined): Promise<Step | undefined> {
    const {tools, say} = this.options;
    const sight = sightOf(state);
    switch (next.do) {
      case 'outdate':
        say(`marking ${this.resource} here as Outdated: nobody can promote it any more`);
        await this.must(['outdate', this.resource]);
        await this.mustBeOutdated(journal);
        return 'outdated';
      case 'save':
        if (sight.connection === 'Connected') await this.must(['disconnect', this.resource], NOT_CONNECTED);
        await this.down();
        await this.save(journal);
        return 'saved';
      case 'save-around':
        await this.saveAround(journal, state);
        return 'around';
      case 'meet':
        await this.meet(sight, journal);
        return undefined;
      case 'release':
        say('the synchronisation begins');
        await this.must(['resume-sync', this.resource], /\(135\)|not set/i);
        return 'released';
      case 'bring-up':
        await this.bringUp();
        return undefined;
      case 'follow':
        await this.follow(journal, state, sight);
        return undefined;
      default:
        await tools.read(this.resource);
        return undefined;
    }
  }

  /** Believed only when it has been read back. */
  private async mustBeOutdated({ours}: Journal): Promise<void> {
    const state = await this.look();
    const disks = state ? state.volumes.map(({disk}) => disk) : await this.options.tools.readMetadata(this.resource);
    const isAll = disks.length > 0 && disks.length === ours.volumes.length;
    if (isAll && disks.every((disk) => disk === 'Outdated' || disk === 'Inconsistent')) return;
    const what = isAll ? disks.join(' ') : `not known of each volume (${disks.join(' ')})`;
    throw new ResolveError(`drbdadm outdate ended without an error, but the disk is ${what}`, this.again());
  }

  private async down(): Promise<void> {
    const {tools} = this.options;
    await this.must(['down', this.resource]);
    const sight = await tools.read(this.resource);
    if (sight.found !== 'down') throw new ResolveError(`${this.resource} is not down after drbdadm down`, this.again());
  }

  private async save(journal: Journal): Promise<void> {
    const disks = await this.options.tools.readMetadata(this.resource);
    const isWhole = disks.length === journal.ours.volumes.length && !disks.includes('Inconsistent');
    try {
      await saveBefore(journal, isWhole, this.options);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ResolveError(why, `${this.again()}. --backup DIRECTORY names another place, --no-backup does without`);
    }
  }

  /**
   * Paused and merged: the bitmap now has the other node's changes too. What was changed here is safe already, so a failure
   * costs exactness and does not end the run.
   */
  private async saveAround(journal: Journal, paused: ResourceState | undefined): Promise<void> {
    const isExact = await this.part(paused);
    await this.down();
    try {
      await saveAround(journal, isExact, this.options);
    } catch (error) {
      const lost = whyUnusable(journal.directory as string);
      if (lost !== undefined) throw new ResolveError(`the backup cannot be used any more: ${lost}`, this.again());
      const why = error instanceof Error ? error.message : String(error);
      this.options.say(
        `not saved: what only the other node changed, as it was here (${why}). What was changed here is.`,
      );
    }
  }

  /**
   * Paused, 8.4 writes here what the other node's Primary writes (from the end of the bitmaps' exchange on), and may count such a
   * block as in step. The counters run since the minor was made; looked at once more when nothing can come any more. False: a
   * block was written, or nobody knows.
   */
  private async part(paused: ResourceState | undefined): Promise<boolean> {
    await this.must(['disconnect', this.resource], NOT_CONNECTED);
    const parted = await this.look();
    return this.#wasWhole && isUntouched(paused) && isUntouched(parted);
  }

  /** Another program may have been faster. */
  private async bringUp(): Promise<void> {
    this.options.say(`drbdadm up ${this.resource}: the synchronisation begins`);
    const exit = await this.options.tools.admAlone('up', this.resource, TOOL_MS);
    if (exit.code !== 0 && (await this.look()) === undefined)
      throw new ResolveError(`drbdadm up ${this.resource}: ${reasonOf(exit)}`, this.again());
    this.wish();
  }

  private async meet(sight: ResolveSight, {ours}: Journal): Promise<void> {
    const {say} = this.options;
    if (this.#hasMet && sight.connection === 'StandAlone')
      throw new ResolveError(
        'DRBD dropped the connection again',
        `see the kernel log on both nodes; on the other node the resource must not be discarding too (systole drbd status ${this.resource} there)`,
      );
    if (sight.connection !== 'StandAlone' && this.#hasMet) return this.wait();
    say('meeting the other node, with the synchronisation paused');
    const disks = sight.isUp ? sight.disks : await this.options.tools.readMetadata(this.resource);
    this.#wasWhole =
      disks.length > 0 && disks.length === ours.volumes.length && disks.every((disk) => disk === 'Outdated');
    if (!sight.isUp) await this.attach();
    else if (sight.connection !== 'StandAlone') await this.must(['disconnect', this.resource], NOT_CONNECTED);
    await this.must(['pause-sync', this.resource], /\(134\)|already set/);
    await this.must(['connect', '--discard-my-data', this.resource], /\(102\)|already in use/);
    this.#hasMet = true;
    this.wish();
    await this.wait();
  }

  /** `drbdadm up` would connect at once, without the pause; 9 needs it, and drops the connection of a split brain by itself. */
  private async attach(): Promise<void> {
    if (isNine(this.options.procDrbd ?? '/proc/drbd')) {
      await this.must(['up', this.resource]);
      await this.must(['disconnect', this.resource]);
    } else for (const word of ['new-resource', 'new-minor', 'attach']) await this.must([word, this.resource]);
  }

  private async follow(journal: Journal, state: ResourceState | undefined, sight: ResolveSight): Promise<void> {
    if (journal.backup !== 'none' && !journal.done.includes('saved')) this.sayUnsaved();
    const volume = state?.peers.flatMap((peer) => peer.volumes).find((each) => each.donePercent !== undefined);
    if (volume) this.options.progress(progressText(progressOf(state, this.options.procDrbd), volume.donePercent));
    await this.wait(sight.connection !== 'Connected');
  }

  /** Nobody but the administrator may stop what he has begun. */
  private sayUnsaved(): void {
    if (this.#hasSaidUnsaved) return;
    this.#hasSaidUnsaved = true;
    this.options.say(
      `the synchronisation has begun, and the backup is not made. To save what is left: drbdadm disconnect ${this.resource}, then the same command`,
    );
  }

  private async wait(isAlone = true): Promise<void> {
    if (isAlone && !this.#hasHinted && performance.now() - this.#waitedMs > HINT_MS) {
      this.#hasHinted = true;
      this.options.say(`waiting for the other node. If it does not come, type there: drbdadm connect ${this.resource}`);
    }
    await new Promise((resolve) => setTimeout(resolve, this.options.pollMs ?? 300));
  }

  /** dopd here passes it on; on the other node the connection stands alone. */
  private wish(): void {
    const {places, say} = this.options;
    // Without the run directory there is no dopd that could read it.
    if (!existsSync(places.runDir)) return;
    const path = connectWishPath(places, this.resource);
    try {
      mkdirSync(dirname(path), {recursive: true});
      writeFileSync(path, '');
    } catch (error) {
      say(
        `dopd cannot be asked to connect the other node (${String(error)}): type there: drbdadm connect ${this.resource}`,
      );
    }
  }

  private async must(words: readonly string[], fine?: RegExp): Promise<ToolExit> {
    const exit = await this.options.tools.adm(words, TOOL_MS);
    if (exit.code === 0 || fine?.test(exit.output)) return exit;
    throw new ResolveError(`drbdadm ${words.join(' ')}: ${reasonOf(exit)}`, this.again());
  }

  private again(): string {
    return 'repair the cause, then run the same command again: it goes on where it stopped';
  }
}

function isNine(path: string): boolean {
  try {
    return /^version: 9/m.test(readFileSync(path, 'latin1'));
  } catch {
    return false;
  }
}

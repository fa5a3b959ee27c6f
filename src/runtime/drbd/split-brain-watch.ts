// Runs inside dopd, on both nodes: notes when each resource was Primary, wrote and lost its peer; and when a resource has no
// connection, exchanges views with the other node's watch over the heartbeat links, so that a split brain is logged and shown
// on both with who has what, and a copy that the other node went on without is Outdated, though nobody was here to be asked
// for it. Reading costs one file every two seconds with 8.4; tools run only when something is not connected. Promises:
// nothing is ever discarded or connected by itself, but for one wish of `systole drbd resolve` on the node whose changes go;
// what was found of a split brain is over only when that is proven; a tool that hangs delays only this watch; no DRBD, no work.

import {existsSync, rmSync} from 'node:fs';
import {type DiskSight, foldSight} from '../../drbd/disk-times.js';
import type {Relation} from '../../drbd/generation.js';
import {parseProcDrbd} from '../../drbd/proc-drbd.js';
import {findingKey, judgeViews, logLine, relationOf, standsBack} from '../../drbd/split-brain.js';
import {hasMet} from '../../drbd/state.js';
import {connectMessage, readConnectMessage, readViewMessage, type View, viewMessage} from '../../drbd/view.js';
import type {Message} from '../../model/message.js';
import {dropJournal, readJournal} from './resolve-journal.js';
import {type DrbdTools, reasonOf} from './tools.js';
import {forgetUnproven} from './unproven.js';
import {
  connectWishPath,
  type DrbdPlaces,
  journalPath,
  type KeptFinding,
  keepFinding,
  readFinding,
  timesPath,
  viewHere,
  writeJson,
} from './view-here.js';
import {beginKnown, freshOf, type Heard, type Known} from './watch-known.js';
import {ageMs, readText, sightOf, sightsIn} from './watch-sights.js';

const POLL_MS = 2000;
const ASK_MS = 20_000;
/** DRBD 9 has no file to read, so its tools are asked less often. */
const TOOLS_MS = 10_000;
const NAMES_MS = 30_000;
/** A resource that stands alone is called unknown only when the other node has had time to answer. */
const PATIENCE_MS = 30_000;
const WISH_MS = 900_000;
const CONNECT_MS = 20_000;
const OUTDATE_MS = 10_000;
/** A finding that did not change is written again at most this often: each time waits for the disk. */
const KEEP_MS = 15_000;
const WAITING_MAX = 16;

export interface WatchOptions {
  readonly tools: DrbdTools;
  readonly node: string;
  readonly places: DrbdPlaces;
  readonly send: (message: Message) => void;
  readonly log: (level: 'info' | 'WARN' | 'ERROR', text: string) => void;
  readonly procDrbd?: string;
  readonly pollMs?: number;
}

export class SplitBrainWatch {
  readonly #options: WatchOptions;
  readonly #known = new Map<string, Known>();
  #names: {readonly key: string; readonly byMinor: ReadonlyMap<number, string>; readonly readMs: number} | undefined;
  #configured: readonly string[] = [];
  #toolsMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isOver = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#do(() => this.#look());
  }

  /** Settles when nothing is under way any more. */
  stop(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    return this.#work;
  }

  /** true: the message was for the watch. */
  received(message: Message): boolean {
    const view = readViewMessage(message);
    if (view) {
      const heard = {isAsked: view.isAsked, view: view.view, heardMs: performance.now()};
      if (view.from !== this.#options.node) this.#answer(() => this.#heard(view.resource, heard));
      return true;
    }
    const wish = readConnectMessage(message);
    if (wish && wish.from !== this.#options.node) this.#answer(() => this.#connect(wish.from, wish.resource));
    return wish !== undefined;
  }

  /** A bound on what waits: a peer that floods us gets no answer, but our own looks go on. */
  #answer(task: () => Promise<void>): void {
    if (this.#waiting <= WAITING_MAX) this.#do(task);
  }

  /** One thing at a time. */
  #do(task: () => Promise<void>): void {
    if (this.#isOver) return;
    this.#waiting += 1;
    this.#work = this.#work
      .then(async () => {
        if (!this.#isOver) await task();
      })
      .catch((error: unknown) => this.#options.log('WARN', `watching for split brain: ${String(error)}`))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #look(): Promise<void> {
    try {
      for (const [resource, sight] of await this.#sights()) await this.#saw(resource, sight);
    } finally {
      if (!this.#isOver) this.#timer = setTimeout(() => this.#do(() => this.#look()), this.#options.pollMs ?? POLL_MS);
    }
  }

  async #sights(): Promise<ReadonlyMap<string, DiskSight>> {
    const text = readText(this.#options.procDrbd ?? '/proc/drbd');
    const proc = text === undefined ? undefined : parseProcDrbd(text);
    if (text === undefined || proc === undefined) return new Map();
    if (!proc.version.startsWith('8.')) return this.#sightsByTools();
    return sightsIn(proc, text, await this.#namesOf(proc.minors.map((each) => each.minor)));
  }

  async #sightsByTools(): Promise<ReadonlyMap<string, DiskSight>> {
    if (performance.now() - this.#toolsMs < TOOLS_MS) return new Map();
    const found = new Map<string, DiskSight>();
    for (const resource of await this.#resources()) {
      const sight = await this.#options.tools.read(resource);
      if (sight.found === 'up') found.set(resource, sightOf(sight.state));
    }
    this.#toolsMs = performance.now();
    return found;
  }

  /** Read again when other minors appear, or when a name may have been given to another one. */
  async #namesOf(minors: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const key = minors.join(' ');
    const isFresh = this.#names?.key === key && performance.now() - this.#names.readMs < NAMES_MS;
    if (this.#names && (isFresh || minors.length === 0)) return this.#names.byMinor;
    const byMinor = new Map<number, string>();
    for (const resource of await this.#resources()) {
      const sight = await this.#options.tools.read(resource);
      if (sight.found !== 'up') continue;
      for (const {minor} of sight.state.volumes) if (minor !== undefined) byMinor.set(minor, resource);
    }
    // What could not be named is asked for again soon; what was is not, as long as the minors stay.
    const isWhole = minors.every((minor) => byMinor.has(minor));
    this.#names = {key, byMinor, readMs: isWhole ? Number.POSITIVE_INFINITY : performance.now()};
    return byMinor;
  }

  async #resources(): Promise<readonly string[]> {
    this.#configured = await this.#options.tools.resources();
    return this.#configured;
  }

  async #saw(resource: string, sight: DiskSight): Promise<void> {
    const known = this.#of(resource);
    const nowMs = Date.now();
    // Which copy may serve hangs on who was Primary last: the other node, and the disk, must know it at once.
    const {last} = known.history;
    if (last !== undefined && last.isPrimary !== sight.isPrimary) known.askedMs = Number.NEGATIVE_INFINITY;
    known.history = foldSight(known.history, sight, nowMs);
    // A write every second must not write a file every second.
    if (known.history.isWorthKeeping || nowMs - known.keptMs > 60_000) this.#keepTimes(resource, known, nowMs);
    if (sight.isPrimary || sight.isConnected) known.idleSinceMs = undefined;
    this.#followWish(resource, sight.isConnected);
    if (sight.isConnected) {
      known.aloneSinceMs = undefined;
      known.theirs = undefined;
      known.relation = 'unknown';
      await this.#dropOldRun(resource);
      this.#found(resource, known, undefined);
      return;
    }
    known.aloneSinceMs ??= performance.now();
    if (performance.now() - known.askedMs < ASK_MS) return;
    known.askedMs = performance.now();
    await this.#examine(resource, true);
  }

  /** A run of `systole drbd resolve` that DRBD brought to its end while nobody looked: the next split brain is another one. */
  async #dropOldRun(resource: string): Promise<void> {
    const {tools, node, places, log} = this.#options;
    if (!existsSync(journalPath(places, resource))) return;
    const looked = await viewHere(tools, node, resource, places);
    if (!('view' in looked) || looked.view.isDiscarding) return;
    const journal = readJournal(places, resource);
    dropJournal(places, resource);
    const backup = typeof journal === 'object' ? journal.directory : undefined;
    const place = backup === undefined ? '' : `; its backup is in ${backup}`;
    log('info', `${resource}: the run of systole drbd resolve that was begun here is over${place}`);
  }

  async #heard(resource: string, heard: Heard): Promise<void> {
    if (!(await this.#isOurs(resource))) return;
    await this.#examine(resource, false, heard);
  }

  async #isOurs(resource: string): Promise<boolean> {
    return this.#configured.includes(resource) || (await this.#resources()).includes(resource);
  }

  async #examine(
    resource: string,
    isAsking: boolean,
    heard: Heard = {isAsked: false, view: undefined, heardMs: 0},
  ): Promise<void> {
    const {node, places, send} = this.#options;
    const known = this.#of(resource);
    // Nobody waits for our own question; what the other node says may change what this copy counts for.
    const tools = isAsking ? this.#options.tools.inBackground() : this.#options.tools;
    const looked = await viewHere(tools, node, resource, places, known.history.times);
    if (!('view' in looked)) return;
    const marks = JSON.stringify(looked.view.volumes.map(({generation}) => generation));
    const isNew = known.marks !== '' && known.marks !== marks;
    known.marks = marks;
    if (isNew) known.theirs = undefined;
    if (heard.view) known.theirs = {view: heard.view, heardMs: heard.heardMs};
    known.idleSinceMs = looked.view.role === 'Primary' ? undefined : (known.idleSinceMs ?? performance.now());
    const mustAsk = isAsking || (isNew && known.theirs === undefined && looked.view.connection !== 'Connected');
    if (mustAsk || heard.isAsked) send(viewMessage(undefined, looked.view, mustAsk));
    const theirs = freshOf(known);
    known.relation = theirs === undefined ? 'unknown' : relationOf(looked.view, theirs);
    // Somebody is at it: what is seen meanwhile is on its way.
    if (looked.view.isDiscarding) return;
    this.#found(resource, known, looked.view);
    if (theirs !== undefined) await this.#judgeCopy(resource, known.relation, looked.view, theirs);
  }

  /** The other node has, or lacks, nothing or something that is here: its identifiers prove it, and nobody needs to ask. */
  async #judgeCopy(resource: string, relation: Relation, ours: View, theirs: View): Promise<void> {
    const {tools, places, log} = this.#options;
    if (relation === 'same' || relation === 'ours-newer') forgetUnproven(places, resource);
    const isOld = relation === 'theirs-newer' && ours.role === 'Secondary' && ours.connection !== 'Connected';
    if (!isOld || theirs.volumes.some(({disk}) => disk !== 'UpToDate')) return;
    if (!ours.volumes.some(({disk}) => disk === 'UpToDate' || disk === 'Consistent')) return;
    // Who does not want old copies to be marked has said so there.
    if ((await tools.settings(resource)).fencing === 'dont-care') return;
    const exit = await tools.adm(['outdate', resource], OUTDATE_MS);
    const sight = await tools.read(resource);
    if (sight.found !== 'up' || hasMet(sight.state)) return;
    const isDone = sight.state.volumes.every(({disk}) => disk !== 'UpToDate' && disk !== 'Consistent');
    const what = `${resource}: the other node went on without this copy while nobody here could be told: it is`;
    if (isDone) log('WARN', `${what} marked Outdated now`);
    else log('ERROR', `${what} old, and cannot be marked so: ${reasonOf(exit)}`);
  }

  /** This copy has writes that the other node's lacks, as of the last exchange. */
  isNewerHere(resource: string): boolean {
    const known = this.#known.get(resource);
    return known !== undefined && freshOf(known) !== undefined && known.relation === 'ours-newer';
  }

  #found(resource: string, known: Known, ours: View | undefined): void {
    const theirs = freshOf(known);
    const finding = ours === undefined ? ({kind: 'none'} as const) : judgeViews(ours, theirs);
    const wasSplit = known.split !== undefined;
    // Not over because the other node is silent, nor because a tool failed: what was written there is still not here.
    if (known.split !== undefined && ours !== undefined && finding.kind !== 'split-brain') {
      const relation = relationOf(ours, theirs ?? known.split);
      if (relation === 'split-brain' || relation === 'unknown') return this.#servesAlone(resource, known, ours);
    }
    known.split = finding.kind === 'split-brain' ? finding.theirs : undefined;
    const isHeardSince = (known.theirs?.heardMs ?? 0) > (known.idleSinceMs ?? Number.POSITIVE_INFINITY);
    const wasHeldBack = known.isHeldBack;
    known.isHeldBack = finding.kind === 'split-brain' && standsBack(finding, wasHeldBack, isHeardSince);
    // Somebody has decided for this copy: only what is heard from now on can speak against it.
    if (wasHeldBack && !known.isHeldBack) known.theirs = undefined;
    const {places, log} = this.#options;
    const key = findingKey(finding);
    const isEarly = performance.now() - (known.aloneSinceMs ?? performance.now()) < PATIENCE_MS;
    if (finding.kind === 'unknown' && isEarly) return;
    if (finding.kind === 'none' && known.foundKey === 'none') return;
    if (key !== known.foundKey) known.foundMs = Date.now();
    const roles = `${ours?.role} ${'theirs' in finding ? finding.theirs?.role : ''} ${known.isHeldBack}`;
    const isNew = key !== known.foundKey || roles !== known.keptRoles;
    const isDue = isNew || performance.now() - known.findingKeptMs > KEEP_MS;
    if (finding.kind === 'none') keepFinding(places, resource, undefined);
    else if (isDue) {
      known.findingKeptMs = performance.now();
      known.keptRoles = roles;
      const theirView = 'theirs' in finding ? finding.theirs : undefined;
      const kept = {sinceMs: known.foundMs, seenMs: Date.now(), kind: finding.kind, ours: finding.ours};
      this.#keepFinding(resource, {...kept, theirs: theirView, isHeldBack: known.isHeldBack});
    }
    if (key === known.foundKey) return;
    known.foundKey = key;
    if (finding.kind === 'none' && wasSplit) log('info', `${resource}: the split brain is over`);
    else if (finding.kind !== 'none') log(finding.kind === 'alone' ? 'WARN' : 'ERROR', logLine(finding));
  }

  /** The other node of a split brain is silent, and somebody has made this copy Primary: it is not held back any more. */
  #servesAlone(resource: string, known: Known, ours: View): void {
    if (ours.role !== 'Primary') return;
    known.isHeldBack = false;
    const kept = readFinding(this.#options.places, resource);
    if (kept?.kind !== 'split-brain' || (kept.ours.role === 'Primary' && kept.isHeldBack !== true)) return;
    this.#keepFinding(resource, {...kept, ours, isHeldBack: false});
  }

  /** A full disk must not keep it from being said. */
  #keepFinding(resource: string, kept: KeptFinding): void {
    const {places, log} = this.#options;
    try {
      keepFinding(places, resource, kept);
    } catch (error) {
      log('WARN', `${resource}: what was found cannot be kept over a reboot: ${String(error)}`);
    }
  }

  /** `systole drbd resolve` here waits for the other node, whose connection stands alone. */
  #followWish(resource: string, isConnected: boolean): void {
    const path = connectWishPath(this.#options.places, resource);
    const age = ageMs(path);
    if (age === undefined) return;
    if (isConnected || age > WISH_MS) rmSync(path, {force: true});
    else this.#options.send(connectMessage(undefined, resource));
  }

  /** Only to a node that throws its own changes away, and only while ours are good. */
  async #connect(from: string, resource: string): Promise<void> {
    const {tools, log, node, places} = this.#options;
    if (!(await this.#isOurs(resource))) return;
    const theirs = this.#of(resource).theirs?.view;
    const looked = await viewHere(tools, node, resource, places);
    if (!('view' in looked) || looked.view.connection !== 'StandAlone') return;
    if (!theirs?.isDiscarding || looked.view.isDiscarding || theirs.node !== from) {
      // Its view comes with the answer to this, and its wish again in two seconds.
      this.#options.send(viewMessage(undefined, looked.view, true));
      return;
    }
    if (looked.view.volumes.some(({disk}) => disk !== 'UpToDate')) return;
    const exit = await tools.adm(['connect', resource], CONNECT_MS);
    const text = `${resource}: ${from} gives up its changes and asks for the connection: drbdadm connect ${resource}`;
    if (exit.code === 0) log('info', text);
    else log('WARN', `${text}: ${reasonOf(exit)}`);
  }

  #keepTimes(resource: string, known: Known, nowMs: number): void {
    known.keptMs = nowMs;
    try {
      writeJson(timesPath(this.#options.places, resource), known.history.times);
    } catch {
      // A full disk: the times of this run are still in memory.
    }
  }

  #of(resource: string): Known {
    const known = this.#known.get(resource) ?? beginKnown(this.#options.places, resource);
    this.#known.set(resource, known);
    return known;
  }
}

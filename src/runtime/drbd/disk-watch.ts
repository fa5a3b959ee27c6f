// Follows DRBD for the manager: what it says of the resources that are followed becomes facts (src/drbd/facts.ts), told whenever
// they change. The stream of events tells changes at once; a look at everything beside it brings the progress of a
// synchronisation, which no event tells, and proves that the stream still lives: a manager that believed an old picture
// would keep a group down for nothing. Promises: memory bounded by the resources followed, restarts with back-off, and
// without an answer the facts become `unknown`, which leaves everything to the agent.

import {isDeepStrictEqual} from 'node:util';
import {EMPTY_PICTURE, type Events2Picture, foldEvent, resourcesOf} from '../../drbd/events2.js';
import {
  differsKib,
  factsOf,
  factsWithout,
  isSyncing,
  type SyncSample,
  sampleOf,
  withoutDifference,
  withSample,
} from '../../drbd/facts.js';
import {settingsOf} from '../../drbd/show.js';
import type {ResourceState} from '../../drbd/state.js';
import {type DiskFacts, isOrdinary} from '../../model/disk.js';
import {type EventStream, openEventStream} from './event-stream.js';
import type {DrbdTools} from './tools.js';
import {forgetUnproven, isProven, isUnmet, judgedHere, noteUnproven} from './unproven.js';

export interface WatchOptions {
  readonly tools: DrbdTools;
  /** Name of the other node, as DRBD 9 names its connection. */
  readonly peer: () => string | undefined;
  /** Where notes lie about disks that are not proven good; absent: none are made or read. */
  readonly places?: {readonly runDir: string};
  /** Heartbeat starts here, and did not merely get another manager. */
  readonly isFreshStart?: boolean;
  /** Something that an administrator should put right. */
  readonly warn?: (text: string) => void;
  readonly onFacts: (facts: readonly DiskFacts[]) => void;
  /** Milliseconds between looks: while it synchronises, while something is not as it should be, at rest. */
  readonly lookMs?: {readonly syncing: number; readonly ill: number; readonly well: number};
  readonly backoffMs?: {readonly first: number; readonly max: number};
  /** So long a stream that ended may take to come back before what it told counts as unknown. */
  readonly graceMs?: number;
}

const LOOK_MS = {syncing: 2000, ill: 10_000, well: 60_000};
/** When a synchronisation begins, nothing is known of how far it is. */
const FIRST_LOOK_MS = 500;
const BACKOFF_MS = {first: 250, max: 60_000};
const GRACE_MS = 5000;
/** A stream that lived so long was a good one. */
const GOOD_LIFE_MS = 30_000;

export class DiskWatch {
  private names: readonly string[] = [];
  private stream: EventStream | undefined;
  private picture: Events2Picture = EMPTY_PICTURE;
  /** Counts what the stream said: a look that was overtaken by an event says nothing. */
  private heard = 0;
  private isLooking = false;
  private isPlain = false;
  private failedLooks = 0;
  private samples: Record<string, readonly SyncSample[]> = {};
  /** Their copies differed at the last look, and nothing has said otherwise since. What only an event says may be over already. */
  private differing: readonly string[] = [];
  private lookAtMs = 0;
  private told: readonly DiskFacts[] = [];
  private backoffMs: number;
  private startedMs = 0;
  private isClosed = false;
  private hasSeen = false;
  /** Not proven, and no note of it could be written yet: here it counts all the same. */
  private readonly unwritten = new Set<string>();
  private timers: Record<'look' | 'restart' | 'grace', NodeJS.Timeout | undefined> = {
    look: undefined,
    restart: undefined,
    grace: undefined,
  };

  constructor(private readonly options: WatchOptions) {
    this.backoffMs = this.backoff.first;
  }

  follow(names: readonly string[]): void {
    if (this.isClosed || isDeepStrictEqual(names, this.names)) return;
    this.names = names;
    this.samples = {};
    if (names.length === 0) this.stop();
    else this.restart();
    this.tell();
  }

  /** Something was done that DRBD may only now know of: no need to wait for a back-off. */
  poke(): void {
    if (this.stream === undefined && this.names.length > 0) this.restart();
  }

  close(): void {
    this.isClosed = true;
    this.stop();
  }

  private get backoff(): {readonly first: number; readonly max: number} {
    return this.options.backoffMs ?? BACKOFF_MS;
  }

  private stop(): void {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.timers.look = undefined;
    this.stream?.close();
    this.stream = undefined;
    this.picture = EMPTY_PICTURE;
  }

  private restart(): void {
    if (this.isClosed) return;
    clearTimeout(this.timers.restart);
    this.stream?.close();
    this.startedMs = performance.now();
    // Until it is complete, what the stream before told is better.
    let first = EMPTY_PICTURE;
    const onLines = (lines: readonly string[]): void => {
      const mine = lines.filter((line) => this.isFollowed(line));
      this.heard += 1;
      const wasComplete = first.isComplete;
      const picture = mine.reduce(foldEvent, wasComplete ? this.picture : first);
      if (!wasComplete) first = picture;
      if (picture.isComplete) this.seen(picture, mine.some(hasStatistics));
    };
    const {heard} = this;
    const onEnd = (): void => {
      // Not a word: perhaps it was not drbdsetup that ended.
      if (heard === this.heard) this.isPlain = !this.isPlain;
      this.ended();
    };
    this.stream = openEventStream(this.options.tools, {onLines, onEnd}, this.isPlain);
  }

  private ended(): void {
    this.stream = undefined;
    if (performance.now() - this.startedMs >= GOOD_LIFE_MS) this.backoffMs = this.backoff.first;
    this.timers.restart = setTimeout(() => this.restart(), this.backoffMs);
    this.backoffMs = Math.min(this.backoffMs * 2, this.backoff.max);
    if (!this.picture.isComplete || this.timers.grace !== undefined) return;
    this.timers.grace = setTimeout(() => this.forget(), this.options.graceMs ?? GRACE_MS);
  }

  /** Nobody answers: what was known is not known any more. */
  private forget(): void {
    this.timers.grace = undefined;
    this.picture = EMPTY_PICTURE;
    this.tell();
  }

  private isFollowed(line: string): boolean {
    const name = / name:(\S+)/.exec(line)?.[1];
    return name === undefined || this.names.includes('all') || this.names.includes(name);
  }

  private seen(picture: Events2Picture, isMeasured: boolean): void {
    clearTimeout(this.timers.grace);
    this.timers.grace = undefined;
    this.failedLooks = 0;
    this.picture = picture;
    if (!this.hasSeen && this.options.isFreshStart === true) this.noteUnmet(resourcesOf(picture));
    this.hasSeen = true;
    this.dropNotes(resourcesOf(picture));
    this.differing = this.differing.filter((name) => this.doubtful().includes(name));
    this.sample(isMeasured);
    this.tell();
  }

  /** Before anything is told of them; where DRBD is not to care about old copies, neither do we. */
  private noteUnmet(states: readonly ResourceState[]): void {
    const {places, tools} = this.options;
    if (places === undefined) return;
    for (const {name} of states.filter(isUnmet)) {
      this.note(places, name);
      void tools.show(name).then((show) => {
        if (show === undefined || settingsOf(show).fencing !== 'dont-care') return;
        this.forgetNote(places, name);
        this.tell();
      });
    }
  }

  private note(places: {readonly runDir: string}, name: string): void {
    const why = noteUnproven(places, name);
    if (why === undefined) this.unwritten.delete(name);
    if (why === undefined || this.unwritten.has(name)) return;
    this.unwritten.add(name);
    this.options.warn?.(`${name}: it cannot be noted for drbddisk that the copy here is not proven good: ${why}`);
  }

  private forgetNote(places: {readonly runDir: string}, name: string): void {
    this.unwritten.delete(name);
    forgetUnproven(places, name);
  }

  private dropNotes(states: readonly ResourceState[]): void {
    const {places} = this.options;
    if (places === undefined) return;
    for (const state of states) {
      if (isProven(state)) this.forgetNote(places, state.name);
      else if (this.unwritten.has(state.name)) this.note(places, state.name);
    }
  }

  private doubtful(): readonly string[] {
    const states = this.picture.isComplete ? resourcesOf(this.picture) : [];
    return states.filter((state) => differsKib(state, this.options.peer()) !== undefined).map(({name}) => name);
  }

  private states(): readonly ResourceState[] {
    const {places} = this.options;
    const states = this.picture.isComplete ? resourcesOf(this.picture) : [];
    if (places === undefined) return states;
    return states.map((state) => judgedHere(places, state, this.unwritten.has(state.name) || undefined));
  }

  /** Numbers are as old as the line that brought them: other lines add no sample. */
  private sample(isMeasured: boolean): void {
    const nowMs = performance.now();
    const entries = this.states().map((state) => {
      const before = this.samples[state.name] ?? [];
      const isKept = isSyncing(state) && !isMeasured;
      return [state.name, isKept ? before : withSample(before, sampleOf(state, nowMs))] as const;
    });
    this.samples = Object.fromEntries(entries);
  }

  private tell(): void {
    this.planLook();
    const facts = this.facts();
    if (this.isClosed || isDeepStrictEqual(facts, this.told)) return;
    this.told = facts;
    this.options.onFacts(facts);
  }

  private facts(): readonly DiskFacts[] {
    const found = this.picture.isComplete ? ('down' as const) : ('unknown' as const);
    const states = this.states();
    const named = this.names.includes('all') ? states.map((each) => each.name) : [];
    const names = [...new Set([...this.names.filter((name) => name !== 'all'), ...named])].sort();
    return names.map((name) => {
      const state = states.find((each) => each.name === name);
      return state === undefined
        ? factsWithout(name, found)
        : factsOf(
            this.differing.includes(name) ? state : withoutDifference(state),
            this.options.peer(),
            this.samples[name] ?? [],
          );
    });
  }

  private planLook(): void {
    if (this.isClosed || !this.picture.isComplete || this.stream === undefined) {
      clearTimeout(this.timers.look);
      this.timers.look = undefined;
      return;
    }
    const intervals = this.options.lookMs ?? LOOK_MS;
    const states = this.states();
    const isIll = this.facts().some(
      (each) => (each.bar !== undefined && !isOrdinary(each.bar)) || each.peerBar !== undefined,
    );
    const isNew = Object.values(this.samples).every((samples) => samples.length === 0);
    const syncingMs = isNew ? Math.min(FIRST_LOOK_MS, intervals.syncing) : intervals.syncing;
    const restMs = states.some(isSyncing) ? syncingMs : isIll ? intervals.ill : intervals.well;
    const isDoubted = this.doubtful().some((name) => !this.differing.includes(name));
    const atMs = performance.now() + (isDoubted ? Math.min(FIRST_LOOK_MS, restMs) : restMs);
    // Events that keep coming put no look off.
    if (this.timers.look !== undefined && this.lookAtMs <= atMs) return;
    clearTimeout(this.timers.look);
    this.lookAtMs = atMs;
    this.timers.look = setTimeout(() => void this.look(), Math.max(0, atMs - performance.now()));
  }

  private async look(): Promise<void> {
    this.timers.look = undefined;
    if (this.isLooking) return;
    this.isLooking = true;
    const {heard, stream} = this;
    const all = await this.options.tools.inBackground().readAll();
    this.isLooking = false;
    if (this.isClosed || stream !== this.stream) return;
    if (all === undefined) return this.lookFailed();
    // What came in the meantime is newer than this.
    if (heard !== this.heard) return this.planLook();
    const picture = this.onlyFollowed(all);
    const isMissed = !isSameButStatistics(picture, this.picture);
    this.picture = picture;
    this.differing = this.doubtful();
    this.seen(picture, true);
    // The stream kept silent about a change: it is no use any more.
    if (isMissed) this.restart();
  }

  private lookFailed(): void {
    this.failedLooks += 1;
    if (this.failedLooks >= 2 && this.picture.isComplete) {
      this.forget();
      this.restart();
    } else this.planLook();
  }

  private onlyFollowed(all: Events2Picture): Events2Picture {
    const isMine = (name: string | undefined): boolean => this.names.includes('all') || this.names.includes(name ?? '');
    const objects = Object.entries(all.objects).filter(([, keys]) => isMine(keys['name']));
    return {...all, objects: Object.fromEntries(objects)};
  }
}

function hasStatistics(line: string): boolean {
  return line.includes(' out-of-sync:');
}

/** Numbers grow all the time, and no event tells it. */
function isSameButStatistics(one: Events2Picture, other: Events2Picture): boolean {
  return isDeepStrictEqual(words(one), words(other));
}

function words(picture: Events2Picture): unknown {
  return resourcesOf(picture).map(({name, role, volumes, peers}) => ({
    name,
    role,
    disks: volumes.map((each) => each.disk),
    peers: peers.map((peer) => [peer.connection, peer.role, peer.volumes.map((each) => [each.replication, each.disk])]),
  }));
}

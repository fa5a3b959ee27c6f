// The judge of link cuts: what the Primary's kernel booked about its peer's disk, against what the peer's own kernel says of it.
// Method: in each guest a recorder writes down every line of the kernel about DRBD with the time; the clocks of the guests
// are set against the host's before each cut. Nothing here asks dopd or reads its log. An answer that lets the Primary go on
// (3, 4) is untrue unless the peer's disk was Outdated or worse at that moment.

import assert from 'node:assert/strict';
import type {Cluster} from './cluster.js';
import type {Guest} from './guest.js';
import {cutCable, healCable} from './network.js';
import {median} from './run.js';
import {until} from './slow.js';

export interface Cut {
  /** Whose cable of the replication link. */
  readonly cable: 'primary' | 'standby';
  readonly how: 'frames' | 'carrier';
  readonly isWriting: boolean;
  /** Milliseconds after the cut; undefined: when the kernel has the answer, and `pauseMs` later. */
  readonly healMs?: number;
  readonly pauseMs: number;
}

export interface CutResult {
  readonly cut: Cut;
  /** The last answer of the handler; undefined: none was asked for, because the link was back before. */
  readonly answer: number | undefined;
  readonly noticedMs: number | undefined;
  /** From the moment the Primary noticed: to the peer's disk being Outdated, to the Primary knowing it. */
  readonly outdatedMs: number | undefined;
  readonly bookedMs: number | undefined;
  readonly untrue: string | undefined;
}

interface Entry {
  readonly atMs: number;
  readonly text: string;
}

/** Switches the writing on the replicated disk off and on; it is on before and after a cut. */
export interface Load {
  pause(): Promise<void>;
  resume(): Promise<void>;
}

const RECORD = '/run/lab/drbd-kernel';
// Reads the kernel's log record by record, from now on, and stamps each with the time.
const RECORDER = `use Time::HiRes "time"; $| = 1; open F, "<", "/dev/kmsg" or die; sysseek F, 0, 2; while (1) { my $n = sysread F, my $b, 8192; next unless $n; printf "%.3f %s\\n", time, (split /\\n/, (split /;/, $b, 2)[1])[0] if $b =~ /drbd/ }`;
// One process, not three for each look: the guest has one slow processor, and what is measured runs on it too.
const AWAIT = `open F, "<", $ARGV[0] or die; for (1 .. 900) { seek F, 0, 0; my @l = <F>; exit 0 if grep /fence-peer helper( broken,)? returned/, @l[$ARGV[1] .. $#l]; select undef, undef, undef, 0.1 } exit 1`;

export class CutJudge {
  readonly results: CutResult[] = [];

  constructor(
    readonly cluster: Cluster,
    readonly primary: Guest,
    readonly load: Load,
  ) {}

  get standby(): Guest {
    return this.cluster.other(this.primary);
  }

  async start(): Promise<void> {
    for (const guest of this.cluster.guests)
      await guest.run(`nohup perl -e '${RECORDER}' >${RECORD} 2>&1 & echo $! >${RECORD}.pid`);
  }

  async stop(): Promise<void> {
    for (const guest of this.cluster.guests)
      if (guest.isOn) await guest.exec(`kill $(cat ${RECORD}.pid); rm -f ${RECORD} ${RECORD}.pid`);
  }

  async cut(cut: Cut): Promise<CutResult> {
    const {primary, standby} = this;
    await this.#good();
    const [pastPrimary, pastStandby] = await Promise.all([this.#read(primary, 0), this.#read(standby, 0)]);
    if (!cut.isWriting) await this.load.pause();
    const offsets = {primary: await primary.clockAheadMs(), standby: await standby.clockAheadMs()};
    const logged = (await primary.run('cat /var/log/ha-log')).length;
    const cable = cut.cable === 'primary' ? primary : standby;
    const cutAtMs = Date.now();
    if (cut.how === 'frames') await cutCable(cable.number, 'eth1');
    else await cable.carrier('eth1', false);
    if (cut.healMs === undefined) {
      await this.#answered(pastPrimary.length);
      await sleep(cut.pauseMs);
    } else await sleep(Math.max(0, cut.healMs - (Date.now() - cutAtMs)));
    // Before the link is healed: what the peer's disk is, as its kernel shows it.
    const disk = cut.healMs === undefined ? (await this.cluster.see(standby))?.minor?.disk : undefined;
    if (cut.how === 'frames') await healCable(cable.number, 'eth1');
    else await cable.carrier('eth1', true);
    if (!cut.isWriting) await this.load.resume();
    await this.#good();
    const seen = {
      primary: shifted(await this.#read(primary, pastPrimary.length), offsets.primary),
      standby: shifted(await this.#read(standby, pastStandby.length), offsets.standby),
    };
    const isDeclaredDead = (await primary.run('cat /var/log/ha-log'))
      .slice(logged)
      .includes(`node ${standby.name}: is dead`);
    const result = judge({cut, cutAtMs, ...seen, disk, isDeclaredDead});
    this.results.push(result);
    return result;
  }

  /** Both disks good, connected, one Primary: without that a cut would prove nothing. */
  async #good(): Promise<void> {
    await until(
      async () => {
        const minor = (await this.cluster.see(this.primary))?.minor;
        const isGood =
          minor?.disk === 'UpToDate' && minor.peerDisk === 'UpToDate' && minor.replication === 'Established';
        return isGood && minor.role === 'Primary';
      },
      {timeoutMs: 120_000, everyMs: 300, what: () => 'DRBD does not come together again'},
    );
  }

  async #answered(past: number): Promise<void> {
    const {code} = await this.primary.exec(`perl -e '${AWAIT}' ${RECORD} ${past}`, 100_000);
    assert.equal(code, 0, 'the handler gives no answer');
    // The booking of the answer is the next line.
    await sleep(300);
  }

  async #read(guest: Guest, past: number): Promise<readonly Entry[]> {
    const text = await guest.run(`tail -n +${past + 1} ${RECORD}`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => ({atMs: Number(line.split(' ')[0]) * 1000, text: line.slice(line.indexOf(' ') + 1)}));
  }
}

function shifted(entries: readonly Entry[], offset: number): readonly Entry[] {
  return entries.map((entry) => ({...entry, atMs: entry.atMs - offset}));
}

const ANSWER = /fence-peer helper(?: broken,)? returned (\d+)/;
const GOOD_ENOUGH = ['Outdated', 'Inconsistent', 'Diskless', 'Failed'];
/** What the clocks of the two guests may differ by. */
const CLOCK_MS = 250;

interface Evidence {
  readonly cut: Cut;
  readonly cutAtMs: number;
  readonly primary: readonly Entry[];
  readonly standby: readonly Entry[];
  /** The peer's, before the link was healed. */
  readonly disk: string | undefined;
  /** Guests that get too little of the processor miss each other's heartbeats; then 5 is no lie of dopd's. */
  readonly isDeclaredDead: boolean;
}

export function judge({cut, cutAtMs, primary, standby, disk, isDeclaredDead}: Evidence): CutResult {
  const noticed = primary.find((entry) =>
    /conn\( Connected -> |conn\( \w+ -> (NetworkFailure|Timeout|BrokenPipe)/.test(entry.text),
  );
  const answers = primary.filter((entry) => ANSWER.test(entry.text));
  const answer = answers.map((entry) => Number(ANSWER.exec(entry.text)?.[1])).pop();
  const booked = primary.find((entry) => /pdsk\( DUnknown -> (Outdated|Inconsistent)/.test(entry.text));
  const outdated = standby.find((entry) => /disk\( \w+ -> Outdated/.test(entry.text));
  const untrue = answers.map((entry) => liedAt(entry, standby, isDeclaredDead)).find((text) => text !== undefined);
  const late =
    (answer === 3 || answer === 4) && cut.healMs === undefined && !GOOD_ENOUGH.includes(disk ?? '')
      ? `answered ${answer}, and the peer's disk is ${disk}`
      : undefined;
  const since = (from: Entry | undefined, to: Entry | undefined) => (from && to ? to.atMs - from.atMs : undefined);
  return {
    cut,
    answer,
    noticedMs: noticed && noticed.atMs - cutAtMs,
    outdatedMs: since(noticed, outdated),
    bookedMs: since(noticed, booked),
    untrue: untrue ?? late,
  };
}

/** By the peer's own kernel its disk must have been Outdated or worse when the answer was there. */
function liedAt(entry: Entry, standby: readonly Entry[], isDeclaredDead: boolean): string | undefined {
  const value = Number(ANSWER.exec(entry.text)?.[1]);
  if (value === 5 || value === 7) return isDeclaredDead ? undefined : `answered ${value}, but the peer lives`;
  if (value !== 3 && value !== 4) return undefined;
  const changes = standby.filter((each) => each.atMs <= entry.atMs + CLOCK_MS && /\bdisk\( \w+ -> \w+/.test(each.text));
  const disks = changes.map((each) => /\bdisk\( \w+ -> (\w+)/.exec(each.text)?.[1] ?? '');
  return disks.some((disk) => GOOD_ENOUGH.includes(disk))
    ? undefined
    : `answered ${value}, but the peer's disk had not changed`;
}

export function summary(results: readonly CutResult[]): string {
  const of = (pick: (result: CutResult) => number | undefined): string => {
    const found = results.map(pick).filter((value) => value !== undefined);
    if (found.length === 0) return 'none';
    return `${(median(found) / 1000).toFixed(2)} s (max ${(Math.max(...found) / 1000).toFixed(2)}, ${found.length})`;
  };
  return [
    `cut to noticed ${of((each) => each.noticedMs)}`,
    `noticed to outdated ${of((each) => each.outdatedMs)}`,
    `noticed to booked ${of((each) => each.bookedMs)}`,
    `answers ${[...new Set(results.map((each) => each.answer))].join(' ')}`,
    `untrue ${results.filter((each) => each.untrue !== undefined).length}`,
  ].join('; ');
}

const CABLES = ['primary', 'standby'] as const;
const WAYS = ['frames', 'carrier'] as const;

/** So many cuts, no two neighbours alike; every fourth is healed while the outdating is under way. */
export function plan(count: number): readonly Cut[] {
  return Array.from({length: count}, (_, at): Cut => {
    const base = {
      cable: CABLES[at % 2] ?? 'primary',
      how: WAYS[Math.floor(at / 2) % 2] ?? 'frames',
      isWriting: at % 3 !== 2,
      pauseMs: (at * 700) % 2900,
    };
    return at % 4 === 3 ? {...base, healMs: 1300 + ((at * 370) % 2400)} : base;
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

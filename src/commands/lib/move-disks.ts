// A move that waits: while the daemon refuses it because a disk is not ready, the synchronisation is shown and the move is
// asked for again when it has ended. On a terminal one line, redrawn once a second; into a file a line every ten seconds.

import type {StandbyScope} from '../../model/cluster.js';
import type {ClusterStatus, ControlReply, DiskStatus} from '../../model/control.js';
import {isDiffering, isOrdinary, progressText} from '../../model/disk.js';
import {ask} from './daemon.js';
import {EXIT, Exit} from './program.js';

export interface Wish {
  readonly direction: 'standby' | 'takeover';
  readonly scope: StandbyScope;
}

const LOOK_MS = 500;
/** The other node may know more than this one: it is not asked again more often than this. */
const ASK_AGAIN_MS = 5000;
const DRAW_EVERY_MS = 1000;
const LINE_EVERY_MS = 10_000;

/** The answer of the daemon, as soon as it is not that a disk is not ready. */
export async function askWhenReady(wish: Wish, deadlineMs: number, program: string): Promise<ControlReply> {
  const screen = new ProgressLine();
  try {
    for (;;) {
      const reply = await ask({command: wish.direction, scope: wish.scope});
      if (reply.ok || reply.code !== 'DISK_NOT_READY') return reply;
      screen.show(reply.text);
      await becomesReady(wish, {deadlineMs, program, screen, why: reply.text});
    }
  } finally {
    screen.end();
  }
}

async function becomesReady(
  wish: Wish,
  until: {readonly deadlineMs: number; readonly program: string; readonly screen: ProgressLine; readonly why: string},
): Promise<void> {
  const askAgainMs = performance.now() + ASK_AGAIN_MS;
  let {why} = until;
  for (;;) {
    const leftMs = until.deadlineMs - performance.now();
    if (leftMs <= 0) throw new Exit(EXIT.timeout, `${until.program}: not begun in time: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, leftMs)));
    const reply = await ask({command: 'status'});
    // Whatever this is, asking for the move brings the right words for it.
    if (!reply.ok || reply.status === undefined) return;
    const waiting = waitsFor(wish, reply.status);
    if (waiting === undefined) {
      // Ready here, and yet it was refused: it was the other node that said so.
      if (why === until.why && performance.now() < askAgainMs) continue;
      return;
    }
    why = waiting;
    until.screen.show(why);
  }
}

/** What still stands in the way, as this node's own disks have it. */
export function waitsFor({direction, scope}: Wish, status: ClusterStatus): string | undefined {
  const isWanted = (key: string): boolean => {
    const home = status.groups.find((group) => group.key === key)?.home;
    return scope === 'all' || (scope === 'local') === (home === status.node);
  };
  const disks = (status.disks ?? []).filter((disk) => disk.found !== 'unknown' && disk.groups.some(isWanted));
  const texts = disks.map((disk) => textOf(disk, direction)).filter((each) => each !== undefined);
  return texts.length === 0 ? undefined : texts.join('; ');
}

function textOf(disk: DiskStatus, direction: Wish['direction']): string | undefined {
  const isActive = disk.role === 'Primary';
  if (isActive !== (direction === 'standby')) return undefined;
  const own = disk.bar !== undefined && isOrdinary(disk.bar) ? undefined : disk.bar;
  const isHeld = disk.connection !== 'Connected' || (disk.peerBar !== undefined && isDiffering(disk.peerBar));
  const bar = isActive ? disk.peerBar : (own ?? (isHeld ? disk.peerBar : undefined));
  if (bar === undefined) return undefined;
  return disk.progress === undefined ? bar.text : `${bar.text}, ${progressText(disk.progress)}`;
}

class ProgressLine {
  private lastMs = -Infinity;
  private isDrawn = false;

  show(text: string): void {
    const {stderr} = process;
    const nowMs = performance.now();
    if (nowMs - this.lastMs < (stderr.isTTY ? DRAW_EVERY_MS : LINE_EVERY_MS)) return;
    this.lastMs = nowMs;
    this.isDrawn = stderr.isTTY === true;
    const shown = stderr.isTTY ? text.slice(0, Math.max(20, (stderr.columns ?? 80) - 1)) : text;
    stderr.write(stderr.isTTY ? `\r\u001b[K${shown}` : `waiting: ${shown}\n`);
  }

  end(): void {
    if (this.isDrawn) process.stderr.write('\r\u001b[K');
  }
}

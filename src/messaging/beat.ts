// Our own status packets: the keepalive on an absolute schedule, and an extra one at every change of status, dead time
// or beacon. `protocol` is always 1: without it a real peer turns flow control off for good.

import {type Message, messageOf} from '../model/message.js';
import {fits, send} from './send.js';
import {type MessagingState, NEVER} from './state.js';
import {change, changeNode, record, type Work} from './work.js';

/** Peers wait this much longer for us while we are young and busy. */
const BONUS_MS = 2000;
/** Header and own fields of a status; a beacon value of such a name would be misread. */
const RESERVED = 't st dt protocol src srcuuid dest destuuid seq hg ts ld ttl auth'.split(' ');

export function sendStatus(work: Work): void {
  send(work, statusMessage(work.state, work.now.monoMs));
}

function statusMessage(state: MessagingState, nowMs: number): Message {
  const dt = announcedDeadtime(state, nowMs).toString(16);
  return messageOf({t: 'status', st: state.status, dt, protocol: '1', ...state.beacon});
}

function announcedDeadtime({start, announcedMs, bonusUntilMs}: MessagingState, nowMs: number): number {
  const isYoung = bonusUntilMs !== NEVER && nowMs < bonusUntilMs;
  return Math.round(announcedMs ?? start.deadtimeMs + (isYoung ? BONUS_MS : 0));
}

export function setStatus(work: Work, status: MessagingState['status']): void {
  change(work, {status});
  changeNode(work, work.state.start.node, {status});
  record(work, 'info', 'LOCAL_STATUS', `Local status now set to: '${status}'`);
}

/** The scheduled keepalive: missed beats are not made up for, and the phase is kept. */
export function beat(work: Work): void {
  const {nextBeatMs, bonusUntilMs, start} = work.state;
  const nowMs = work.now.monoMs;
  let isDue = false;
  if (nowMs >= bonusUntilMs) {
    change(work, {bonusUntilMs: NEVER});
    isDue = work.state.announcedMs === null;
  }
  if (nowMs >= nextBeatMs) {
    const missed = Math.floor((nowMs - nextBeatMs) / start.keepaliveMs);
    change(work, {nextBeatMs: nextBeatMs + (missed + 1) * start.keepaliveMs});
    isDue = true;
  }
  if (isDue) sendStatus(work);
}

export function announceDeadtime(work: Work, deadtimeMs: number | undefined): void {
  const announcedMs = deadtimeMs ?? null;
  if (announcedMs === work.state.announcedMs) return;
  change(work, {announcedMs});
  sendStatus(work);
}

export function setBeacon(work: Work, values: Readonly<Record<string, string>>): void {
  const beacon = Object.fromEntries(Object.entries(values).filter(([name]) => !RESERVED.includes(name)));
  const previous = work.state.beacon;
  if (JSON.stringify(beacon) === JSON.stringify(previous)) return;
  change(work, {beacon});
  if (fits(work, statusMessage(work.state, work.now.monoMs))) {
    sendStatus(work);
    return;
  }
  // A beacon must never be what silences us.
  change(work, {beacon: previous});
  record(work, 'ERROR', 'BEACON_TOO_LONG', 'beacon refused: a status with it does not fit a datagram');
}

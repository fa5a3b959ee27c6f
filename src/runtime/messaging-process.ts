// The messaging process: owns the links and nothing else, so that its keepalives keep their time (dependencies.md section
// 4). A manager starts it with a socket on descriptor 3 and tells it everything in the first line. It assumes that
// somebody else writes logs and answers signals: those that a terminal or an init system sends to the whole group mean the
// manager. On a mistake of ours it leaves a crash file and exits; the manager then starts another.

import {writeSync} from 'node:fs';
import {Socket} from 'node:net';
import {log} from '../model/log.js';
import {writeCrashFile} from './crash.js';
import {ManagerSide} from './manager-side.js';
import type {MessagingBoot} from './messaging-boot.js';
import {MessagingLoop} from './messaging-loop.js';

/** EX_SOFTWARE: a mistake of ours. */
const exitCrashed = 70;
const flushMs = 200;
const lastResortLines = 100;

let boot: MessagingBoot | undefined;
let loop: MessagingLoop | undefined;

const manager = new ManagerSide({
  onLine(line) {
    if (loop !== undefined) loop.managerSaid(line);
    else if (line.type === 'boot') begin(line);
    else throw new Error(`the first line of the channel is ${line.type}, not boot`);
  },
  // Without a boot message there is nothing to keep alive.
  onLost: () => (loop === undefined ? process.exit(0) : loop.managerLost()),
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const)
  process.on(signal, () => undefined);
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
process.title = 'systole: messaging';
manager.connect(new Socket({fd: 3, readable: true, writable: true}), undefined);

function begin(message: MessagingBoot): void {
  boot = message;
  manager.greeted(message);
  loop = new MessagingLoop(message, manager, leave);
  loop.start().catch(crash);
}

/** The channel's last lines are flushed by its end; the manager closes its side when it has read them. */
function leave(status: number): void {
  manager.close();
  sayLast();
  setTimeout(() => process.exit(status), flushMs);
}

function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  manager.log(log('CRIT', 'MESSAGING_CRASHED', `messaging process: ${text.split('\n').slice(0, 3).join(' ')}`));
  const record = loop?.record() ?? {state: undefined, events: []};
  writeCrashFile(boot?.crashDirectory ?? '/tmp', {
    format: 'systole-crash-1',
    process: 'messaging',
    node: boot?.start.node ?? 'unknown',
    version: 'unknown',
    wallMs: Date.now(),
    error: text,
    config: boot?.start,
    state: record.state,
    events: record.events,
  });
  sayLast();
  // At once: a half-done step must not go on. A line to the channel is written without waiting where there is room.
  process.exit(exitCrashed);
}

/** Lines that no manager will take any more. */
function sayLast(): void {
  for (const record of manager.unsaid().slice(-lastResortLines)) {
    try {
      writeSync(2, `systole messaging: ${record.level}: ${record.text}\n`);
    } catch {
      return; // Nobody is left to tell.
    }
  }
}

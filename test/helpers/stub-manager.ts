// A manager that a test may kill. `start BOOT`: starts a messaging process with that boot message (JSON), prints its pid, renews
// the lease. `hang BOOT`: the same, without ever renewing. `adopt FILE`: takes over descriptor 3, writes what it was told to
// FILE, says stop.

import {readdirSync, readlinkSync, renameSync, writeFileSync} from 'node:fs';
import type {MessagingToManager} from '../../src/model/channel.js';
import {adoptMessagingProcess, startMessagingProcess} from '../../src/runtime/messaging-start.js';

const [mode, argument = ''] = process.argv.slice(2);
if (mode === 'adopt') adopt();
else start();

function start(): void {
  const {channel, child} = startMessagingProcess({
    boot: JSON.parse(argument),
    realtimePriority: undefined,
    handlers: {onMessage: () => undefined, onEnd: () => process.exit(1)},
    onExit: () => process.exit(1),
  });
  process.stdout.write(`${child.pid}\n`);
  if (mode === 'start') setInterval(() => channel.send({type: 'renew-lease', forMs: 5000}), 500);
  else channel.send({type: 'renew-lease', forMs: 700});
}

function adopt(): void {
  const logs: string[] = [];
  const leaked = leakedSockets();
  let ready: MessagingToManager | undefined;
  const channel = adoptMessagingProcess(
    {manager: [], emergency: []},
    {
      onMessage(message) {
        if (message.type === 'log') logs.push(message.record.text);
        if (message.type !== 'ready' || ready !== undefined) return;
        ready = message;
        writeFileSync(`${argument}.tmp`, JSON.stringify({ready, logs, leaked}));
        renameSync(`${argument}.tmp`, argument);
        channel.send({type: 'stop', tailMs: 0});
      },
      onEnd: () => process.exit(0),
    },
  );
}

/** Node itself opens no socket above 3 before it is asked to. */
function leakedSockets(): readonly string[] {
  const targets = readdirSync('/proc/self/fd').map((each) => {
    try {
      return Number(each) > 3 ? readlinkSync(`/proc/self/fd/${each}`) : '';
    } catch {
      return '';
    }
  });
  return targets.filter((each) => each.startsWith('socket:'));
}

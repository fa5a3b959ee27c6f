// mach_down NODE: takes over what a dead node held. A Systole daemon does that by itself, after its own proof of death, so
// nothing is left to do then; without a daemon nothing is known about the other node, and only --direct insists. A real
// Heartbeat calls this for a node whose death it has proved, and waits for the message that it is done.

import {ask, findDaemon, isOriginalRunning, isUp} from './lib/daemon.js';
import {createDirector, currentHost, say} from './lib/direct.js';
import {writeFifo} from './lib/fifo.js';
import {groupOf, keysOf} from './lib/groups.js';
import {EXIT, Exit, paths, run} from './lib/program.js';

void run(async (given) => {
  const direct = given.includes('--direct');
  const node = given.find((word) => !word.startsWith('-'))?.toLowerCase();
  if (node === undefined) throw new Exit(EXIT.usage, 'usage: mach_down NODE [--direct]');
  if (node === currentHost() || process.env['HA_info']?.includes('ping')) return EXIT.ok;
  const isOriginal = isOriginalRunning();
  if (!direct && !isOriginal) return leaveToDaemon(node);
  const director = await createDirector();
  let status: number = EXIT.ok;
  const escaped = node.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  for (const key of keysOf(escaped)) status = Math.max(status, await director.start(groupOf(key)));
  if (status === EXIT.ok) say({level: 'info', code: 'TAKEN', text: `mach_down takeover complete for node ${node}.`});
  // Also after a failed start, as the original does: the daemon would wait for ever.
  if (isOriginal && process.env['HA_NICEFAILBACK'] === 'yes')
    writeFifo(paths().fifo, {t: 'resource', rsc_hold: 'foreign', info: 'mach_down'});
  return isOriginal ? EXIT.ok : status;
});

async function leaveToDaemon(node: string): Promise<number> {
  const reply = await ask({command: 'status'});
  if (reply.ok || isUp(findDaemon())) {
    process.stderr.write(`mach_down: heartbeat takes the groups of ${node} over by itself when it is dead\n`);
    return EXIT.ok;
  }
  throw new Exit(
    EXIT.notRunning,
    'mach_down: heartbeat is not running here, so nothing tells whether the other node still runs its groups\n' +
      `    hint: when ${node} is surely off: mach_down ${node} --direct`,
  );
}

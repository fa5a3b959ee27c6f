// The part of resource.d/drbddisk that judges: `drbddisk.cjs start|stop RESOURCE`. Called by that script, which knows the words
// of the agent contract; lines for people go to standard error as the contract wants them.

import {type DiskOptions, type DiskResult, demote, promote} from '../runtime/drbd/disk.js';
import {whyNotPromote} from '../runtime/drbd/split-brain-guard.js';
import {DrbdTools} from '../runtime/drbd/tools.js';
import {judgedHere} from '../runtime/drbd/unproven.js';
import {runProgram} from '../runtime/run-program.js';
import {Exit, paths, run} from './lib/program.js';

void run(async ([action, name]) => {
  if ((action !== 'start' && action !== 'stop') || name === undefined) throw new Exit(2, 'usage: start|stop RESOURCE');
  const tools = new DrbdTools(process.env);
  const options: DiskOptions = {
    tools,
    info: (text) => say('INFO', text),
    warn: (text) => say('WARN', text),
    judged: (state) => judgedHere(paths(), state),
    unmount,
  };
  const resources = name === 'all' ? await all(action, tools) : [name];
  let worst: DiskResult['exit'] = 0;
  for (const resource of resources) {
    const {exit, text} = await (action === 'start' ? start : demote)(resource, options);
    say(exit === 0 ? 'INFO' : 'ERROR', text);
    if (exit === 0) continue;
    worst = exit;
    // A group needs all of its disks; a stop goes on and lets go of what it can.
    if (action === 'start') break;
  }
  return worst;
});

/** To start: all that drbd.conf gives this node. To stop: also what it does not give any more, or cannot be read to give. */
async function all(action: 'start' | 'stop', tools: DrbdTools): Promise<readonly string[]> {
  const {names, why} = await tools.configured();
  if (action === 'start') {
    if (names === undefined) throw new Exit(1, `ERROR: drbddisk: drbd.conf cannot be read: ${why}`);
    if (names.length === 0) throw new Exit(1, 'ERROR: drbddisk: drbd.conf gives this node no resource');
    return names;
  }
  const up = await tools.up();
  if (up === undefined && (names ?? []).length === 0)
    throw new Exit(1, `ERROR: drbddisk: neither DRBD nor drbd.conf says what there is: ${why}`);
  return [...new Set([...(names ?? []), ...(up ?? [])])];
}

async function start(resource: string, options: DiskOptions): Promise<DiskResult> {
  const why = await whyNotPromote(resource, {tools: options.tools, places: paths()});
  return why === undefined ? promote(resource, options) : {exit: 1, text: why};
}

function say(word: 'INFO' | 'WARN' | 'ERROR', text: string): void {
  process.stderr.write(`${word}: drbddisk: ${text}\n`);
}

async function unmount(point: string): Promise<boolean> {
  const call = {
    path: '/usr/bin/env',
    args: ['umount', point],
    env: {...pathOnly()},
    timeoutMs: 10_000,
    killDelayMs: 1000,
  };
  return (await runProgram(call).done).code === 0;
}

function pathOnly(): Record<string, string> {
  return {PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'};
}

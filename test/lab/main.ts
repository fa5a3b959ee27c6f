// `npm run lab -- COMMAND`: the virtual machines by hand. See docs/drbd.md, "The lab".

import {rmSync} from 'node:fs';
import {both, Cluster, type Kind} from './cluster.js';
import {Guest, labDirectory} from './guest.js';
import * as network from './network.js';

const USAGE = `usage: npm run lab -- COMMAND
  up                      network, empty disks, both guests
  down                    everything off and gone; the logs stay in ${labDirectory}
  boot 1|2                one guest, with the disks it has
  powercut 1|2            as if the plug were pulled
  pause 1|2, resume 1|2   freeze a guest, let it go on
  exec 1|2 COMMAND        a shell command in a guest
  cut 1|2|all eth0|eth1 [carrier]    frames vanish; with carrier: as a pulled cable
  heal 1|2|all eth0|eth1
  first-start [ours|real]           configures both, and starts DRBD from empty disks: both Secondary, a database in it
  configure 1|2|all [ours|real]     the files of the worked example, for our daemon or Debian's; after each boot, and a boot between the two
  start|stop 1|2|all [ours|real]    its daemon; with the word that it was configured with
  status                  who is on, what DRBD says
  test [SCENARIO... | --core | --compare | --list]   the scenarios, with a table at the end
  soak [--minutes N] [--seed S] [--stonith]   random faults; with --stonith partitions and long pauses too`;

const [command, ...words] = process.argv.slice(2);
// Guests live on without us; whoever ends a run wants them gone.
if (command === 'test' || command === 'soak')
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.once(signal, () => {
      process.stderr.write(`lab: ended by ${signal}\n`);
      void down().finally(() => process.exit(1));
    });
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
process.exit();

async function main(): Promise<number> {
  switch (command) {
    case 'up':
      await down();
      await network.makeNetwork();
      for (const guest of guests('all')) await guest.makeDisks();
      await Promise.all(guests('all').map((guest) => guest.boot()));
      return 0;
    case 'down':
      await down();
      return 0;
    case 'boot':
    case 'powercut':
    case 'pause':
    case 'resume':
      for (const guest of guests(words[0])) await (command === 'powercut' ? guest.powerCut() : guest[command]());
      return 0;
    case 'exec':
      return exec();
    case 'cut':
    case 'heal':
      await cable();
      return 0;
    case 'first-start':
      await cluster(words[0]).firstStart();
      return 0;
    case 'configure':
    case 'start':
    case 'stop':
      await both(guests(words[0]), (guest) => cluster(words[1])[command](guest));
      return 0;
    case 'status':
      await status();
      return 0;
    case 'test': {
      const {runScenarios} = await import('./runner.js');
      return runScenarios(words);
    }
    case 'soak': {
      const {soak} = await import('./soak.js');
      return soak(words);
    }
    default:
      process.stderr.write(`${USAGE}\n`);
      return 2;
  }
}

function guests(which: string | undefined): readonly Guest[] {
  if (which !== '1' && which !== '2' && which !== 'all') throw new Error(`${which}: say 1, 2 or all`);
  return (which === 'all' ? [1, 2] : [Number(which)]).map((number) => new Guest(number, 'cli'));
}

function cluster(whose = 'ours'): Cluster {
  if (whose !== 'ours' && whose !== 'real') throw new Error(`${whose}: say ours or real`);
  const kind: Kind = whose === 'ours' ? 'systole' : 'real';
  return new Cluster([new Guest(1, 'cli'), new Guest(2, 'cli')], [kind, kind]);
}

async function down(): Promise<void> {
  for (const guest of guests('all')) {
    await guest.powerCut();
    guest.removeDisks();
    for (const name of ['qmp.sock', 'cmd.sock', 'cli.sock']) rmSync(`${guest.directory}/${name}`, {force: true});
  }
  await network.removeNetwork();
}

async function exec(): Promise<number> {
  const [guest] = guests(words[0]);
  const ran = await guest!.exec(words.slice(1).join(' '), 300_000);
  process.stdout.write(ran.stdout);
  process.stderr.write(ran.stderr);
  return ran.code;
}

async function cable(): Promise<void> {
  const link = words[1] === 'eth0' || words[1] === 'eth1' ? words[1] : undefined;
  if (!link) throw new Error('say eth0 or eth1');
  for (const guest of guests(words[0])) {
    if (command === 'heal') await network.healCable(guest.number, link);
    if (command === 'heal') await guest.carrier(link, true);
    else if (words[2] === 'carrier') await guest.carrier(link, false);
    else await network.cutCable(guest.number, link);
  }
}

async function status(): Promise<void> {
  for (const guest of guests('all')) {
    const drbd = guest.isOn
      ? await guest.exec('cat /proc/drbd; cat /proc/loadavg', 20_000).catch((error: Error) => ({stdout: error.message}))
      : undefined;
    process.stdout.write(`${guest.name}: ${guest.isOn ? `on, pid ${guest.pid}` : 'off'}\n${drbd?.stdout ?? ''}`);
  }
  process.stdout.write(`logs: ${labDirectory}/n1/console.log, ${labDirectory}/n2/console.log\n`);
}

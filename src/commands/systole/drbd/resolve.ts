// systole drbd resolve: ends a split brain on the node whose changes are thrown away. Shows what is lost, saves it, asks, and follows
// the synchronisation to its end. The steps are src/drbd/resolve-plan.ts; this is the talk with the administrator.

import {execFileSync} from 'node:child_process';
import {existsSync, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {createInterface} from 'node:readline/promises';
import {Args, Flags} from '@oclif/core';
import {type Report, renderReport} from '../../../drbd/describe.js';
import type {Journal} from '../../../drbd/resolve-journal.js';
import {outOfSyncKib} from '../../../drbd/view.js';
import {checkSpace} from '../../../runtime/drbd/backup.js';
import {makeDirectory, writeDurably} from '../../../runtime/drbd/durable.js';
import {holdLock} from '../../../runtime/drbd/lock.js';
import {doubtsOf, readManifest, whyUnusable} from '../../../runtime/drbd/manifest.js';
import {reportOf} from '../../../runtime/drbd/report.js';
import {ResolveError, runResolve} from '../../../runtime/drbd/resolve.js';
import {lookAgain, resolveLockPath} from '../../../runtime/drbd/resolve-again.js';
import {type BackupWords, chooseAgain, chooseBackup, directoryFor} from '../../../runtime/drbd/resolve-choice.js';
import {dropJournal, readJournal, writeJournal} from '../../../runtime/drbd/resolve-journal.js';
import {DrbdTools} from '../../../runtime/drbd/tools.js';
import {keepFinding, readFinding} from '../../../runtime/drbd/view-here.js';
import {nodeHere, resourcesHere} from '../../lib/drbd-here.js';
import {mayResolve} from '../../lib/drbd-resolve.js';
import {EXIT, Exit, paths} from '../../lib/program.js';
import {SystoleCommand} from '../../lib/systole-command.js';

const SAY_MS = 10_000;
const NO_BACKUP = 'No backup is made: what is thrown away is lost.';
const RUN_AGAIN = 'the same command goes on where it stopped';

interface ResolveFlags extends BackupWords {
  readonly 'discard-node': string;
  readonly 'peer-gi'?: string | undefined;
  readonly yes: boolean;
}

/** What a later call may choose. */
interface Permitted {
  readonly canSave: boolean;
  readonly canDrop: boolean;
}

export default class DrbdResolve extends SystoleCommand {
  static override summary = 'End a split brain: throw the changes of this node away, after a backup.';
  static override description =
    `Typed on the node whose changes go. Shows both sides and what is lost; marks the disk here Outdated, saves the changed blocks, connects with --discard-my-data and follows the synchronisation. Interrupted anywhere, ${RUN_AGAIN}. Exit status: 0 done, 1 no such resource or nobody to ask, 2 wrong words, 3 refused or failed, 4 the other node did not come in time.`;
  static override examples = [
    '<%= config.bin %> drbd resolve data --discard-node data-1-2',
    '<%= config.bin %> drbd resolve data --discard-node data-1-2 --backup /mnt/usb',
    '<%= config.bin %> drbd resolve data --discard-node data-1-2 --backup-full --yes',
  ];
  static override args = {resource: Args.string({description: 'a resource of drbd.conf', required: true})};
  static override flags = {
    'discard-node': Flags.string({description: 'the node whose changes are thrown away: this one', required: true}),
    backup: Flags.string({description: 'directory for the backup; default: drbd-backup in the state directory'}),
    'backup-full': Flags.boolean({description: 'save the whole disk, which can be mounted, not only what changed'}),
    'no-backup': Flags.boolean({description: 'save nothing', exclusive: ['backup', 'backup-full']}),
    'peer-gi': Flags.string({description: 'what `drbdadm get-gi` prints on the other node, where dopd cannot tell'}),
    wait: Flags.integer({description: 'seconds without progress after which it ends', default: 600, min: 1}),
    yes: Flags.boolean({description: 'do not ask'}),
  };

  readonly #tools = new DrbdTools(process.env);
  #isOnLine = false;
  #saidMs = performance.now();

  async run(): Promise<void> {
    const {args, flags} = await this.parse(DrbdResolve);
    const [resource = ''] = await resourcesHere(this.#tools, args.resource);
    const lockPath = resolveLockPath(paths(), resource);
    try {
      makeDirectory(dirname(lockPath));
    } catch (error) {
      throw refused(`nothing can be noted: ${(error as Error).message}`, 'repair the state directory');
    }
    const lock = await holdLock(this.#tools, lockPath, 2);
    try {
      if (!lock.isHeld) throw refused('another run works on it here', `see systole drbd status ${resource}`);
      const journal = (await this.#goOn(resource, flags)) ?? (await this.#begin(resource, flags));
      await this.#carryOut(journal, flags.wait * 1000);
    } finally {
      lock.release();
    }
  }

  /** undefined: nothing was begun, or what was begun is over. */
  async #goOn(resource: string, flags: ResolveFlags): Promise<Journal | undefined> {
    const begun = readJournal(paths(), resource);
    if (begun === undefined) return undefined;
    if (begun === 'unreadable')
      throw refused(
        `the journal of an earlier run cannot be read`,
        `see ${paths().varLibDir}/drbd, and remove it there`,
      );
    const hasWords = flags.backup !== undefined || flags['backup-full'] || flags['no-backup'];
    const again = await lookAgain(begun, hasWords, {tools: this.#tools, places: paths()});
    if (again.found === 'lost')
      throw refused(
        `the backup was made and cannot be used: ${again.why}`,
        'mount its disk, or put it back; --backup DIRECTORY saves what is left here anew, --no-backup does without',
      );
    if (again.found === 'unknown')
      throw refused(
        `whether the earlier run still fits the data here is not known: ${again.why}`,
        `drbdadm get-gi ${resource}`,
      );
    const since = new Date(begun.startedMs).toISOString();
    if (again.found === 'anew') {
      const isKept = begun.done.includes('saved') && begun.directory !== undefined;
      const kept = isKept ? `; its backup stays in ${begun.directory}` : '';
      this.log(`${resource}: the run that was begun ${since} is not gone on with: ${again.why}${kept}`);
      dropJournal(paths(), resource);
      return undefined;
    }
    const discard = flags['discard-node'].toLowerCase();
    if (discard !== begun.node) throw refused(`an earlier run discards ${begun.node}, not ${discard}`, RUN_AGAIN);
    this.log(`${resource}: going on with what was begun ${since} (done: ${begun.done.join(', ')})`);
    if (again.lost !== undefined) this.log(`the backup cannot be used any more (${again.lost})`);
    const journal = await this.#chosenAgain(again.journal, flags, again);
    if (journal.backup === 'none') this.log(NO_BACKUP);
    return journal;
  }

  async #chosenAgain(begun: Journal, flags: ResolveFlags, {canSave, canDrop}: Permitted): Promise<Journal> {
    const choice = chooseAgain(begun, flags, backupParent());
    if (choice === undefined) return begun;
    const {done, directory} = begun;
    if (!(choice.backup === 'none' ? canDrop : canSave)) {
      const why = done.includes('saved')
        ? `the backup is made already, in ${directory}, and is not made again`
        : 'the synchronisation has begun: what is saved cannot be chosen any more';
      throw refused(why, 'without --backup, --backup-full and --no-backup the command goes on');
    }
    const journal = {...begun, backup: choice.backup, directory: directoryFor(choice, begun)};
    await this.#spaceFor(journal, choice.parent);
    writeJournal(paths(), journal);
    if (directory !== undefined && directory !== journal.directory && existsSync(directory))
      this.log(`What lies in ${directory} is an unfinished backup, and can be removed.`);
    return journal;
  }

  async #begin(resource: string, flags: ResolveFlags): Promise<Journal> {
    const node = nodeHere();
    const report = await reportOf(resource, {tools: this.#tools, node, places: paths()});
    const {view: ours} = report;
    if (ours === undefined)
      throw refused(`the state of ${resource} cannot be read: ${report.trouble}`, 'drbdadm status');
    const theirs = readFinding(paths(), resource)?.theirs;
    const refusal = await mayResolve({
      report,
      ours,
      theirs,
      discard: flags['discard-node'].toLowerCase(),
      peerGi: flags['peer-gi'],
      kernelLog: kernelLog(),
    });
    if (refusal) throw refused(refusal.why, refusal.todo);
    const choice = chooseBackup(flags, backupParent());
    const startedMs = Date.now();
    const directory = directoryFor(choice, {resource, startedMs});
    const journal: Journal = {resource, node, startedMs, backup: choice.backup, directory, ours, theirs, done: []};
    await this.#spaceFor(journal, choice.parent);
    this.#explain(report, journal);
    if (!flags.yes) await this.#ask(resource);
    writeJournal(paths(), journal);
    return journal;
  }

  /** Before anything is touched: a disk that is full is no reason to take a resource down. */
  async #spaceFor({backup, ours, theirs, resource}: Journal, parent: string): Promise<void> {
    if (backup === 'none') return;
    const changed = (outOfSyncKib(ours) ?? 0) + (theirs ? (outOfSyncKib(theirs) ?? 0) : 0);
    let bytes = changed * 1024;
    if (backup === 'full') {
      const exit = await this.#tools.adm(['sh-ll-dev', resource], 10_000);
      bytes = exit.stdout
        .split('\n')
        .filter(Boolean)
        .reduce((sum, path) => sum + sizeOf(path.trim()), 0);
    }
    try {
      checkSpace(parent, bytes);
    } catch (error) {
      throw refused((error as Error).message, '--backup DIRECTORY names another place; --no-backup does without');
    }
  }

  #explain(report: Report, {resource, node, ours, theirs, backup, directory}: Journal): void {
    const kib = outOfSyncKib(ours);
    this.log(renderReport(report));
    this.log('');
    this.log(
      `This will throw away what ${node} wrote to ${resource} on its own: ${kib === undefined ? 'an unknown amount' : `${kib} KiB of changed blocks`}.`,
    );
    this.log(`It becomes a copy of ${theirs?.node ?? 'the other node'}, which goes on serving meanwhile.`);
    this.log(
      backup === 'none'
        ? NO_BACKUP
        : `First ${backup === 'full' ? 'the whole disk is' : 'the changed blocks are'} saved in ${directory}`,
    );
  }

  async #ask(resource: string): Promise<void> {
    if (process.stdin.isTTY !== true)
      throw new Exit(EXIT.usage, 'systole drbd resolve: nobody can be asked here\n    hint: --yes');
    const terminal = createInterface({input: process.stdin, output: process.stdout});
    // The end of the input or an interruption is an error there, and no name here.
    const answer = await terminal.question('Type the name of the resource to go on: ').catch(() => '');
    terminal.close();
    if (answer.trim() !== resource) throw refused('not confirmed: nothing was changed', `it would be: ${resource}`);
  }

  async #carryOut(journal: Journal, waitMs: number): Promise<void> {
    outliveTerminal();
    const options = {
      tools: this.#tools,
      places: paths(),
      waitMs,
      say: (text: string) => this.#say(text),
      progress: (text: string) => this.#progress(text),
    };
    const outcome = await runResolve(journal, options).catch((error: unknown) => {
      const todo = error instanceof ResolveError ? error.todo : `repair the cause; then ${RUN_AGAIN}`;
      return {ended: 'stopped', why: error instanceof Error ? error.message : String(error), todo} as const;
    });
    if (outcome.ended === 'stopped') throw refused(outcome.why, outcome.todo);
    if (outcome.ended === 'waited')
      throw new Exit(EXIT.timeout, `systole drbd resolve: ${outcome.why}\n    hint: ${RUN_AGAIN}`);
    this.#finish(outcome.journal);
  }

  #finish(journal: Journal): void {
    const {resource, directory, startedMs} = journal;
    if (directory !== undefined && journal.done.includes('saved')) this.#keepJournal(directory, journal);
    dropJournal(paths(), resource);
    keepFinding(paths(), resource, undefined);
    this.#say(
      `${resource}: both nodes have the same data again, after ${Math.round((Date.now() - startedMs) / 1000)} s`,
    );
    if (directory === undefined) return;
    if (!journal.done.includes('saved'))
      return this.#say('no backup: the synchronisation had begun before it could be made');
    const lost = whyUnusable(directory);
    if (lost !== undefined) return this.#say(`the backup was made, and cannot be used any more: ${lost}`);
    for (const text of doubtsOf(readManifest(directory))) this.#say(text);
    this.#say(`the backup is in ${directory}; how to look into it: systole drbd restore --help`);
  }

  /** For people who look into the backup later; it is in nobody's way that it is missing. */
  #keepJournal(directory: string, journal: Journal): void {
    try {
      writeDurably(`${directory}/journal.json`, journal);
    } catch (error) {
      this.#say(`${directory}/journal.json cannot be written: ${(error as Error).message}`);
    }
  }

  #say(text: string): void {
    if (this.#isOnLine) process.stdout.write('\n');
    this.#isOnLine = false;
    this.log(text);
  }

  #progress(text: string): void {
    if (process.stdout.isTTY !== true) {
      // In a log a line now and then is enough.
      if (performance.now() - this.#saidMs < SAY_MS) return;
      this.#saidMs = performance.now();
      return this.log(text);
    }
    process.stdout.write(`\r${text.padEnd(60)}`);
    this.#isOnLine = true;
  }
}

/** An ssh session that drops ends neither what can go on without it nor, by a write to nobody, the process. */
function outliveTerminal(): void {
  process.on('SIGHUP', () => undefined);
  for (const stream of [process.stdout, process.stderr]) {
    // oclif's listener throws.
    stream.removeAllListeners('error');
    stream.on('error', () => undefined);
  }
}

function backupParent(): string {
  return `${paths().varLibDir}/drbd-backup`;
}

function refused(why: string, todo: string): Exit {
  return new Exit(EXIT.refused, `systole drbd resolve: ${why}\n    hint: ${todo}`);
}

function kernelLog(): string {
  try {
    return execFileSync('dmesg', [], {encoding: 'utf8', timeout: 5000, maxBuffer: 16 * 1024 * 1024, stdio: 'pipe'});
  } catch {
    return '';
  }
}

/** Of a file, or of a block device by what the kernel says of it. */
function sizeOf(path: string): number {
  try {
    const found = statSync(path);
    if (!found.isBlockDevice()) return found.size;
    const size = execFileSync('blockdev', ['--getsize64', path], {encoding: 'utf8', timeout: 5000});
    return Number(size);
  } catch {
    return 0;
  }
}

// systole install: lays the programs, scripts, units and man pages out at the paths of Debian's heartbeat package.

import {Flags} from '@oclif/core';
import {type ApplyOptions, applyPlan, type Done} from '../lib/install-apply.js';
import {planInstall} from '../lib/install-plan.js';
import {EXIT, packageDir} from '../lib/program.js';
import {SystoleCommand} from '../lib/systole-command.js';

export default class Install extends SystoleCommand {
  static override summary = 'Install the programs where heartbeat has always had them.';
  static override description =
    'Files below /etc are never overwritten once they were changed: ours is put beside them as .systole-new. Can be repeated. ' +
    'Starts and enables nothing. Exit status: 0 done, 1 something of another package is in the way: nothing is changed then.';
  static override examples = [
    '<%= config.bin %> install --destdir ./root --dry-run',
    '<%= config.bin %> install --destdir /',
  ];
  static override flags = {
    destdir: Flags.string({description: 'the root of the tree to install into; / for this machine', required: true}),
    prefix: Flags.string({description: 'where programs go', default: '/usr'}),
    'dry-run': Flags.boolean({description: 'only say what would be done'}),
    force: Flags.boolean({description: 'replace programs of other packages'}),
    verbose: Flags.boolean({char: 'v', description: 'also list what is unchanged'}),
  };

  async run(): Promise<void> {
    const {flags} = await this.parse(Install);
    const prefix = `/${flags.prefix.replace(/^\/+|\/+$/g, '')}`;
    const options: ApplyOptions = {
      destdir: flags.destdir.replace(/\/+$/, ''),
      prefix,
      dryRun: flags['dry-run'],
      force: flags.force,
    };
    const plan = planInstall({packageDir, prefix});
    const inTheWay = applyPlan(plan, {...options, dryRun: true}).filter(({what}) => what === 'refused');
    if (inTheWay.length > 0 && !options.dryRun) {
      // Half of ours and half of another package is the one state that nobody can want.
      for (const each of inTheWay) this.log(lineOf(each));
      this.log(`${summary(inTheWay, false)}: nothing was changed`);
      this.exit(EXIT.usage);
    }
    const done = applyPlan(plan, options);
    for (const each of done) if (flags.verbose || each.what !== 'unchanged') this.log(lineOf(each));
    this.log(summary(done, flags['dry-run']));
    if (done.some((each) => each.what === 'refused')) this.exit(EXIT.usage);
  }
}

function lineOf({path, what, note}: Done): string {
  return `${what.padEnd(9)} ${path}${note === undefined ? '' : `  (${note})`}`;
}

function summary(done: readonly Done[], dryRun: boolean): string {
  const count = (what: Done['what']): number => done.filter((each) => each.what === what).length;
  const words = (['created', 'updated', 'unchanged', 'kept', 'refused'] as const).filter((what) => count(what) > 0);
  return `${dryRun ? 'would be: ' : ''}${words.map((what) => `${count(what)} ${what}`).join(', ')}`;
}

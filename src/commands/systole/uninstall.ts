// systole uninstall: the way back from `systole install`, so that the original can be installed again.

import {Flags} from '@oclif/core';
import {findDaemon, isUp} from '../lib/daemon.js';
import type {ApplyOptions} from '../lib/install-apply.js';
import {planInstall} from '../lib/install-plan.js';
import {removePlan} from '../lib/install-remove.js';
import {EXIT, packageDir} from '../lib/program.js';
import {SystoleCommand} from '../lib/systole-command.js';

export default class Uninstall extends SystoleCommand {
  static override summary = 'Remove what `systole install` laid out.';
  static override description =
    'Configuration (/etc/ha.d), state (/var/lib/heartbeat) and logs stay, and so does every file that somebody changed. ' +
    'Exit status: 0 done, 1 heartbeat still runs.';
  static override examples = ['<%= config.bin %> uninstall --destdir / --dry-run'];
  static override flags = {
    destdir: Flags.string({description: 'the root of the tree; / for this machine', required: true}),
    prefix: Flags.string({description: 'where programs are', default: '/usr'}),
    'dry-run': Flags.boolean({description: 'only say what would be done'}),
  };

  async run(): Promise<void> {
    const {flags} = await this.parse(Uninstall);
    const prefix = `/${flags.prefix.replace(/^\/+|\/+$/g, '')}`;
    const destdir = flags.destdir.replace(/\/+$/, '');
    const options: ApplyOptions = {destdir, prefix, dryRun: flags['dry-run'], force: false};
    const daemon = destdir === '' && !options.dryRun ? findDaemon() : undefined;
    if (daemon !== undefined && isUp(daemon)) {
      this.logToStderr(`systole uninstall: heartbeat runs [pid ${daemon.pid}]: stop it first, with: heartbeat -k`);
      this.exit(EXIT.usage);
    }
    const done = removePlan(planInstall({packageDir, prefix}), options);
    const lines = done.map(
      ({path, what, note}) => `${what.padEnd(9)} ${path}${note === undefined ? '' : `  (${note})`}`,
    );
    const removed = done.filter(({what}) => what === 'removed').length;
    // In one piece and last: from here on this program's own files may be gone.
    const last = `${options.dryRun ? 'would be: ' : ''}${removed} removed, ${done.length - removed} kept`;
    process.stdout.write(`${[...lines, last].join('\n')}\n`);
  }
}

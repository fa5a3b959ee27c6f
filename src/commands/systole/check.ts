// systole check: reads the whole configuration without a daemon and names every mistake with its place; also what drbd.conf lacks for
// the disks of haresources, once the files themselves have no error.

import {Flags} from '@oclif/core';
import {countSeverities, exitStatusOf, formatDiagnostic} from '../../config/check.js';
import type {Diagnostic} from '../../model/config.js';
import {resolvePaths} from '../../model/paths.js';
import {confQuestion} from '../../runtime/disks.js';
import {confWarnings} from '../../runtime/drbd/conf-warnings.js';
import {DrbdTools} from '../../runtime/drbd/tools.js';
import {loadConfig} from '../../runtime/load-config.js';
import {packageDir} from '../lib/program.js';
import {SystoleCommand} from '../lib/systole-command.js';

export default class Check extends SystoleCommand {
  static override summary = 'Check ha.cf, authkeys, haresources and systole.conf without starting anything.';
  static override description =
    'Where haresources names a DRBD disk, also what drbd.conf lacks for it. Exit status: 0 clean, 1 warnings, 6 errors: heartbeat would not start.';
  static override examples = ['<%= config.bin %> check', '<%= config.bin %> check --config ./ha.d --json'];
  static override flags = {
    config: Flags.directory({description: 'the directory that holds the files (default: HA_DIR or /etc/ha.d)'}),
    json: Flags.boolean({description: 'print one JSON object'}),
  };

  async run(): Promise<void> {
    const {flags} = await this.parse(Check);
    const env = flags.config === undefined ? process.env : {...process.env, HA_DIR: flags.config};
    const paths = resolvePaths(env, packageDir);
    const {config, diagnostics: ours, sources} = loadConfig(paths, env);
    const drbd = config === undefined ? [] : await confWarnings(new DrbdTools(env), confQuestion(config));
    const diagnostics = [...ours, ...drbd];
    const status = exitStatusOf(diagnostics);
    const counts = countSeverities(diagnostics);
    if (flags.json) this.log(JSON.stringify({ok: status !== 6, status, counts, diagnostics}));
    else this.print(diagnostics, sources, `${paths.haDir}: ${summary(counts)}`);
    if (status !== 0) this.exit(status);
  }

  private print(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>, last: string): void {
    for (const each of diagnostics) this.log(`${formatDiagnostic(each, sources.get(each.file))}\n`);
    this.log(last);
  }
}

function summary(counts: Readonly<Record<'error' | 'warning' | 'notice', number>>): string {
  const found = (['error', 'warning', 'notice'] as const)
    .filter((severity) => counts[severity] > 0)
    .map((severity) => `${counts[severity]} ${severity}${counts[severity] === 1 ? '' : 's'}`);
  return found.length === 0 ? 'no mistakes found' : found.join(', ');
}

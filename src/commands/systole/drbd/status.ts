// systole drbd status: what DRBD says of each resource here, what is known of the other node's copy, and what to do next.

import {Args, Flags} from '@oclif/core';
import {formatDiagnostic} from '../../../config/check.js';
import {healthOf, type Report, renderReport} from '../../../drbd/describe.js';
import {reportOf} from '../../../runtime/drbd/report.js';
import {DrbdTools} from '../../../runtime/drbd/tools.js';
import {nodeHere, resourcesHere, warningsHere} from '../../lib/drbd-here.js';
import {EXIT, paths} from '../../lib/program.js';
import {SystoleCommand} from '../../lib/systole-command.js';

export default class DrbdStatus extends SystoleCommand {
  static override summary = 'Show replicated disks: roles, disks, synchronisation, split brain, and what to do.';
  static override description =
    'The other node is known by what its dopd sends over the heartbeat links. Exit status: 0 every disk has a good copy on both nodes, 1 some has not, 2 the state cannot be read. What drbd.conf lacks is shown too, and changes no status.';
  static override examples = [
    '<%= config.bin %> drbd status',
    '<%= config.bin %> drbd status data',
    '<%= config.bin %> drbd status --json',
  ];
  static override args = {resource: Args.string({description: 'a resource of drbd.conf; default: all'})};
  static override flags = {json: Flags.boolean({description: 'print one JSON object'})};

  async run(): Promise<void> {
    const {args, flags} = await this.parse(DrbdStatus);
    const tools = new DrbdTools(process.env);
    const resources = await resourcesHere(tools, args.resource);
    const source = {tools, node: nodeHere(), places: paths()};
    const [warnings, ...reports] = await Promise.all([
      warningsHere(tools, resources),
      ...resources.map((resource) => reportOf(resource, source)),
    ]);
    if (flags.json) this.log(JSON.stringify({ok: true, resources: reports.map(jsonOf), warnings}));
    else this.log([...reports.map(renderReport), ...warnings.map((each) => formatDiagnostic(each))].join('\n\n'));
    const health = reports.map(healthOf);
    if (health.includes('unknown')) this.exit(EXIT.unreachable);
    if (health.some((each) => each !== 'good')) this.exit(EXIT.usage);
  }
}

function jsonOf(report: Report) {
  const {state, ...rest} = report;
  return {...rest, health: healthOf(report), state};
}

// systole status: nodes, links, groups, the measured state of each resource, what runs now, and why something does not run.

import {Flags} from '@oclif/core';
import {ask, explain, statusOf} from '../lib/daemon.js';
import {EXIT} from '../lib/program.js';
import {renderStatus} from '../lib/render-status.js';
import {SystoleCommand} from '../lib/systole-command.js';
import {watch} from '../lib/watch.js';

export default class Status extends SystoleCommand {
  static override summary = 'Show nodes, links and groups as they are now.';
  static override description =
    'Exit status: 0 every group runs somewhere, 1 some group does not, 2 the daemon does not answer, 7 it is not running.';
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --watch',
    '<%= config.bin %> status --json',
  ];
  static override flags = {
    json: Flags.boolean({description: 'print one JSON object', exclusive: ['watch']}),
    watch: Flags.boolean({char: 'w', description: 'stay, and show every change; ends with Ctrl-C'}),
    interval: Flags.integer({description: 'milliseconds between two looks with --watch', default: 500, min: 50}),
  };

  async run(): Promise<void> {
    const {flags} = await this.parse(Status);
    if (flags.watch) return watch(look, flags.interval);
    const {text, json, status} = await look();
    this.log(flags.json ? JSON.stringify(json) : text);
    if (status !== EXIT.ok) this.exit(status);
  }
}

async function look(): Promise<{readonly text: string; readonly json: unknown; readonly status: number}> {
  const reply = await ask({command: 'status'}, 5000);
  if (!reply.ok) return {text: explain(reply, 'systole status'), json: reply, status: statusOf(reply)};
  if (!reply.status) return {text: 'systole status: the daemon gave no status', json: reply, status: EXIT.unreachable};
  const lacking = reply.status.groups.some((group) => group.owner === undefined);
  const isColoured = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;
  return {
    text: renderStatus(reply.status, isColoured),
    json: {ok: true, ...reply.status},
    status: lacking ? EXIT.usage : EXIT.ok,
  };
}

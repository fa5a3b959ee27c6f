// systole reset: forgets start failures, so that groups are tried again at once.

import {ask, orExit} from '../lib/daemon.js';
import {SystoleCommand} from '../lib/systole-command.js';

export default class Reset extends SystoleCommand {
  static override summary = 'Forget the start failures of groups, so that they are tried again at once.';
  static override examples = ['<%= config.bin %> reset', '<%= config.bin %> reset 10.0.0.17'];
  static override strict = false;
  static override usage = 'reset [KEY...]';

  async run(): Promise<void> {
    const {argv} = await this.parse(Reset);
    const reply = orExit(await ask({command: 'reset', keys: argv as string[]}), 'systole reset');
    this.log(reply.text);
  }
}

// systole dump: the whole state of the daemon as JSON, for reports and for `systole replay`.

import {ask, orExit} from '../lib/daemon.js';
import {SystoleCommand} from '../lib/systole-command.js';

export default class Dump extends SystoleCommand {
  static override summary = 'Print the whole state of the running daemon as JSON; it holds no keys.';
  static override examples = ['<%= config.bin %> dump > state.json'];

  async run(): Promise<void> {
    await this.parse(Dump);
    const reply = orExit(await ask({command: 'dump'}), 'systole dump');
    this.log(JSON.stringify(reply.dump ?? null, undefined, 2));
  }
}

// systole standby.

import {MoveCommand} from '../lib/move-command.js';

export default class Standby extends MoveCommand {
  static override summary = 'Give resource groups to the other node and stay up.';
  static override examples = ['<%= config.bin %> standby', '<%= config.bin %> standby foreign --no-wait'];
  protected override readonly direction = 'standby';
}

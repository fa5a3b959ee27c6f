// systole takeover.

import {MoveCommand} from '../lib/move-command.js';

export default class Takeover extends MoveCommand {
  static override summary = 'Get resource groups from the other node.';
  static override examples = ['<%= config.bin %> takeover', '<%= config.bin %> takeover foreign --no-wait'];
  protected override readonly direction = 'takeover';
}

// systole standby: hb_standby for people; it waits until the move is finished and says where the groups are.

import {Args, Flags} from '@oclif/core';
import {ask, orExit} from '../lib/daemon.js';
import {SCOPES, waitForMove} from '../lib/move.js';
import {SystoleCommand} from '../lib/systole-command.js';

export default class Standby extends SystoleCommand {
  static override summary = 'Give resource groups to the other node and stay up.';
  static override description =
    'Exit status: 0 done, 3 refused or failed, 4 not finished in time, 2 no answer, 7 the daemon is not running.';
  static override examples = ['<%= config.bin %> standby', '<%= config.bin %> standby foreign --no-wait'];
  static override args = {
    scope: Args.string({
      description: "which groups, from this node's point of view",
      options: Object.keys(SCOPES),
      default: 'all',
    }),
  };
  static override flags = {
    wait: Flags.boolean({description: 'wait until the groups run there', default: true, allowNo: true}),
    timeout: Flags.integer({description: 'seconds to wait', default: 120, min: 1}),
  };

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Standby);
    const scope = SCOPES[args.scope] ?? 'all';
    const reply = orExit(await ask({command: 'standby', scope}), 'systole standby');
    if (reply.text !== '') this.log(reply.text);
    if (!flags.wait) return;
    const timeoutMs = flags.timeout * 1000;
    this.log(await waitForMove({direction: 'standby', scope, timeoutMs}, 'systole standby'));
  }
}

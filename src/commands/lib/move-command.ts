// `systole standby` and `systole takeover`: hb_standby and hb_takeover for people. They wait until the move is finished and
// say where the groups are.

import {Args, Flags} from '@oclif/core';
import {ask, orExit} from './daemon.js';
import {SCOPES, waitForMove} from './move.js';
import {askWhenReady} from './move-disks.js';
import {SystoleCommand} from './systole-command.js';

export abstract class MoveCommand extends SystoleCommand {
  static override description =
    'Exit status: 0 done, 3 refused or failed, 4 not finished in time, 2 no answer, 7 the daemon is not running.';
  static override args = {
    scope: Args.string({
      description: "which groups, from this node's point of view",
      options: Object.keys(SCOPES),
      default: 'all',
    }),
  };
  static override flags = {
    wait: Flags.boolean({
      description: 'wait until the groups run there, for a synchronisation of their disks first',
      default: true,
      allowNo: true,
    }),
    timeout: Flags.integer({description: 'seconds to wait', default: 120, min: 1}),
  };

  protected abstract readonly direction: 'standby' | 'takeover';

  async run(): Promise<void> {
    // By name: the parser copies own properties only, and a subclass inherits these.
    const {args, flags} = await this.parse({args: MoveCommand.args, flags: MoveCommand.flags});
    const {direction} = this;
    const program = `systole ${direction}`;
    const scope = SCOPES[args.scope] ?? 'all';
    const deadlineMs = performance.now() + flags.timeout * 1000;
    const answer = flags.wait
      ? await askWhenReady({direction, scope}, deadlineMs, program)
      : await ask({command: direction, scope});
    const reply = orExit(answer, program);
    if (reply.text !== '') this.log(reply.text);
    if (!flags.wait) return;
    this.log(await waitForMove({direction, scope, timeoutMs: deadlineMs - performance.now()}, program));
  }
}

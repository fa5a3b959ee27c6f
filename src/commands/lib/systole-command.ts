// The base of all `systole` commands: an Exit thrown anywhere becomes a message on stderr and an exit status.

import {Command} from '@oclif/core';
import {Exit} from './program.js';

export abstract class SystoleCommand extends Command {
  protected override async catch(error: Error & {exitCode?: number}): Promise<unknown> {
    if (!(error instanceof Exit)) return super.catch(error);
    if (error.message !== '') this.logToStderr(error.message);
    return this.exit(error.status);
  }
}

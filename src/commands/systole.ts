// systole: the commands of our own, by oclif. People type these; what scripts call in loops are the small programs beside. They
// are named here rather than found as files, so that the whole program is one file: on a node with a cold or slow
// disk a hundred and sixty of them took longer than the answer is waited for.

import {execute} from '@oclif/core';
import {packageDir} from './lib/program.js';
import Check from './systole/check.js';
import DrbdResolve from './systole/drbd/resolve.js';
import DrbdRestore from './systole/drbd/restore.js';
import DrbdStatus from './systole/drbd/status.js';
import Dump from './systole/dump.js';
import Install from './systole/install.js';
import Replay from './systole/replay.js';
import Reset from './systole/reset.js';
import Standby from './systole/standby.js';
import Status from './systole/status.js';
import Takeover from './systole/takeover.js';
import Uninstall from './systole/uninstall.js';

/** Where package.json sends oclif for them. */
export const COMMANDS = {
  check: Check,
  'drbd:resolve': DrbdResolve,
  'drbd:restore': DrbdRestore,
  'drbd:status': DrbdStatus,
  dump: Dump,
  install: Install,
  replay: Replay,
  reset: Reset,
  standby: Standby,
  status: Status,
  takeover: Takeover,
  uninstall: Uninstall,
};

void execute({dir: packageDir});

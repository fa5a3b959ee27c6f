// hb_addnode: adds nodes to the running cluster, without a restart.

import {editNodes} from './lib/nodes.js';
import {run} from './lib/program.js';

void run((words) => editNodes('hb_addnode', words));

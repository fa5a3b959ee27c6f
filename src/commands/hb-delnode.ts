// hb_delnode: removes dead nodes from the running cluster, without a restart.

import {editNodes} from './lib/nodes.js';
import {run} from './lib/program.js';

void run((words) => editNodes('hb_delnode', words));

// hb_setsite: stores a node's site. Kept for scripts: two-node clusters of this kind make no use of it.

import {setNodeFact} from './lib/nodes.js';
import {run} from './lib/program.js';

void run((words) => setNodeFact('hb_setsite', 'site', words));

// hb_takeover: asks the other node for resource groups. Ends at once, with a reason, when that is refused.

import {move, parseMove} from './lib/move.js';
import {run} from './lib/program.js';

void run((words) => move(parseMove('takeover', words), 'hb_takeover'));

// hb_standby: gives resource groups to the other node and stays up. Ends at once, with a reason, when that is refused.

import {move, parseMove} from './lib/move.js';
import {run} from './lib/program.js';

void run((words) => move(parseMove('standby', words), 'hb_standby'));

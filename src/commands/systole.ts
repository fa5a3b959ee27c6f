// systole: the commands of our own, by oclif. People type these; what scripts call in loops are the small programs beside.

import {execute} from '@oclif/core';
import {packageDir} from './lib/program.js';

await execute({dir: packageDir});

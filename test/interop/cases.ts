// All cases. The long ones come first, so that no lane is left alone with one at the end.

import type {Case} from './case.js';
import {failures} from './cases/failures.js';
import {life} from './cases/life.js';
import {linkCases} from './cases/links.js';
import {planned} from './cases/moves.js';
import {networkCases} from './cases/network.js';
import {three} from './cases/three.js';
import {upkeep} from './cases/upkeep.js';

export const allCases: readonly Case[] = [
  ...three,
  ...networkCases,
  ...linkCases,
  ...failures,
  ...planned,
  ...life,
  ...upkeep,
];

// All cases, the most valuable first.

import type {Case} from './case.js';
import {failures} from './cases/failures.js';
import {life} from './cases/life.js';
import {linkCases} from './cases/links.js';
import {planned} from './cases/moves.js';

export const allCases: readonly Case[] = [...life, ...planned, ...linkCases, ...failures];

// What the configuration check asks about agents and programs. Agents are found by the very function that the runner of
// resources uses (agents.ts), so that what was checked is what will be run.

import {accessSync, constants, statSync} from 'node:fs';
import type {AgentFinder, AgentState} from '../config/facts.js';
import {findAgent, UNIT_DIRS} from './agents.js';
import {namesIn} from './names-in.js';

export function agentFinder(agentDirs: readonly string[], unitDirs: readonly string[] = UNIT_DIRS): AgentFinder {
  return {
    find: (script) => {
      if (findAgent(agentDirs, script, unitDirs).found) return 'ok';
      const isBarred = agentDirs.some((directory) => stateOf(`${directory}/${script}`) === 'not-executable');
      return isBarred ? 'not-executable' : 'missing';
    },
    names: () => [
      ...agentDirs.flatMap(agentsIn),
      ...unitDirs.flatMap(agentsIn).flatMap((name) => (name.endsWith('.service') ? [name.slice(0, -8)] : [])),
    ],
  };
}

export function stateOf(path: string): AgentState {
  try {
    if (!statSync(path).isFile()) return 'missing';
  } catch {
    return 'missing';
  }
  try {
    accessSync(path, constants.X_OK);
    return 'ok';
  } catch {
    return 'not-executable';
  }
}

function agentsIn(directory: string): readonly string[] {
  return namesIn(directory).filter((name) => !name.startsWith('.') && name !== 'README.md');
}

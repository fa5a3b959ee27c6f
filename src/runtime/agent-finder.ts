// Finds the program behind a resource word: an executable in the agent directories, in their order, else a systemd unit.
// The configuration check and the runner of resources both ask here, so that what was checked is what will be run.

import {accessSync, constants, readdirSync, statSync} from 'node:fs';
import type {AgentFinder, AgentState} from '../config/facts.js';

/** Where units are, in systemd's own order of precedence. */
export const UNIT_DIRS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

export type FoundAgent =
  | {readonly kind: 'script'; readonly path: string}
  | {readonly kind: 'unit'; readonly unit: string}
  | {readonly kind: 'not-executable'; readonly path: string}
  | {readonly kind: 'missing'};

export interface AgentPlaces {
  readonly agentDirs: readonly string[];
  readonly unitDirs: readonly string[];
}

/** A file without its execute bit does not hide an executable one in a later directory. */
export function findAgent(script: string, {agentDirs, unitDirs}: AgentPlaces): FoundAgent {
  if (script === '' || script.includes('/') || script.includes('\0') || script.startsWith('.'))
    return {kind: 'missing'};
  let barred: string | undefined;
  for (const directory of agentDirs) {
    const path = `${directory}/${script}`;
    const state = stateOf(path);
    if (state === 'ok') return {kind: 'script', path};
    if (state === 'not-executable') barred ??= path;
  }
  const unit = `${script}.service`;
  if (unitDirs.some((directory) => stateOf(`${directory}/${unit}`) !== 'missing')) return {kind: 'unit', unit};
  return barred === undefined ? {kind: 'missing'} : {kind: 'not-executable', path: barred};
}

export function agentFinder(places: AgentPlaces): AgentFinder {
  return {
    find: (script) => {
      const {kind} = findAgent(script, places);
      return kind === 'script' || kind === 'unit' ? 'ok' : kind;
    },
    names: () => [
      ...places.agentDirs.flatMap(namesIn),
      ...places.unitDirs.flatMap(namesIn).flatMap((name) => (name.endsWith('.service') ? [name.slice(0, -8)] : [])),
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

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.') && name !== 'README.md');
  } catch {
    return [];
  }
}

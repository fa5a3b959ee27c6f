// The directories that the manager and its agents need, before anything else starts.

import {mkdirSync, rmSync} from 'node:fs';
import type {Paths} from '../model/paths.js';
import {rscTmpDir} from './script-env.js';

export function prepareDirectories(paths: Paths, isAdopted: boolean): void {
  mkdirSync(paths.runDir, {recursive: true, mode: 0o755});
  mkdirSync(paths.varLibDir, {recursive: true, mode: 0o755});
  prepareScratch(paths, isAdopted);
}

/** Scratch files of agents do not survive a start of the daemon, but a start of its manager alone. */
function prepareScratch(paths: Paths, isAdopted: boolean): void {
  const dir = rscTmpDir(paths);
  if (!isAdopted && dir.startsWith(`${paths.runDir}/`)) rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir, {recursive: true, mode: 0o1755});
}

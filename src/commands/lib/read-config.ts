// Reads the whole configuration for a program that is about to act on it. Diagnostics go to stderr; errors end the program
// with status 6 before anything is touched.

import type {ClusterConfig} from '../../model/config.js';
import {formatFindings, loadConfig} from '../../runtime/load-config.js';
import {type ScriptEnv, scriptEnv} from '../../runtime/script-env.js';
import {EXIT, Exit, paths} from './program.js';

export interface Loaded {
  readonly config: ClusterConfig;
  readonly scriptEnv: ScriptEnv;
}

export function readConfig(): Loaded {
  const {config, ...findings} = loadConfig(paths(), process.env);
  if (!config) process.stderr.write(`${formatFindings(findings)}\n`);
  if (!config) throw new Exit(EXIT.unconfigured);
  return {config, scriptEnv: scriptEnv(config.ha, paths(), process.env)};
}

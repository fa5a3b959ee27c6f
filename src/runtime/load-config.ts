// Reads the configuration directory and the facts of this machine and hands both to the pure check. Synchronous and quick:
// it is on the way from power-on to service. Promises never to throw: what cannot be read is a finding.

import {readFileSync, statSync} from 'node:fs';
import {formatDiagnostic} from '../config/check.js';
import {buildConfig} from '../config/load.js';
import type {SourceFile} from '../config/source.js';
import type {ClusterConfig, Diagnostic} from '../model/config.js';
import type {Paths} from '../model/paths.js';
import {gatherFacts} from './gather-facts.js';

export interface LoadedConfig {
  /** Absent when there is an error among the diagnostics. */
  readonly config?: ClusterConfig;
  readonly diagnostics: readonly Diagnostic[];
  /** Texts of the files that may be shown, by path: authkeys is not among them. */
  readonly sources: ReadonlyMap<string, string>;
}

/** A configuration of this size is a mistake, and reading it would delay the start. */
const FILE_BYTES_MAX = 1 << 20;
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
};

export function loadConfig(
  paths: Paths,
  env: Readonly<Record<string, string | undefined>> = process.env,
): LoadedConfig {
  const haCf = readSource(`${paths.haDir}/ha.cf`, 'utf8');
  // Keys are bytes: latin1 keeps them all.
  const authkeys = readSource(`${paths.haDir}/authkeys`, 'latin1');
  const haresources = readSource(`${paths.haDir}/haresources`, 'utf8');
  const own = readSource(`${paths.haDir}/systole.conf`, 'utf8');
  const systoleConf = own.problem === REASONS['ENOENT'] ? undefined : own;
  const result = buildConfig({haCf, authkeys, haresources, systoleConf, facts: gatherFacts(paths, env)});
  const shown = [haCf, haresources, own].flatMap(({path, text}) => (text === undefined ? [] : [[path, text] as const]));
  return {...result, sources: new Map(shown)};
}

/** All findings as `systole check` and a failing start print them. */
export function formatFindings({diagnostics, sources}: Pick<LoadedConfig, 'diagnostics' | 'sources'>): string {
  return diagnostics.map((each) => formatDiagnostic(each, sources.get(each.file))).join('\n');
}

function readSource(path: string, encoding: 'utf8' | 'latin1'): SourceFile {
  try {
    const stat = statSync(path);
    // Opening a pipe would block for ever.
    if (!stat.isFile()) return {path, text: undefined, problem: stat.isDirectory() ? 'Is a directory' : 'Not a file'};
    if (stat.size > FILE_BYTES_MAX) return {path, text: undefined, problem: `larger than ${FILE_BYTES_MAX} bytes`};
    return {path, text: readFileSync(path, encoding)};
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return {path, text: undefined, problem: REASONS[code] ?? code};
  }
}

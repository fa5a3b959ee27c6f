// From the texts of the three files, ours, and facts about the machine to one ClusterConfig, or to the reasons why not.
// Pure: everything of the outside comes in as facts. Promises: no exception for any text; a config is returned exactly
// when there was no error; findings come in the order of files and lines.

import type {ClusterConfig, Diagnostic} from '../model/config.js';
import {parseAuthkeys} from './authkeys.js';
import type {Facts} from './facts.js';
import {parseHaCf} from './ha-cf.js';
import {haConfigOf} from './ha-cf-build.js';
import {checkHaCf} from './ha-cf-check.js';
import {parseHaresources} from './haresources.js';
import {checkHaresources} from './haresources-check.js';
import {findings} from './report.js';
import type {SourceFile} from './source.js';
import {parseSystoleConf} from './systole-conf.js';

export interface ConfigInput {
  readonly haCf: SourceFile;
  readonly authkeys: SourceFile;
  readonly haresources: SourceFile;
  readonly systoleConf?: SourceFile | undefined;
  readonly facts: Facts;
}

export interface ConfigResult {
  /** Absent when there is an error. */
  readonly config?: ClusterConfig;
  readonly diagnostics: readonly Diagnostic[];
}

export function buildConfig({haCf, authkeys, haresources, systoleConf, facts}: ConfigInput): ConfigResult {
  const {report, diagnostics, hasErrors} = findings();
  const draft = parseHaCf(haCf, facts, report);
  if (haCf.text !== undefined) checkHaCf(draft);
  const keyring = parseAuthkeys(authkeys, facts.authkeysMode, report);
  const groups = parseHaresources(haresources, report);
  const nodes = draft.nodes.map(({text}) => text.toLowerCase());
  checkHaresources(groups, haresources, {nodes, facts, report});
  const systole = parseSystoleConf(systoleConf, report);
  const files = [haCf, authkeys, haresources, systoleConf].map((source) => source?.path ?? '');
  const sorted = inFileOrder(diagnostics, files);
  if (hasErrors() || keyring === undefined) return {diagnostics: sorted};
  const config = {ha: haConfigOf(draft), keyring, groups: groups.map(({group}) => group), systole};
  return {config, diagnostics: sorted};
}

/** What concerns a whole file follows what concerns its lines. */
function inFileOrder(diagnostics: readonly Diagnostic[], files: readonly string[]): Diagnostic[] {
  const rank = ({file, line, column}: Diagnostic) => [files.indexOf(file), line === 0 ? Infinity : line, column];
  return [...diagnostics].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const at = left.findIndex((each, index) => each !== right[index]);
    return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
  });
}

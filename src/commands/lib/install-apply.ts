// Does what an install plan says, below a destination directory. Promises: running it again changes nothing more; a file
// below /etc that somebody changed is left alone, ours is put beside it as `.systole-new`; a program that is not ours is never
// replaced unless forced; each step is reported.

import {createHash} from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {dirname} from 'node:path';
import {unreachable} from '../../model/unreachable.js';
import type {Step} from './install-plan.js';

export interface Done {
  readonly path: string;
  readonly what: 'created' | 'updated' | 'unchanged' | 'kept' | 'refused' | 'removed';
  readonly note?: string;
}

export interface ApplyOptions {
  readonly destdir: string;
  readonly prefix: string;
  readonly dryRun: boolean;
  readonly force: boolean;
}

export function applyPlan(plan: readonly Step[], options: ApplyOptions): readonly Done[] {
  const record = readRecord(options);
  const done = plan.map((step) => apply(step, options, record));
  if (!options.dryRun) writeRecord(options, record);
  return done;
}

/** Checksums of the files below /etc as we installed them, by path: what differs from them was changed by somebody. */
export type InstallRecord = Map<string, string>;

function apply(step: Step, options: ApplyOptions, record: InstallRecord): Done {
  const path = `${options.destdir}${step.to}`;
  if (!options.dryRun) mkdirSync(dirname(path), {recursive: true});
  switch (step.kind) {
    case 'directory':
      return makeDirectory(step, path, options);
    case 'link':
      return makeLink(step, path, options);
    case 'config':
      return placeConfig(step, path, options, record);
    case 'copy':
      return copy(step, path, options);
    default:
      return unreachable(step);
  }
}

function makeDirectory(step: Step & {kind: 'directory'}, path: string, {dryRun}: ApplyOptions): Done {
  if (exists(path)) return {path: step.to, what: 'unchanged'};
  if (!dryRun) mkdirSync(path, {recursive: true, mode: step.mode});
  return {path: step.to, what: 'created'};
}

function makeLink(step: Step & {kind: 'link'}, path: string, {dryRun, force}: ApplyOptions): Done {
  const present = linkTarget(path);
  if (present === step.target) return {path: step.to, what: 'unchanged'};
  const isOurs = present?.includes('systole/bin/') === true;
  if (exists(path) && !isOurs && !force) {
    return {
      path: step.to,
      what: 'refused',
      note: 'another program of that name is there; remove its package, or use --force',
    };
  }
  const what = exists(path) ? 'updated' : 'created';
  if (!dryRun) {
    rmSync(path, {force: true});
    symlinkSync(step.target, path);
  }
  return {path: step.to, what};
}

function copy(step: Step & {kind: 'copy'}, path: string, {dryRun, prefix}: ApplyOptions): Done {
  const isFolder = statSync(step.from).isDirectory();
  if (isFolder) {
    const what = exists(path) ? 'updated' : 'created';
    // Installing a tree onto itself, as an installed systole could be asked to.
    if (path === step.from || isSameTree(step.from, path)) return {path: step.to, what: 'unchanged'};
    if (!dryRun) {
      // Files that a former version had and this one has not must go.
      rmSync(path, {recursive: true, force: true});
      cpSync(step.from, path, {recursive: true, dereference: false, verbatimSymlinks: true, filter: isWanted});
    }
    return {path: step.to, what};
  }
  const text = withPrefix(readFileSync(step.from), prefix);
  if (exists(path) && readFileSync(path).equals(text)) return {path: step.to, what: 'unchanged'};
  const what = exists(path) ? 'updated' : 'created';
  if (!dryRun) writeMode(path, text, step.mode ?? 0o644);
  return {path: step.to, what};
}

function placeConfig(step: Step & {kind: 'config'}, path: string, options: ApplyOptions, record: InstallRecord): Done {
  const ours = withPrefix(readFileSync(step.from), options.prefix);
  const present = exists(path) ? readFileSync(path) : undefined;
  const isUntouched = present === undefined || present.equals(ours) || record.get(step.to) === sum(present);
  if (present?.equals(ours)) {
    record.set(step.to, sum(ours));
    return {path: step.to, what: 'unchanged'};
  }
  if (!isUntouched) {
    if (!options.dryRun) writeMode(`${path}.systole-new`, ours, step.mode);
    return {path: step.to, what: 'kept', note: `changed by somebody; ours is ${step.to}.systole-new`};
  }
  if (!options.dryRun) writeMode(path, ours, step.mode);
  record.set(step.to, sum(ours));
  return {path: step.to, what: present === undefined ? 'created' : 'updated'};
}

/** Scripts and units name programs below /usr; another prefix moves them. */
export function withPrefix(text: Buffer, prefix: string): Buffer {
  if (prefix === '/usr') return text;
  return Buffer.from(
    text.toString('latin1').replace(/\/usr\/(libexec|share|sbin|lib\/systole)\b/g, `${prefix}/$1`),
    'latin1',
  );
}

/** True when the installed folder has exactly the wanted files, with the same bytes. */
function isSameTree(from: string, to: string): boolean {
  if (!exists(to)) return false;
  const wanted = treeOf(from);
  const present = treeOf(to);
  return wanted.size === present.size && [...wanted].every(([name, text]) => present.get(name) === text);
}

function treeOf(directory: string): ReadonlyMap<string, string> {
  const files = readdirSync(directory, {recursive: true, withFileTypes: true}).filter((each) => !each.isDirectory());
  const found = files.map((each): [string, string] => {
    const path = `${each.parentPath}/${each.name}`;
    const text = each.isSymbolicLink() ? readlinkSync(path) : sum(readFileSync(path));
    return [path.slice(directory.length), text];
  });
  return new Map(found.filter(([name]) => isWanted(name)));
}

/** Compiled tests and source maps help nobody at run time. */
function isWanted(path: string): boolean {
  return !/\.(map|tsbuildinfo)$|\.d\.ts$/.test(path);
}

export function recordPath({destdir, prefix}: ApplyOptions): string {
  return `${destdir}${prefix}/lib/systole/installed.json`;
}

export function readRecord(options: ApplyOptions): InstallRecord {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(recordPath(options), 'utf8')) as Record<string, string>));
  } catch {
    return new Map();
  }
}

function writeRecord(options: ApplyOptions, record: InstallRecord): void {
  writeMode(recordPath(options), Buffer.from(`${JSON.stringify(Object.fromEntries(record), undefined, 2)}\n`), 0o644);
}

function writeMode(path: string, text: Buffer, mode: number): void {
  // A link in the way would make us write into somebody else's file.
  rmSync(path, {force: true});
  writeFileSync(path, text);
  chmodSync(path, mode);
}

export function exists(path: string): boolean {
  return lstatSync(path, {throwIfNoEntry: false}) !== undefined;
}

export function linkTarget(path: string): string | undefined {
  return lstatSync(path, {throwIfNoEntry: false})?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}

export function sum(text: Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

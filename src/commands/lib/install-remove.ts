// Takes back what an install plan laid out. Promises: only what is ours goes (links into our package, files with our bytes,
// files below /etc that are still as we installed them); configuration, state and logs stay; the package directory, from which
// this very program may run, goes last; running it again changes nothing.

import {readFileSync, rmSync, statSync} from 'node:fs';
import {unreachable} from '../../model/unreachable.js';
import {
  type ApplyOptions,
  type Done,
  exists,
  type InstallRecord,
  linkTarget,
  readRecord,
  sum,
  withPrefix,
} from './install-apply.js';
import type {Step} from './install-plan.js';

export function removePlan(plan: readonly Step[], options: ApplyOptions): readonly Done[] {
  const record = readRecord(options);
  const home = `${options.prefix}/lib/systole`;
  const done = plan
    .filter((step) => step.kind !== 'directory' && !step.to.startsWith(`${home}/`))
    .flatMap((step) => remove(step, options, record));
  return [...done, ...take(home, true, options)];
}

function remove(step: Step, options: ApplyOptions, record: InstallRecord): Done[] {
  const path = `${options.destdir}${step.to}`;
  switch (step.kind) {
    case 'directory':
      return [];
    case 'link':
      return take(step.to, linkTarget(path) === step.target, options);
    case 'copy':
      return take(step.to, hasText(path, textOf(step, options)), options);
    case 'config': {
      const ours = textOf(step, options);
      const beside = `${step.to}.systole-new`;
      return [
        ...take(step.to, isAsInstalled(path, record.get(step.to)), options),
        ...take(beside, hasText(`${options.destdir}${beside}`, ours), options),
      ];
    }
    default:
      return unreachable(step);
  }
}

/** A file that was there before us has no record, even if it reads the same. */
function isAsInstalled(path: string, recorded: string | undefined): boolean {
  return recorded !== undefined && isFile(path) && sum(readFileSync(path)) === recorded;
}

function textOf(step: Step & {kind: 'copy' | 'config'}, {prefix}: ApplyOptions): Buffer {
  return withPrefix(readFileSync(step.from), prefix);
}

function hasText(path: string, text: Buffer): boolean {
  return isFile(path) && readFileSync(path).equals(text);
}

function isFile(path: string): boolean {
  return statSync(path, {throwIfNoEntry: false})?.isFile() === true;
}

function take(to: string, isOurs: boolean, {destdir, dryRun}: ApplyOptions): Done[] {
  const path = `${destdir}${to}`;
  if (!exists(path)) return [];
  if (!isOurs) return [{path: to, what: 'kept', note: 'not ours, or changed by somebody'}];
  if (!dryRun) rmSync(path, {recursive: true});
  return [{path: to, what: 'removed'}];
}

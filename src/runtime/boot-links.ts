// What init starts by itself: links of sysvinit's runlevels and of systemd's targets. A server that heartbeat manages must not be
// among them: it would run on both nodes. Promises: only names of directories are read, and what cannot be read has no links.

import {join} from 'node:path';
import {findAgent} from './agents.js';
import {namesIn} from './names-in.js';

const RUNLEVELS = ['2', '3', '4', '5'];

export interface BootDirs {
  readonly agentDirs: readonly string[];
  readonly unitDirs: readonly string[];
  /** Where `rc2.d` and the others are. */
  readonly etcDir: string;
}

/** The link by which init starts what this resource stands for; undefined: none. Only init scripts and units are looked for. */
export function bootLinkOf(
  {script, args}: {readonly script: string; readonly args: readonly string[]},
  dirs: BootDirs,
) {
  const name = script === 'systemd' ? args[0] : script;
  if (name === undefined) return undefined;
  const unit = name.includes('.') ? name : `${name}.service`;
  const found = findAgent(dirs.agentDirs, script, dirs.unitDirs);
  const isUnit = script === 'systemd' || (found.found && found.leadingArgs.length > 0);
  const isInitScript = found.found && found.path === join(dirs.etcDir, 'init.d', script);
  if (!isUnit && !isInitScript) return undefined;
  return linkOfTarget(unit, dirs.unitDirs) ?? (isInitScript ? linkOfRunlevel(name, dirs.etcDir) : undefined);
}

function linkOfTarget(unit: string, unitDirs: readonly string[]): string | undefined {
  for (const directory of unitDirs) {
    const targets = namesIn(directory).filter((each) => /\.(wants|requires)$/.test(each));
    const target = targets.find((each) => namesIn(join(directory, each)).includes(unit));
    if (target !== undefined) return join(directory, target, unit);
  }
  return undefined;
}

function linkOfRunlevel(name: string, etcDir: string): string | undefined {
  for (const level of RUNLEVELS) {
    const directory = join(etcDir, `rc${level}.d`);
    const link = namesIn(directory).find((each) => /^S\d\d/.test(each) && each.slice(3) === name);
    if (link !== undefined) return join(directory, link);
  }
  return undefined;
}

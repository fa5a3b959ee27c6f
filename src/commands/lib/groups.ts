// haresources as ResourceManager needs it: the groups, without judging the file. Keys are compared as whole words and names
// as names; Heartbeat's own script matched patterns anywhere in a line, and so joined groups that had a word in common.

import {readFileSync} from 'node:fs';
import {parseHaresources} from '../../config/haresources.js';
import type {ResourceGroup} from '../../model/resource.js';
import {EXIT, Exit, paths} from './program.js';

export function readGroups(): readonly ResourceGroup[] {
  const path = `${paths().haDir}/haresources`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Exit(
      EXIT.unconfigured,
      `Cannot open resources file [${path}]: ${(error as Error).message.replace(/,.*/, '')}`,
    );
  }
  return parseHaresources({path, text}, () => undefined).map((each) => each.group);
}

export function groupOf(key: string): ResourceGroup {
  const group = readGroups().find((each) => each.key === key);
  if (!group) throw new Exit(EXIT.usage, `no group in ${paths().haDir}/haresources has the key ${key}`);
  return group;
}

/** Keys of the groups whose home matches; the pattern is a regular expression, as callers have always used `.*`. */
export function keysOf(pattern: string): readonly string[] {
  let matcher: RegExp;
  try {
    matcher = new RegExp(`^(?:${pattern})$`, 'i');
  } catch {
    throw new Exit(EXIT.usage, `${pattern} is not a node name`);
  }
  return readGroups()
    .filter((group) => matcher.test(group.home))
    .map((group) => group.key);
}

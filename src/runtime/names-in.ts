// What a directory holds, by name. One that cannot be read holds nothing.

import {readdirSync} from 'node:fs';

export function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

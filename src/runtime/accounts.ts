// Looks up users and groups in the local account files. Names that only a directory service knows are not found; every
// account that Heartbeat's own configuration names (root, hacluster, haclient) is local.

import {readFileSync} from 'node:fs';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export function userAccount(name: string): Account | undefined {
  const fields = entryOf('/etc/passwd', name);
  return fields === undefined ? undefined : {uid: Number(fields[2]), gid: Number(fields[3])};
}

export function groupId(name: string): number | undefined {
  const fields = entryOf('/etc/group', name);
  return fields === undefined ? undefined : Number(fields[2]);
}

function entryOf(file: string, name: string): string[] | undefined {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.map((line) => line.split(':')).find((fields) => fields[0] === name && /^\d+$/.test(fields[2] ?? ''));
  } catch {
    return undefined;
  }
}

// The directories in which clients of the API make their own sockets: dopd, for one, runs as hacluster and ends at once without
// its own. Debian's tmpfiles.d makes them at boot; here they are made where that did not happen. Promises to change
// nothing that is there already, and never to fail: a client that cannot work says so itself.

import {chownSync, mkdirSync} from 'node:fs';
import {type LogRecord, log} from '../model/log.js';
import {groupId, userAccount} from './accounts.js';

const NAMES = ['ccm', 'crm', 'dopd'] as const;

export function prepareClientDirs(runDir: string, onLog: (record: LogRecord) => void): void {
  const uid = userAccount('hacluster')?.uid;
  const gid = groupId('haclient');
  // Only root can give them away, and to nobody if the accounts are missing.
  if (uid === undefined || gid === undefined || process.geteuid?.() !== 0) return;
  for (const name of NAMES) {
    const path = `${runDir}/${name}`;
    try {
      mkdirSync(path, {mode: 0o750});
      chownSync(path, uid, gid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      onLog(log('WARN', 'CLIENT_DIRECTORY', `${path}: ${(error as Error).message}`));
    }
  }
}

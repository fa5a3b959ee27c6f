// Where a client that the daemon respawns writes its lines: the daemon's log file, in its own style, and syslog when a
// facility is configured. The daemon's environment names both (resource-engine.md 3.3); without it, standard error.

import {spawn} from 'node:child_process';
import {appendFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {stamp} from './program.js';

export type ClientLog = (level: 'info' | 'WARN' | 'ERROR', text: string) => void;

export function clientLog(name: string): ClientLog {
  const node = process.env['HA_CURHOST'] ?? hostname();
  const file = process.env['HA_LOGFILE'];
  const facility = process.env['HA_LOGFACILITY'];
  return (level, text) => {
    const message = `${level}: ${text.replace(/\s+/g, ' ').slice(0, 1000)}`;
    try {
      if (file) appendFileSync(file, `${stamp()} ${node} ${name}: [${process.pid}]: ${message}\n`);
      else process.stderr.write(`${name}: ${message}\n`);
    } catch {
      // A full disk must not stop what this client is for.
    }
    if (facility && facility !== 'none') toSyslog(name, facility, level, message);
  };
}

const PRIORITY = {info: 'info', WARN: 'warning', ERROR: 'err'} as const;

function toSyslog(name: string, facility: string, level: keyof typeof PRIORITY, message: string): void {
  const priority = `${facility}.${PRIORITY[level]}`;
  const logger = spawn('logger', ['-t', name, '-p', priority, '--', `[${process.pid}]: ${message}`], {stdio: 'ignore'});
  logger.on('error', () => {});
  logger.unref();
}

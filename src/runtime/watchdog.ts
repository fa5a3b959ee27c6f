// The kernel watchdog: once opened it resets this machine unless it is fed. Fed only by an effect of the core, never by a
// timer. Node has no ioctl, so perl (essential on Debian) sets the time-out on our open descriptor; where that fails the
// device's own default stays in force (60 s for softdog), which is logged. Promises: no failure here ever stops the daemon.

import {spawn} from 'node:child_process';
import {closeSync, constants, openSync, writeSync} from 'node:fs';
import {type LogRecord, log} from '../model/log.js';

export interface Watchdog {
  feed(): void;
  /** The magic close: everything is released, the machine may live without us. */
  disarm(): void;
}

/** WDIOC_SETTIMEOUT, the same number on every architecture Debian builds for but mips, powerpc and sparc. */
const SET_TIMEOUT = `open(my $w, '>&=', 3) or exit 2; my $t = pack('i', $ARGV[0]); ioctl($w, 0xC0045706, $t) or exit 1`;

export function openWatchdog(path: string, deadtimeMs: number, tell: (record: LogRecord) => void): Watchdog {
  let file: number | undefined;
  try {
    // Never O_CREAT: a missing device must not become a regular file that swallows the feeding.
    file = openSync(path, constants.O_WRONLY);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown';
    tell(log('ERROR', 'WATCHDOG', `Cannot open watchdog device: ${path}`, {reason}));
    return {feed: () => {}, disarm: () => {}};
  }
  setDeviceTimeout(file, Math.ceil((deadtimeMs + 10) / 1000), path, tell);
  let hasFailed = false;
  const write = (byte: string): void => {
    try {
      if (file !== undefined) writeSync(file, byte);
    } catch (error) {
      if (!hasFailed) tell(log('ERROR', 'WATCHDOG', `Cannot write to watchdog ${path}: ${String(error)}`));
      hasFailed = true;
    }
  };
  return {
    feed: () => write('\0'),
    disarm: () => {
      write('V');
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

function setDeviceTimeout(file: number, seconds: number, path: string, tell: (record: LogRecord) => void): void {
  const perl = spawn('/usr/bin/perl', ['-e', SET_TIMEOUT, String(seconds)], {
    stdio: ['ignore', 'ignore', 'ignore', file],
    cwd: '/',
  });
  const failed = (): void =>
    tell(log('WARN', 'WATCHDOG', `watchdog ${path} keeps its own time-out: ${seconds} s could not be set`));
  perl.on('error', failed);
  perl.on('exit', (code) => {
    if (code === 0) tell(log('info', 'WATCHDOG', `watchdog ${path} resets this node after ${seconds} s`));
    else if (code !== null) failed();
  });
}

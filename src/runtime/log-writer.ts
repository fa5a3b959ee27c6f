// Writes log records to the places ha.cf names: logfile, debugfile, a JSON file, syslog, and stderr until the daemon has
// detached. Promises: write never throws and never waits for another process; a full disk costs lines, not service, and
// is reported once when there is space again; a rotated file is noticed. Lines reach the kernel before write returns, so
// that nothing is lost in the tick of process.exit. Why not winston: docs/adr/0010-log-writer-in-plain-code.md.

import type {LogContext} from '../log/format.js';
import {classicLine, jsonLine, syslogText} from '../log/format.js';
import {type LogRecord, log} from '../model/log.js';
import {LogFile, type Owner} from './log-file.js';
import {SyslogChild} from './log-syslog.js';

export interface LogOptions {
  readonly logfile?: string | undefined;
  readonly debugfile?: string | undefined;
  readonly jsonFile?: string | undefined;
  /** Gets logfile and debugfile: clients that run as hacluster append to them by themselves, as to Heartbeat's. */
  readonly owner?: Owner | undefined;
  /** A syslog facility; undefined: no syslog. */
  readonly facility?: string | undefined;
  readonly syslogmsgfmt: boolean;
  /** 0: debug records are dropped. */
  readonly debug: number;
  /** Until detach() lines go to stderr too. */
  readonly stderr: boolean;
  /** Node, pid, generation and both clocks, at the moment of a line. */
  context(): LogContext;
  /** The program that feeds syslog; tests put their own here. */
  readonly loggerCommand?: readonly string[];
}

export interface Log {
  write(record: LogRecord): void;
  /** After rotation (SIGHUP): files are opened again by name. */
  reopen(): void;
  /** The daemon has detached: stderr is no longer ours. */
  detach(): void;
  setDebug(level: number): void;
  /** Ends the syslog child after its queue, in bounded time. */
  close(): Promise<void>;
}

export function openLog(options: LogOptions): Log {
  const logfile = fileOf(options.logfile, options.owner);
  const debugfile = fileOf(options.debugfile, options.owner);
  const jsonFile = fileOf(options.jsonFile);
  const files = [logfile, debugfile, jsonFile].filter((file) => file !== undefined);
  const syslog = options.facility === undefined ? undefined : new SyslogChild(options.facility, options.loggerCommand);
  let stderr = options.stderr;
  let debug = options.debug;

  /** Debug lines go to the debug file (and for programs) only; everything goes there. */
  function put(record: LogRecord): void {
    const context = options.context();
    const line = classicLine(record, context, options.syslogmsgfmt);
    if (record.level !== 'debug') {
      logfile?.writeLine(line);
      syslog?.send(record.level, syslogText(record, context));
    }
    debugfile?.writeLine(line);
    jsonFile?.writeLine(jsonLine(record, context));
    if (stderr) writeStderr(line);
  }

  function reportLosses(): void {
    for (const file of files) {
      const lost = file.takeLosses();
      if (lost > 0) put(log('ERROR', 'LOG_LINES_LOST', `${lost} lines could not be written to ${file.path}`, {lost}));
    }
    const dropped = syslog?.takeLosses() ?? 0;
    if (dropped > 0)
      put(log('ERROR', 'LOG_LINES_LOST', `${dropped} lines could not be sent to syslog`, {lost: dropped}));
  }

  return {
    write: (record) => {
      if (record.level === 'debug' && debug === 0) return;
      put(record);
      reportLosses();
    },
    reopen: () => {
      for (const file of files) file.reopen();
    },
    detach: () => {
      stderr = false;
    },
    setDebug: (level) => {
      debug = level;
    },
    close: async () => {
      for (const file of files) file.close();
      await syslog?.close();
    },
  };
}

function fileOf(path: string | undefined, owner?: Owner): LogFile | undefined {
  return path === undefined || path === '/dev/null' ? undefined : new LogFile(path, undefined, owner);
}

/** A closed or full pipe at the other end of stderr is nobody's emergency. */
function writeStderr(line: string): void {
  try {
    process.stderr.write(`${line}\n`);
  } catch {
    // Nothing reads it.
  }
}

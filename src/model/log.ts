// One log entry, as a core emits it. src/log renders it twice: the classic ha-log line and a JSON line.

export type LogLevel = 'EMERG' | 'ALERT' | 'CRIT' | 'ERROR' | 'WARN' | 'notice' | 'info' | 'debug';

export interface LogRecord {
  readonly level: LogLevel;
  /** Stable upper-case identifier for programs, e.g. `NODE_DEAD`. */
  readonly code: string;
  /** The line people and log-watchers read; Heartbeat's own wording where it has one. */
  readonly text: string;
  readonly data?: Readonly<Record<string, string | number | boolean>>;
}

/** A short form: `log('WARN', 'NODE_DEAD', 'node n2: is dead', {node: 'n2'})`. */
export function log(level: LogLevel, code: string, text: string, data?: LogRecord['data']): LogRecord {
  return data === undefined ? {level, code, text} : {level, code, text, data};
}

// `drbdsetup events2 --statistics` as a child that never ends: whole lines out, and its end. Promises: bounded memory, whatever
// it prints; it does not outlive this process (setpriv sets a death signal; without it, it ends at its next line), and
// close() ends it.

import {type ChildProcess, spawn} from 'node:child_process';
import type {DrbdTools} from './tools.js';

/** The longest line of DRBD has a few hundred characters. */
const LINE_MAX = 65_536;

export interface StreamHandlers {
  readonly onLines: (lines: readonly string[]) => void;
  /** Once: it could not be started, it ended, or it printed what is no line. Not after close(). */
  readonly onEnd: () => void;
}

export interface EventStream {
  close(): void;
}

/** undefined: drbdsetup is not installed. `isPlain`: without setpriv, of which some know no death signal. */
export function openEventStream(tools: DrbdTools, handlers: StreamHandlers, isPlain: boolean): EventStream | undefined {
  const drbdsetup = tools.find('drbdsetup');
  if (drbdsetup === undefined) return undefined;
  const setpriv = isPlain ? undefined : tools.find('setpriv');
  const before = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM', '--'];
  const [path = drbdsetup, ...args] = [...before, drbdsetup, 'events2', '--statistics'];
  const child = spawn(path, args, {cwd: '/', env: {...tools.env}, stdio: ['ignore', 'pipe', 'ignore']});
  let isOver = false;
  const end = (isSaid: boolean): void => {
    if (isOver) return;
    isOver = true;
    child.stdout?.destroy();
    kill(child);
    if (isSaid) handlers.onEnd();
  };
  child.on('error', () => end(true));
  child.on('exit', () => end(true));
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (lines.length > 0) handlers.onLines(lines);
    if (rest.length > LINE_MAX) end(true);
  });
  child.stdout?.on('error', () => {});
  return {close: () => end(false)};
}

function kill(child: ChildProcess): void {
  // What is stuck in the kernel ends when it can; nobody waits for it.
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  child.unref();
}

// Runs the administrator's own message hooks: a message of a type that Systole has no logic for, and an executable rc.d file
// of exactly that name, give one run of `harc TYPE` (resource-engine.md 1.1, 3.3). The types Heartbeat ships hooks for
// are handled by the core itself and never run here. One hook at a time, in order, each with a time-out, the queue bounded.

import {statSync} from 'node:fs';
import {type LogRecord, log} from '../model/log.js';
import {fieldOf, type Message} from '../model/message.js';
import {isPlainName} from './agents.js';
import {runProgram} from './run-program.js';
import {isVariable, type ScriptEnv} from './script-env.js';

export interface HookOptions {
  readonly haDir: string;
  /** Further places of `harc`, after haDir: a checkout's bin directory. */
  readonly harcDirs: readonly string[];
  readonly env: () => ScriptEnv;
  readonly log: (record: LogRecord) => void;
  readonly niceFailback: () => boolean;
  readonly ownStatus: () => string;
  readonly timeoutMs?: number;
  readonly queueMax?: number;
}

export interface Hooks {
  /** Queues the message's hook, if it has one. */
  offer(message: Message): void;
  /** Settles when the queue is empty. */
  idle(): Promise<void>;
}

/** Types with logic of their own in a daemon, on the wire or between API clients. */
const BUILT_IN = new Set(
  `status NS_st NS_ackmsg NS_rexmit starting resource ask_resources hb_takeover ip-request ip-request-resp shutdone
  stonith ifstat hbapi-req hbapi-resp hbapi-clstat query-cstatus respond-cstatus addnode delnode setweight setsite
  num_ping_nodes you_are_dead abort_giveup start_outdate outdate_rc reqnodes repnodes ackmsg rexmit norexmit`.split(
    /\s+/,
  ),
);

export function createHooks(options: HookOptions): Hooks {
  const queue: Message[] = [];
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await runHook(options, next);
    isRunning = false;
  };
  return {
    offer(message) {
      const type = fieldOf(message, 't') ?? '';
      if (BUILT_IN.has(type) || !isPlainName(type) || !isExecutable(`${options.haDir}/rc.d/${type}`)) return;
      if (queue.length >= (options.queueMax ?? 64)) {
        options.log(log('ERROR', 'HOOK_DROPPED', `rc.d/${type} is not run: ${queue.length} hooks are waiting`, {type}));
        return;
      }
      queue.push(message);
      if (isRunning) return;
      isRunning = true;
      running = work();
    },
    idle: () => running,
  };
}

async function runHook(options: HookOptions, message: Message): Promise<void> {
  const type = (fieldOf(message, 't') ?? '').toLowerCase();
  const harc = [options.haDir, ...options.harcDirs].map((dir) => `${dir}/harc`).find(isExecutable);
  if (harc === undefined) {
    options.log(log('ERROR', 'HOOK_FAILED', `no harc in ${options.haDir}: rc.d/${type} is not run`, {type}));
    return;
  }
  const exit = await runProgram({
    path: harc,
    args: [type],
    env: {...options.env(), ...messageEnv(options, message)},
    timeoutMs: options.timeoutMs ?? 30_000,
    killDelayMs: 2000,
    onErrorLine: (line) => options.log(log('info', 'HOOK_SAID', `harc ${type}: ${line}`, {type})),
  }).done;
  if (exit.code === 0) return;
  const how = exit.timedOut ? 'was stopped by its time-out' : `ended with ${exit.code ?? exit.signal ?? 'no start'}`;
  options.log(log('ERROR', 'HOOK_FAILED', `${harc} ${type} ${how}`, {type, tookMs: Math.round(exit.tookMs)}));
}

/** One HA_<field> per string field; binary fields are not exported. */
function messageEnv(options: HookOptions, message: Message): Record<string, string> {
  const env: Record<string, string> = {HA_OSTATUS: options.ownStatus(), HA_LOGD: 'no'};
  if (options.niceFailback()) env['HA_NICEFAILBACK'] = 'yes';
  for (const {name, type, value} of message.fields) {
    // The sender's bytes, never more than one variable: a NUL would make the whole start fail.
    if (type === 0 && isVariable(name) && !value.includes('\0')) env[`HA_${name}`] = value;
  }
  return env;
}

function isExecutable(path: string): boolean {
  const found = statSync(path, {throwIfNoEntry: false});
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

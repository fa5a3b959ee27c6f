// Runs resource agents for the core: one call in, one exit out, in the words of model/resource.ts. It draws no
// conclusion from what it sees. Promises: every call yields exactly one exit, missing agents and time-outs included; while a
// killed script of a group is stuck in the kernel, where it may still finish what it began, the group's calls time out.

import {type LogRecord, log} from '../model/log.js';
import type {ResourceCall, ResourceExit} from '../model/resource.js';
import {findAgent} from './agents.js';
import {isGroupAlive, pollUntil} from './process-group.js';
import {type ProgramExit, type RunningProgram, runProgram} from './run-program.js';
import type {ScriptEnv} from './script-env.js';
import type {ScriptJournal} from './script-journal.js';

export interface ScriptRunnerOptions {
  readonly agentDirs: readonly string[];
  readonly unitDirs?: readonly string[];
  readonly log: (record: LogRecord) => void;
  readonly env: ScriptEnv;
  /** Remembers running scripts over a crash of this process; absent in one-shot tools. */
  readonly journal?: ScriptJournal;
  /** For tests, which cannot make a process that survives SIGKILL. */
  readonly isGroupAlive?: (pid: number) => boolean;
}

/** A script that is stuck is given this long before a call is refused. */
const STUCK_LOOK_MS = 1000;

export interface ScriptRunner {
  run(id: number, call: ResourceCall): Promise<ResourceExit>;
  /** Ends a running call early; its exit still comes. Unknown ids are ignored. */
  cancel(id: number): void;
  useEnv(env: ScriptEnv): void;
  readonly running: number;
}

export function createScriptRunner(options: ScriptRunnerOptions): ScriptRunner {
  const running = new Map<number, RunningProgram>();
  const stuck = new Map<string, number>();
  const passedOver = new Set<string>();
  const isAlive = options.isGroupAlive ?? isGroupAlive;
  let env = options.env;
  return {
    async run(id, call) {
      const before = stuck.get(call.group);
      if (before !== undefined) {
        if (!(await pollUntil(() => !isAlive(before), STUCK_LOOK_MS))) return refused(options, call, before);
        stuck.delete(call.group);
        options.journal?.ended(before);
      }
      const agent = findAgent(options.agentDirs, call.resource.script, options.unitDirs);
      if (!agent.found) {
        // Not at once: whatever the core tries next, packets and clients are read in between.
        await new Promise((resolve) => setImmediate(resolve));
        return cannotRun(options, call, agent.reason);
      }
      if (agent.passedOver !== undefined && !passedOver.has(agent.passedOver)) {
        passedOver.add(agent.passedOver);
        const text = `${agent.path} is used, and not ${agent.passedOver} of drbd-utils, which judges nothing itself`;
        options.log(log('info', 'AGENT_PASSED_OVER', text));
      }
      const args = [...agent.leadingArgs, ...call.resource.args, call.action];
      announce(options, call, agent.path, args);
      const program = runProgram({
        path: agent.path,
        args,
        env,
        timeoutMs: call.timeoutMs,
        killDelayMs: call.killDelayMs,
        onErrorLine: (line) => options.log(log('info', 'SCRIPT_SAID', `${call.resource.word}: ${line}`, named(call))),
      });
      running.set(id, program);
      if (program.pid !== undefined) options.journal?.started(program.pid);
      const exit = await program.done;
      const isStuck = exit.timedOut && program.pid !== undefined && isAlive(program.pid);
      if (program.pid !== undefined && isStuck) stuck.set(call.group, program.pid);
      else if (program.pid !== undefined) options.journal?.ended(program.pid);
      running.delete(id);
      report(options, call, agent.path, args, exit);
      return pick(exit);
    },
    cancel(id) {
      running.get(id)?.cancel();
    },
    useEnv(next) {
      env = next;
    },
    get running() {
      return running.size;
    },
  };
}

function cannotRun(options: ScriptRunnerOptions, call: ResourceCall, reason: string): ResourceExit {
  const {script} = call.resource;
  options.log(log('ERROR', 'SCRIPT_MISSING', `Cannot locate resource script ${script}`, {...named(call), reason}));
  return {code: undefined, output: '', timedOut: false, missing: true, tookMs: 0};
}

/** Whatever the agent would say now, the script before it may still change it. */
function refused(options: ScriptRunnerOptions, call: ResourceCall, pid: number): ResourceExit {
  const text = `${call.resource.word} ${call.action} not run: process ${pid} of this group was killed and does not end`;
  options.log(log('ERROR', 'SCRIPT_STUCK', text, {...named(call), pid}));
  return {code: undefined, output: '', timedOut: true, missing: false, tookMs: STUCK_LOOK_MS};
}

function announce(options: ScriptRunnerOptions, call: ResourceCall, path: string, args: readonly string[]): void {
  // A status call is not news: the monitor makes one every few seconds.
  const level = call.action === 'status' ? 'debug' : 'info';
  options.log(log(level, 'SCRIPT_RUN', `Running ${[path, ...args].join(' ')}`, named(call)));
}

function report(
  options: ScriptRunnerOptions,
  call: ResourceCall,
  path: string,
  args: readonly string[],
  exit: ProgramExit,
): void {
  const data = {...named(call), tookMs: Math.round(exit.tookMs)};
  const line = [path, ...args].join(' ');
  if (exit.timedOut) {
    const text = `${line} did not end within ${Math.round(exit.tookMs)} ms; its process group was killed`;
    options.log(log('ERROR', 'SCRIPT_TIMED_OUT', text, data));
  } else if (exit.missing) {
    options.log(log('ERROR', 'SCRIPT_MISSING', `Cannot execute ${path}`, data));
  } else if (call.action !== 'status' && exit.code !== 0) {
    const what = exit.code === undefined ? `Signal ${exit.signal ?? 'unknown'}` : `Return code ${exit.code}`;
    options.log(log('ERROR', 'SCRIPT_FAILED', `${what} from ${path}`, data));
  }
}

function named(call: ResourceCall): Record<string, string> {
  return {group: call.group, resource: call.resource.word, action: call.action};
}

function pick({code, output, timedOut, missing, tookMs}: ProgramExit): ResourceExit {
  return {code, output, timedOut, missing, tookMs};
}

// Makes the peer harmless through a STONITH device: cluster-glue's external plugins, called as `PLUGIN reset NODE` with their
// parameters in the environment (resource-engine.md 5.4). Promises: one verdict per request within a bounded time, ok only
// when the plugin exited 0 and was begun after the request; the same node is never reset twice at once; parameters
// (passwords) never reach the log.

import type {StonithDevice} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {isPlainName} from './agents.js';
import {type ProgramExit, runProgram} from './run-program.js';
import {isVariable, type ScriptEnv} from './script-env.js';

export interface FencerOptions {
  readonly device: StonithDevice | undefined;
  readonly env: ScriptEnv;
  readonly log: (record: LogRecord) => void;
  readonly pluginDir?: string;
  readonly timeoutMs?: number;
}

export interface FencingVerdict {
  readonly ok: boolean;
  readonly text: string;
}

export interface Fencer {
  reset(node: string): Promise<FencingVerdict>;
  /** Does the device answer? Told at start and once an hour; a failure is only logged. */
  check(): Promise<FencingVerdict>;
}

const PLUGIN_DIR = '/usr/lib/stonith/plugins/external';
const KILL_DELAY_MS = 5000;

export function createFencer(options: FencerOptions): Fencer {
  const running = new Map<
    string,
    {readonly current: Promise<FencingVerdict>; next: Promise<FencingVerdict> | undefined}
  >();
  const begin = (node: string): Promise<FencingVerdict> => {
    const current = resetNode(options, node).finally(() => {
      if (running.get(node)?.current === current) running.delete(node);
    });
    running.set(node, {current, next: undefined});
    return current;
  };
  return {
    reset(node) {
      const already = running.get(node);
      if (already === undefined) return begin(node);
      // The reset under way proves nothing: the node may be up again since, and have begun something.
      already.next ??= already.current.then(() => begin(node));
      return already.next;
    },
    check: () => checkDevice(options),
  };
}

async function resetNode(options: FencerOptions, node: string): Promise<FencingVerdict> {
  const {device} = options;
  if (device !== undefined)
    options.log(log('info', 'FENCING', `Resetting node ${node} with [${device.type}]`, {node, device: device.type}));
  const verdict = await runPlugin(options, ['reset', node]);
  const line = verdict.ok
    ? log('info', 'FENCED', `node ${node} now reset.`, {node})
    : log('ERROR', 'FENCING_FAILED', `STONITH of ${node} failed: ${verdict.text}`, {node});
  options.log(line);
  return verdict;
}

async function checkDevice(options: FencerOptions): Promise<FencingVerdict> {
  const verdict = await runPlugin(options, ['status']);
  if (!verdict.ok) {
    const text = `STONITH device ${options.device?.type} does not answer: ${verdict.text}`;
    options.log(log('WARN', 'FENCING_DEVICE', `${text}. This may mean that the STONITH device has failed!`));
  }
  return verdict;
}

async function runPlugin(options: FencerOptions, args: readonly string[]): Promise<FencingVerdict> {
  if (options.device === undefined) return {ok: false, text: 'no STONITH device is configured'};
  const [kind, name = ''] = options.device.type.split('/');
  if (kind !== 'external' || !isPlainName(name) || options.device.type.split('/').length !== 2) {
    return {ok: false, text: `STONITH type ${options.device.type} is not supported: only external/NAME is`};
  }
  const path = `${options.pluginDir ?? PLUGIN_DIR}/${name}`;
  const call = (words: readonly string[], env: ScriptEnv): Promise<ProgramExit> =>
    runProgram({
      path,
      args: words,
      env,
      timeoutMs: options.timeoutMs ?? 60_000,
      killDelayMs: KILL_DELAY_MS,
      onErrorLine: (line) => options.log(log('info', 'FENCING_SAID', `${options.device?.type}: ${line}`)),
    }).done;
  const names = await call(['getconfignames'], options.env);
  if (names.code !== 0) return {ok: false, text: `getconfignames ${how(names)}`};
  const exit = await call(args, {...options.env, ...parametersOf(options.device, names.output)});
  return exit.code === 0 && !exit.timedOut ? {ok: true, text: 'OK'} : {ok: false, text: `${args[0]} ${how(exit)}`};
}

/** Values in the order of getconfignames, or all written as NAME=value; the last takes what is left over. */
function parametersOf(device: StonithDevice, output: string): Record<string, string> {
  const names = output.split(/\s+/).filter(isVariable);
  const pairs = device.parameters.map((each) => /^([^=]+)=(.*)$/s.exec(each));
  if (pairs.length > 0 && pairs.every((pair) => pair !== null && names.includes(pair[1] ?? ''))) {
    return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
  }
  const last = names.length - 1;
  return Object.fromEntries(
    names.map((name, at) => {
      const value = at === last ? device.parameters.slice(at).join(' ') : (device.parameters[at] ?? '');
      return [name, value];
    }),
  );
}

function how(exit: ProgramExit): string {
  if (exit.missing) return 'could not be executed: the plugin is missing';
  if (exit.timedOut) return `did not end within ${Math.round(exit.tookMs)} ms`;
  return exit.code === undefined ? `was killed by ${exit.signal}` : `ended with ${exit.code}`;
}

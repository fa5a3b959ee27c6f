// Runs resource agents without a daemon: what an administrator does by hand when heartbeat is down. The same lookup, time-outs,
// killing of process groups and reading of answers as in the daemon. Everything it does is said on stderr.

import {hostname} from 'node:os';
import {timeoutOf} from '../../model/config.js';
import type {LogRecord} from '../../model/log.js';
import {judge, type Resource, type ResourceAction, type ResourceGroup, type Verdict} from '../../model/resource.js';
import {createScriptRunner, type ScriptRunner} from '../../runtime/scripts.js';
import {EXIT, paths, stamp} from './program.js';
import {readConfig} from './read-config.js';

export interface Director {
  readonly status: (resource: Resource) => Promise<Verdict>;
  readonly start: (group: ResourceGroup) => Promise<number>;
  readonly stop: (group: ResourceGroup) => Promise<number>;
}

export async function createDirector(): Promise<Director> {
  const {config, scriptEnv} = readConfig();
  const runner = createScriptRunner({agentDirs: paths().agentDirs, log: say, env: scriptEnv});
  const {killDelayMs} = config.systole;
  let id = 0;
  const call = async (resource: Resource, action: ResourceAction): Promise<Verdict> => {
    id += 1;
    const timeoutMs = timeoutOf(config.systole, resource.script, action);
    const exit = await runner.run(id, {group: resource.word, index: 0, resource, action, timeoutMs, killDelayMs});
    return judge(action, exit);
  };
  cancelOnSignal(runner, () => id);
  const stop = async (group: ResourceGroup): Promise<number> => {
    say({level: 'info', code: 'RELEASING', text: `Releasing resource group: ${line(group)}`});
    let failed = 0;
    for (const resource of [...group.resources].reverse()) {
      let tries = config.systole.stopRetries + 1;
      while (tries > 0 && (await call(resource, 'stop')) !== 'done') tries -= 1;
      if (tries === 0) failed += 1;
      // What lies below must not be stopped under something that still runs.
      if (failed > 0) break;
    }
    return failed;
  };
  return {
    status: (resource) => call(resource, 'status'),
    stop: async (group) => ((await stop(group)) === 0 ? EXIT.ok : EXIT.usage),
    start: async (group) => {
      say({level: 'info', code: 'ACQUIRING', text: `Acquiring resource group: ${line(group)}`});
      for (const resource of group.resources) {
        if ((await call(resource, 'status')) === 'running' || (await call(resource, 'start')) === 'done') continue;
        const text = `Giving up resources due to failure of ${resource.word}`;
        say({level: 'CRIT', code: 'GIVING_UP', text});
        await stop(group);
        return EXIT.usage;
      }
      return EXIT.ok;
    },
  };
}

export function say(record: LogRecord): void {
  if (record.level === 'debug') return;
  process.stderr.write(`${stamp()} ${record.level}: ${record.text}\n`);
}

/** This node's name as haresources has it. */
export function currentHost(): string {
  return (process.env['HA_CURHOST'] ?? hostname()).toLowerCase();
}

function line(group: ResourceGroup): string {
  return `${group.home} ${group.resources.map((each) => each.word).join(' ')}`;
}

/** Ctrl-C must not leave an agent running alone: the call ends as failed, and a start that failed releases its group. */
function cancelOnSignal(runner: ScriptRunner, lastId: () => number): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.cancel(lastId()));
}

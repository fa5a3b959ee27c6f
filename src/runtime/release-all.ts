// The emergency stop: releases every group without any core, for the case that no manager can be kept alive. Groups
// stop side by side, each right to left; everything is tried, then status is asked. Exit status 0 only when every stop
// succeeded and nothing says it still runs: the peers take over on the strength of that. The configuration may be the reason
// for the trouble, so haresources alone is enough.

import {readFileSync} from 'node:fs';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {parseHaresources} from '../config/haresources.js';
import type {ClusterConfig, HaConfig} from '../model/config.js';
import {timeoutOf} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {type Paths, resolvePaths} from '../model/paths.js';
import {judge, provesStopped, type ResourceAction, type ResourceExit, type ResourceGroup} from '../model/resource.js';
import {unitDirsOf} from './agents.js';
import {forgetConfigInForce, readConfigInForce} from './config-in-force.js';
import {readGroupsInForce} from './groups-in-force.js';
import {loadConfig} from './load-config.js';
import {scriptEnv} from './script-env.js';
import {endOrphans} from './script-journal.js';
import {createScriptRunner, type ScriptRunner} from './scripts.js';

interface Plan {
  readonly groups: readonly ResourceGroup[];
  readonly ha: HaConfig | undefined;
  readonly timeoutMs: (script: string, action: ResourceAction) => number;
  readonly killDelayMs: number;
}

const ATTEMPTS = 3;
const TIMEOUT_MS = 60_000;
const KILL_DELAY_MS = 5000;

/** True: nothing of this node's groups runs any more. */
export async function releaseAll(
  paths: Paths,
  env: Readonly<Record<string, string | undefined>>,
  tell: (record: LogRecord) => void,
): Promise<boolean> {
  const plan = planOf(paths, env);
  if (plan === undefined) {
    tell(log('CRIT', 'EMERGENCY_STOP', `${paths.haDir}/haresources cannot be read: nothing could be stopped`));
    return false;
  }
  tell(log('CRIT', 'EMERGENCY_STOP', `Emergency stop of ${plan.groups.length} resource groups`));
  // A start that is still under way must not end after our stop.
  const orphans = await endOrphans({
    runDir: paths.runDir,
    agentDirs: paths.agentDirs,
    graceMs: plan.killDelayMs,
  });
  const inherited = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const scripts = createScriptRunner({
    agentDirs: paths.agentDirs,
    unitDirs: unitDirsOf(env),
    env: plan.ha === undefined ? inherited : scriptEnv(plan.ha, paths, env),
    log: tell,
  });
  const released = await Promise.all(plan.groups.map((group) => releaseGroup(scripts, plan, group)));
  const isDone = released.every(Boolean) && orphans.allEnded;
  tell(
    isDone
      ? log('info', 'EMERGENCY_STOPPED', 'Everything is released.')
      : log('CRIT', 'EMERGENCY_STOP_FAILED', 'Not everything could be released.'),
  );
  return isDone;
}

async function releaseGroup(scripts: ScriptRunner, plan: Plan, group: ResourceGroup): Promise<boolean> {
  let isReleased = true;
  for (let index = group.resources.length - 1; index >= 0; index -= 1) {
    // To the left of a failure is tried as well: an address without its service is better gone.
    if (!(await releaseResource(scripts, plan, group, index))) isReleased = false;
  }
  return isReleased;
}

async function releaseResource(
  scripts: ScriptRunner,
  plan: Plan,
  group: ResourceGroup,
  index: number,
): Promise<boolean> {
  const run = (action: ResourceAction): Promise<ResourceExit> => {
    const resource = group.resources[index]!; // index counts down from the list's own length.
    const timeoutMs = plan.timeoutMs(resource.script, action);
    const call = {group: group.key, index, resource, action, timeoutMs, killDelayMs: plan.killDelayMs};
    return scripts.run(0, call);
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const isStopped = judge('stop', await run('stop')) === 'done';
    if (isStopped && provesStopped(await run('status'))) return true;
  }
  return false;
}

function planOf(paths: Paths, env: Readonly<Record<string, string | undefined>>): Plan | undefined {
  const kept = readConfigInForce(paths.runDir);
  const config = kept.ok ? kept.config : loadConfig(paths, env).config;
  const plan = config === undefined ? barePlan(paths) : planWith(config);
  const inForce = readGroupsInForce(paths.runDir)?.groups;
  if (plan === undefined || inForce === undefined) return plan;
  // As it was when its group was started; haresources may have been edited since.
  const others = plan.groups.filter(({key}) => !inForce.some((each) => each.key === key));
  return {...plan, groups: [...inForce, ...others]};
}

function planWith({ha, groups, systole}: ClusterConfig): Plan {
  const timeoutMs = (script: string, action: ResourceAction): number => timeoutOf(systole, script, action);
  return {groups, ha, timeoutMs, killDelayMs: systole.killDelayMs};
}

function barePlan(paths: Paths): Plan | undefined {
  try {
    const path = `${paths.haDir}/haresources`;
    const placed = parseHaresources({path, text: readFileSync(path, 'utf8')}, () => {});
    return {
      groups: placed.map(({group}) => group),
      ha: undefined,
      timeoutMs: () => TIMEOUT_MS,
      killDelayMs: KILL_DELAY_MS,
    };
  } catch {
    return undefined;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const packageDir = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
  const tell = ({level, text}: LogRecord): void => void process.stderr.write(`emergency stop: ${level}: ${text}\n`);
  const paths = resolvePaths(process.env, packageDir);
  const isDone = await releaseAll(paths, process.env, tell);
  // The node leaves; after a failure it is tried again, and what is to be stopped must still be known.
  if (isDone) forgetConfigInForce(paths.runDir);
  process.exit(isDone ? 0 : 1);
}

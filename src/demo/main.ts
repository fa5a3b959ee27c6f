// `npm run demo`: chooses the stage, runs the play, prints for a person or as one JSON object, always cleans up. Exit
// status 0: the service moved twice and no acknowledged row is missing; 1: it did not; 2: wrong arguments; 130: Ctrl-C.

import {parseArgs} from 'node:util';
import type {DaemonKind} from '../lab/daemon.js';
import {labObstacle} from '../lab/host.js';
import {databasePrograms} from '../lab/mariadb.js';
import {deadline} from '../lab/wait.js';
import {embeddedStage} from './embedded.js';
import {namespaceStage} from './namespaces.js';
import {type PlayResult, play, stepCount} from './play.js';
import {makeScreen, type Screen, silent} from './screen.js';
import type {Mode, Stage} from './stage.js';

const boundMs = 85_000;

const usage = `usage: npm run demo -- [--json] [--no-install] [--embedded] [--daemon systole|real]
  --json         one JSON object on standard output, nothing else
  --no-install   install nothing; run the embedded mode
  --embedded     two nodes on loopback addresses with harmless resources, even as root
  --daemon real  the same play with Debian's heartbeat instead of this one (namespaces only)
`;

interface Options {
  readonly json: boolean;
  readonly embedded: boolean;
  readonly daemon: DaemonKind;
}

interface Report extends Partial<PlayResult> {
  readonly ok: boolean;
  readonly mode: Mode;
  readonly daemon: DaemonKind;
  /** Why this mode and not the other. */
  readonly modeReason: string;
  readonly tookMs: number;
  /** What went wrong; absent when ok. */
  readonly error?: string;
}

const options = readOptions();
if (options) process.exitCode = await main(options);
else process.exitCode = 2;

function readOptions(): Options | undefined {
  try {
    const {values} = parseArgs({
      options: {
        json: {type: 'boolean', default: false},
        'no-install': {type: 'boolean', default: false},
        embedded: {type: 'boolean', default: false},
        daemon: {type: 'string', default: 'systole'},
        help: {type: 'boolean', default: false},
      },
    });
    const {daemon} = values;
    if (values.help || (daemon !== 'systole' && daemon !== 'real')) throw new Error('');
    return {json: values.json, embedded: values.embedded || values['no-install'], daemon};
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

async function main({json, embedded, daemon}: Options): Promise<number> {
  const startMs = performance.now();
  const obstacle = embedded ? 'asked for' : labObstacle([...databasePrograms]);
  const mode: Mode = obstacle ? 'embedded' : 'namespaces';
  const modeReason = obstacle ?? 'root, namespaces and MariaDB are available';
  const screen = json ? silent : makeScreen(process.stdout, stepCount);
  const outcome = await perform(mode, daemon, screen, modeReason);
  const ok = outcome.error === undefined && outcome.result?.rowsLost === 0;
  const tookMs = Math.round(performance.now() - startMs);
  const error = outcome.error ?? (ok ? undefined : 'acknowledged rows are missing');
  const report: Report = {ok, mode, daemon, ...outcome.result, modeReason, tookMs, ...(error ? {error} : {})};
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else closing(screen, report);
  if (outcome.interrupted) return 130;
  return ok ? 0 : 1;
}

interface Performed {
  readonly result?: PlayResult;
  readonly error?: string;
  readonly interrupted?: boolean;
}

async function perform(mode: Mode, daemon: DaemonKind, screen: Screen, reason: string): Promise<Performed> {
  let stage: Stage | undefined;
  let interrupted = false;
  let stop = (_: Error) => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  stopped.catch(() => {});
  const onSignal = (signal: string) => {
    interrupted = true;
    stop(new Error(`interrupted by ${signal}`));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  try {
    stage = await (mode === 'namespaces' ? namespaceStage(daemon) : embeddedStage());
    const because = mode === 'embedded' ? [`Embedded mode (${reason}).`] : [];
    screen.title('Systole: two nodes, one service, a power cut', [...because, ...stage.facts]);
    const result = await deadline(
      Promise.race([play(stage, screen), stopped]),
      boundMs,
      () => 'the demo takes too long',
    );
    return {result};
  } catch (error) {
    const text = (error as Error).message;
    if (stage && !interrupted) await showLogs(stage, screen);
    return {error: text, interrupted};
  } finally {
    await stage?.close().catch((error: Error) => screen.bad(`clean-up: ${error.message}`));
  }
}

async function showLogs(stage: Stage, screen: Screen): Promise<void> {
  if (screen === silent) return;
  for (const node of stage.nodes) {
    const tail = await stage.logTail(node).catch((error: Error) => error.message);
    process.stderr.write(`\n--- log of ${node}\n${tail}\n`);
  }
}

function closing(screen: Screen, report: Report): void {
  if (!report.ok) return screen.bad(`Failed: ${report.error}`);
  screen.note('everything is cleaned up');
  process.stdout.write(
    `\nPower cut: ${report.crashOutageMs} ms without service. Planned switch: ${report.switchOutageMs} ms.\n` +
      `${report.rowsAcknowledged} rows acknowledged, ${report.rowsLost} lost.\n`,
  );
}

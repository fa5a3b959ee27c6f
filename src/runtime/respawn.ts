// The clients of ha.cf: `respawn` and `failfast` (resource-engine.md 5.6). Each runs as its user in a process group of its
// own and is started again when it ends, until it ends too fast too often. Promises: stop() settles in bounded time whatever
// the clients do; no client outlives it, but for one stuck in the kernel.

import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync, realpathSync} from 'node:fs';
import {basename, dirname} from 'node:path';
import type {RespawnClient} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {userAccount} from './accounts.js';
import {isGroupAlive, pollUntil, signalGroup} from './process-group.js';
import type {ScriptEnv} from './script-env.js';

export interface RespawnOptions {
  readonly clients: readonly RespawnClient[];
  readonly env: ScriptEnv;
  readonly log: (record: LogRecord) => void;
  /** A failfast client failed: this node has to go. */
  readonly onFailfast: (reason: string) => void;
  readonly shortLifeMs?: number;
  readonly shortLivesMax?: number;
  /** Wait before a start that follows a short life. */
  readonly pauseMs?: number;
  /** From SIGTERM to SIGKILL, for each client. */
  readonly killDelayMs?: number;
}

export interface RespawnedClients {
  /** Ends them one after another, the last started first. */
  stop(): Promise<void>;
  /** The pids alive now, in start order. */
  pids(): readonly number[];
}

const NEVER_AGAIN = 100;

export function startClients(options: RespawnOptions): RespawnedClients {
  const clients = options.clients.map((client) => new Client(client, options));
  for (const client of clients) client.start();
  return {
    pids: () => clients.map((client) => client.pid).filter((pid) => pid !== undefined),
    stop: async () => {
      // No client may come back while another is being waited for.
      for (const client of clients) client.isStopping = true;
      for (const client of [...clients].reverse()) await client.stop();
    },
  };
}

class Client {
  isStopping = false;
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private shortLives = 0;
  private startedMs = 0;

  constructor(
    private readonly client: RespawnClient,
    private readonly options: RespawnOptions,
  ) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  start(): void {
    if (this.isStopping) return;
    const [path, args] = commandLine(this.client);
    this.startedMs = performance.now();
    const child = spawn(path, args, {cwd: '/', env: {...this.options.env}, detached: true, stdio: 'ignore'});
    this.child = child;
    let isOver = false;
    const over = (code: number | null): void => {
      if (isOver) return;
      isOver = true;
      this.child = undefined;
      this.ended(code ?? undefined);
    };
    child.on('error', () => over(127));
    child.on('exit', (code) => over(code));
    this.say(
      'info',
      'CLIENT_STARTED',
      `Starting "${this.client.command}" as user ${this.client.user} (pid ${child.pid})`,
    );
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    const pid = this.pid;
    if (pid === undefined) {
      this.say('info', 'CLIENT_GONE', `client [${this.client.command}] is not running.`);
      return;
    }
    signalGroup(pid, 'SIGTERM');
    const isGone = (): boolean => this.child === undefined && !isGroupAlive(pid);
    if (await pollUntil(isGone, this.options.killDelayMs ?? 3000)) return;
    this.say('WARN', 'CLIENT_KILLED', `client [${this.client.command}] did not end on SIGTERM: killing it`);
    signalGroup(pid, 'SIGKILL');
    await pollUntil(isGone, 1000);
  }

  private ended(code: number | undefined): void {
    const livedMs = performance.now() - this.startedMs;
    const {command, failfast} = this.client;
    const how = code === undefined ? 'by a signal' : `with exit code ${code}`;
    if (!this.isStopping) this.say('WARN', 'CLIENT_ENDED', `Client "${command}" ended ${how}`);
    // Even while stopping: a failfast client that is killed by a signal is what failfast is about, unless by us.
    if (failfast && code !== 0 && !this.isStopping) {
      this.options.onFailfast(command);
      return;
    }
    if (this.isStopping || code === NEVER_AGAIN) return;
    const isShort = livedMs < (this.options.shortLifeMs ?? 30_000);
    this.shortLives = isShort ? this.shortLives + 1 : 0;
    if (this.shortLives > (this.options.shortLivesMax ?? 10)) {
      this.say('ERROR', 'CLIENT_TOO_FAST', `Client ${command} "respawning too fast"`);
      return;
    }
    this.timer = setTimeout(() => this.start(), isShort ? (this.options.pauseMs ?? 1000) : 0);
  }

  private say(level: LogRecord['level'], code: string, text: string): void {
    this.options.log(log(level, code, text, {client: this.client.command, user: this.client.user}));
  }
}

/**
 * Node's own uid and gid options drop the supplementary groups, and a client that must reach the sockets of group
 * haclient needs them; setpriv belongs to util-linux, which every Debian has.
 */
function commandLine({user, command}: RespawnClient): [string, string[]] {
  const shell = ['/bin/sh', '-c', `exec ${command}`] as const;
  const account = isOurDopd(command) ? {uid: 0, gid: 0} : userAccount(user);
  if (account !== undefined && account.uid === process.geteuid?.()) return [shell[0], shell.slice(1)];
  if (account === undefined) return ['/bin/sh', ['-c', 'exit 127']];
  return ['setpriv', [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--', ...shell]];
}

/**
 * DRBD's tools need root. Heartbeat's own dopd runs as hacluster and has them made setuid; ours keeps the classic line
 * `respawn hacluster .../dopd`, is started as root, and signs on to the API as hacluster (api-member.ts).
 */
function isOurDopd(command: string): boolean {
  try {
    const program = realpathSync(command.trim().split(/\s+/)[0] ?? '');
    return basename(program) === 'dopd' && existsSync(`${dirname(program)}/launch.js`);
  } catch {
    return false;
  }
}

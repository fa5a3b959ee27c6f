// Two real daemons on loopback addresses: directories, configuration and processes of a pair of nodes, with agents that only
// touch files. Everything is ended and removed by close(), whatever the test did.
import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {askDaemon} from '../../src/control/client.js';
import type {ClusterStatus, ControlReply, ControlRequest} from '../../src/model/control.js';
import {readPidFile} from '../../src/runtime/pid-file.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const script = fileURLToPath(new URL('../../src/runtime/manager-process.js', import.meta.url));

export interface PairOptions {
  readonly haresources: string;
  readonly haCf?: string;
  readonly systoleConf?: string;
}

export class Daemon {
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  private child: ChildProcess | undefined;

  constructor(
    base: string,
    readonly name: string,
    address: string,
  ) {
    this.dir = join(base, name);
    const {dir} = this;
    this.env = {
      ...process.env,
      HA_DIR: `${dir}/etc`,
      HA_VARLIBDIR: `${dir}/lib`,
      HA_RUNDIR: `${dir}/run`,
      HA_LOGDIR: `${dir}/log`,
      SYSTOLE_LOOPBACK: address,
    };
    for (const each of ['etc/resource.d', 'lib', 'run', 'log']) mkdirSync(join(dir, each), {recursive: true});
    cpSync(join(root, 'fixtures/agents'), join(dir, 'etc/resource.d'), {recursive: true});
  }

  start(): void {
    this.child = spawn(process.execPath, [script], {
      env: this.env,
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  stderr = '';

  get pid(): number {
    const pid = readPidFile(`${this.dir}/run/heartbeat.pid`);
    assert.ok(pid !== undefined, `${this.name} has no pid file`);
    return pid;
  }

  ask(request: ControlRequest): Promise<ControlReply> {
    return askDaemon(`${this.dir}/run/systole`, request, {timeoutMs: 5000});
  }

  async status(): Promise<ClusterStatus | undefined> {
    const reply = await this.ask({command: 'status'});
    return reply.ok ? reply.status : undefined;
  }

  holds(name: string): boolean {
    return existsSync(`${this.dir}/run/held-${name}`);
  }

  read(path: string): string {
    return existsSync(`${this.dir}/${path}`) ? readFileSync(`${this.dir}/${path}`, 'utf8') : '';
  }

  /** Processes whose environment names this node's run directory. */
  processes(): {pid: number; command: string}[] {
    return readdirSync('/proc')
      .filter((each) => /^\d+$/.test(each))
      .flatMap((each) => {
        try {
          const environment = readFileSync(`/proc/${each}/environ`, 'latin1');
          if (!environment.includes(`HA_RUNDIR=${this.dir}/run\0`)) return [];
          return [
            {pid: Number(each), command: readFileSync(`/proc/${each}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()},
          ];
        } catch {
          return [];
        }
      });
  }

  messagingPid(): number {
    const found = this.processes().find(({command}) => command.startsWith('systole: messaging'));
    assert.ok(found, `${this.name} has no messaging process`);
    return found.pid;
  }

  killAll(): void {
    for (let round = 0; round < 5; round += 1) {
      for (const {pid} of this.processes()) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone.
        }
      }
    }
  }
}

export class Pair {
  readonly n1: Daemon;
  readonly n2: Daemon;
  private readonly base = mkdtempSync(join(tmpdir(), 'systole-pair-'));

  constructor(options: PairOptions) {
    const net = `127.${1 + Math.floor(Math.random() * 250)}.${process.pid % 250}`;
    this.n1 = new Daemon(this.base, 'n1', `${net}.1`);
    this.n2 = new Daemon(this.base, 'n2', `${net}.2`);
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    for (const [node, peer] of [
      [this.n1, `${net}.2`],
      [this.n2, `${net}.1`],
    ] as const) {
      const file = (name: string, text: string) => writeFileSync(`${node.dir}/etc/${name}`, text);
      const timing = options.haCf ?? 'keepalive 100ms\nwarntime 500ms\ndeadtime 1\ninitdead 2\n';
      file('nodeinfo', `${node.name}\n`);
      file(
        'ha.cf',
        `logfile ${node.dir}/log/ha-log\ndebugfile ${node.dir}/log/ha-debug\n${timing}udpport ${port}\nucast lo ${peer}\nauto_failback off\nrealtime off\nnode n1 n2\n`,
      );
      file('authkeys', 'auth 1\n1 sha1 A-TEST-KEY\n');
      chmodSync(`${node.dir}/etc/authkeys`, 0o600);
      file('haresources', options.haresources);
      if (options.systoleConf !== undefined) file('systole.conf', options.systoleConf);
    }
  }

  /** Waits until it is so; otherwise fails with both logs. */
  async until(what: string, isSo: () => boolean | Promise<boolean>, boundMs = 10_000): Promise<void> {
    const untilMs = performance.now() + boundMs;
    while (!(await isSo())) {
      if (performance.now() > untilMs) assert.fail(`not reached: ${what}\n${this.story()}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async untilStable(...nodes: Daemon[]): Promise<void> {
    for (const node of nodes) {
      await this.until(`${node.name} stable`, async () => (await node.status())?.phase === 'stable');
    }
  }

  story(): string {
    return [this.n1, this.n2].map((node) => `--- ${node.name}\n${node.stderr}${node.read('log/ha-log')}`).join('\n');
  }

  close(): void {
    this.n1.killAll();
    this.n2.killAll();
    rmSync(this.base, {recursive: true, force: true});
  }
}

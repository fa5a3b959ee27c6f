// One node of the embedded demo: a daemon of this checkout with all its directories below one of ours, on a loopback
// address, and agents that touch nothing else. Needs no root. Losing power is SIGKILL for every process that carries
// the node's directory in its environment.

import {chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {host, packageRoot} from '../lab/host.js';
import {until} from '../lab/wait.js';

export interface EmbeddedNodeOptions {
  readonly name: string;
  readonly peer: string;
  /** This node's and the peer's loopback address. */
  readonly address: string;
  readonly peerAddress: string;
  readonly directory: string;
  readonly udpPort: number;
  readonly haresources: string;
  readonly timing: Readonly<Record<'keepalive' | 'warntime' | 'deadtime' | 'initdead', number>>;
}

export class EmbeddedNode {
  readonly name: string;
  readonly directory: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(options: EmbeddedNodeOptions) {
    const {name, directory} = options;
    this.name = name;
    this.directory = directory;
    this.#environment = {
      PATH: process.env['PATH'] ?? '',
      HA_DIR: `${directory}/ha.d`,
      HA_VARLIBDIR: `${directory}/lib`,
      HA_RUNDIR: `${directory}/run`,
      HA_LOGDIR: `${directory}/log`,
      SYSTOLE_LOOPBACK: options.address,
    };
    for (const part of ['ha.d/resource.d', 'lib', 'run', 'log']) mkdirSync(`${directory}/${part}`, {recursive: true});
    writeConfiguration(options);
  }

  async start(): Promise<void> {
    await host(`${packageRoot}/bin/heartbeat`, [], '', this.#environment);
  }

  /** Its output, also when it fails; undefined: it failed without a word. */
  async ask(name: string, ...args: readonly string[]): Promise<string | undefined> {
    return host(`${packageRoot}/bin/${name}`, args, '', this.#environment).then(
      (text) => text.trim(),
      () => undefined,
    );
  }

  async command(name: string, ...args: readonly string[]): Promise<void> {
    await host(`${packageRoot}/bin/${name}`, args, '', this.#environment);
  }

  async powerCut(): Promise<void> {
    await killProcessesOf(this.directory);
  }

  logTail(): string {
    try {
      return readFileSync(`${this.directory}/log/ha-log`, 'utf8').slice(-3000);
    } catch (error) {
      return (error as Error).message;
    }
  }
}

/** Again and again until none is left: a process may have forked while we looked. */
export async function killProcessesOf(directory: string): Promise<void> {
  await until(
    () => {
      const pids = processesOf(directory);
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone meanwhile.
        }
      }
      return pids.length === 0;
    },
    {timeoutMs: 5000, what: () => `processes of ${directory} do not die`, everyMs: 5},
  );
}

function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`=${directory}/`);
      } catch {
        return false; // Another user's, or gone.
      }
    })
    .map(Number);
}

function writeConfiguration(options: EmbeddedNodeOptions): void {
  const {name, peer, peerAddress, directory, udpPort, haresources, timing} = options;
  const haCf = [
    `logfile ${directory}/log/ha-log`,
    ...Object.entries(timing).map(([word, ms]) => `${word} ${ms}ms`),
    `udpport ${udpPort}`,
    `ucast lo ${peerAddress}`,
    'auto_failback off',
    'realtime off',
    ...[name, peer].sort().map((each) => `node ${each}`),
  ];
  const haDirectory = `${directory}/ha.d`;
  writeFileSync(`${haDirectory}/ha.cf`, `${haCf.join('\n')}\n`);
  writeFileSync(`${haDirectory}/haresources`, `${haresources}\n`);
  writeFileSync(`${haDirectory}/nodeinfo`, `${name}\n`);
  writeFileSync(`${haDirectory}/authkeys`, 'auth 1\n1 sha1 demonstration\n');
  chmodSync(`${haDirectory}/authkeys`, 0o600);
  for (const [agent, text] of Object.entries(agents(name, directory))) {
    writeFileSync(`${haDirectory}/resource.d/${agent}`, text);
    chmodSync(`${haDirectory}/resource.d/${agent}`, 0o755);
  }
}

/** DemoFlag::FILE marks who owns the group; DemoStore::ADDRESS::PORT::FILE runs store.ts. */
function agents(node: string, directory: string): Readonly<Record<string, string>> {
  return {
    DemoFlag: `#!/bin/sh
case $2 in
  start) echo ${node} >"$1" ;;
  stop) rm -f "$1" ;;
  status) [ "$(cat "$1" 2>/dev/null)" = ${node} ] && echo running || echo stopped ;;
esac
`,
    DemoStore: `#!/bin/sh
pid_file=${directory}/run/store.pid
# A zombie has no program: where process 1 reaps once a second, kill -0 would see it for that long.
runs() { readlink "/proc/$1/exe" >/dev/null 2>&1; }
alive() { [ -s "$pid_file" ] && runs "$(cat "$pid_file")"; }
case $4 in
  start)
    alive && exit 0
    rm -f "$pid_file"
    HA_RUNDIR=${directory}/run ${process.execPath} ${packageRoot}/dist/src/demo/store.js "$1" "$2" "$3" ${node} "$pid_file" >/dev/null 2>&1 </dev/null &
    store=$!
    while [ ! -s "$pid_file" ]; do kill -0 $store 2>/dev/null || exit 1; sleep 0.01; done ;;
  stop)
    alive || exit 0
    store=$(cat "$pid_file")
    kill "$store"
    while runs "$store"; do sleep 0.01; done ;;
  status) alive && echo running || echo stopped ;;
esac
`,
  };
}

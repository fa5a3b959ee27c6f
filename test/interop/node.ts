// One node of a mixed cluster: a machine of the namespace lab that runs either this checkout's daemon or Debian's
// heartbeat 3.0.6, with agents that only touch files which the host can read. Promises that no reboot leaves the
// machine: /sbin/reboot is a fake that behaves like a power cut.

import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {dirname} from 'node:path';
import {type DaemonKind, daemons} from '../../src/lab/daemon.js';
import {packageRoot} from '../../src/lab/host.js';
import {Machine, type Outcome} from '../../src/lab/machine.js';
import {until} from '../../src/lab/wait.js';

export type Scope = 'all' | 'local' | 'foreign' | 'failback';
export type Action = 'start' | 'stop' | 'status';

/** Everything in the machine but process 1 and its command shells, which run machine-init.sh. */
const everything =
  'for p in /proc/[0-9]*; do grep -q machine-init $p/cmdline || kill -SIGNAL $(basename $p); done 2>/dev/null; :';
/** Only the daemon's own processes, of either kind. */
const daemonOnly =
  'for p in /proc/[0-9]*; do case $(readlink $p/exe) in */heartbeat/heartbeat|*/bin/node*) kill -SIGNAL $(basename $p);; esac; done 2>/dev/null; :';

const fakeReboot = `#!/bin/sh
read -r up _ </proc/uptime
for name in $(ls /var/log/rsc/up); do echo "$up $name DOWN" >>/var/log/rsc/calls; done
echo "$up - REBOOT" >>/var/log/rsc/calls
rm -f /var/log/rsc/up/*
${everything.replace('SIGNAL', 'KILL')}
`;

export function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}

export class InteropNode {
  readonly machine: Machine;
  readonly note: (text: string) => void;

  constructor(
    readonly name: string,
    readonly number: number,
    readonly kind: DaemonKind,
    lab: {readonly directory: string; note(text: string): void},
  ) {
    this.machine = new Machine(name, lab.directory);
    this.note = (text) => lab.note(`${name}: ${text}`);
    for (const part of ['up', 'inject']) mkdirSync(`${this.#rsc}/${part}`, {recursive: true});
    writeFileSync(`${this.#rsc}/calls`, '');
    mkdirSync(this.#conf, {recursive: true});
    // Brings Debian's scripts into the real node's /etc/ha.d; the files proper are written by configure().
    const scripts = {nodes: [name], haresources: '', autoFailback: 'off', haCf: [], systoleConf: undefined} as const;
    const timing = {keepaliveMs: 1, warntimeMs: 1, deadtimeMs: 1, initdeadMs: 1};
    daemons[kind].writeFiles(this.#conf, name, {...scripts, timing});
    mkdirSync(`${this.#conf}/resource.d`, {recursive: true});
    copyFileSync(`${packageRoot}/test/interop/agents/rsc`, `${this.#conf}/resource.d/rsc`);
    chmodSync(`${this.#conf}/resource.d/rsc`, 0o755);
    writeFileSync(`${this.machine.directory}/reboot`, fakeReboot);
    chmodSync(`${this.machine.directory}/reboot`, 0o755);
  }

  get #rsc(): string {
    return `${this.machine.directory}/log/rsc`;
  }

  get #conf(): string {
    return `${this.machine.directory}/ha.d`;
  }

  /** Writes one of ha.cf, haresources, authkeys, systole.conf. */
  configure(file: string, text: string): void {
    const path = `${this.#conf}/${file}`;
    writeFileSync(path, text);
    chmodSync(path, file === 'authkeys' ? 0o600 : 0o644);
  }

  /** Puts a program into the node's /etc/ha.d. */
  install(file: string, text: string): void {
    const path = `${this.#conf}/${file}`;
    mkdirSync(dirname(path), {recursive: true});
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  /** Lets the node send a cluster message, as scripts do. */
  async say(fields: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(fields).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(`${this.machine.directory}/log/block`, `>>>\n${lines.join('')}<<<\n`);
    await this.machine.run('cat /var/log/block >/var/lib/heartbeat/fifo');
  }

  async boot(plugIn: (pid: number) => Promise<void>): Promise<void> {
    await this.machine.boot(plugIn);
    // A small installation has no reboot: then it lies in a layer above, in this machine's mount namespace only.
    await this.machine.run(
      `cd ${this.machine.directory}; sbin=$(readlink -f /sbin); if [ -e $sbin/reboot ]; then mount --bind reboot $sbin/reboot; else ` +
        'mkdir -p upper work; cp -p reboot upper/; ' +
        'mount -t overlay -o lowerdir=$sbin,upperdir=upper,workdir=work overlay $sbin; fi',
    );
  }

  async start(): Promise<void> {
    this.note('start');
    await this.machine.run(`${this.#env}${daemons[this.kind].start}`);
  }

  /** Words put before the start command, e.g. a preloaded library. */
  wrap = '';

  get #env(): string {
    return this.wrap === '' ? '' : `export ${this.wrap}; `;
  }

  async stop(): Promise<void> {
    this.note('stop');
    await this.machine.run(daemons[this.kind].stop, {timeoutMs: 40_000});
    this.note('stopped');
  }

  /** Begins a graceful stop and does not wait for its end. */
  async beginStop(): Promise<void> {
    this.note('stop begins');
    await this.machine.run(`(${daemons[this.kind].stop} &) >/dev/null 2>&1`);
  }

  async isRunning(): Promise<boolean> {
    return (await this.machine.exec(daemons[this.kind].status)).code === 0;
  }

  async reload(): Promise<void> {
    this.note('reload');
    const command = daemons[this.kind].start.replace(/heartbeat$/, 'heartbeat -r');
    assert.match(command, / -r$/);
    await this.machine.run(command);
  }

  /** The daemon dies at once; its resources and their scripts go on. */
  async killDaemon(): Promise<void> {
    this.note('kill -9 of the daemon');
    // All stand still first: the parts of a daemon start each other again.
    await this.machine.pause();
    await this.machine.run(daemonOnly.replace('SIGNAL', 'KILL'));
    await this.machine.resume();
  }

  /** Everything dies at once, and what it ran is gone; the machine can be used again at once. */
  async powerCut(): Promise<void> {
    this.note('power cut');
    await this.machine.killAll();
    const lost = this.running();
    for (const name of lost) appendFileSync(`${this.#rsc}/calls`, `${uptime()} ${name} DOWN\n`);
    for (const name of lost) rmSync(`${this.#rsc}/up/${name}`, {force: true});
    await this.machine.run('rm -rf /run/heartbeat* /run/resource-agents /run/systole*');
  }

  async freeze(): Promise<void> {
    this.note('all processes stopped');
    await this.machine.pause();
  }

  async thaw(): Promise<void> {
    await this.machine.resume();
    this.note('all processes go on');
  }

  running(): string[] {
    return readdirSync(`${this.#rsc}/up`).sort();
  }

  calls(): string[] {
    return readFileSync(`${this.#rsc}/calls`, 'utf8').split('\n').filter(Boolean);
  }

  inject(resource: string, action: Action, how: string): void {
    this.note(`${resource} ${action} will ${how}`);
    writeFileSync(`${this.#rsc}/inject/${resource}.${action}`, `${how}\n`);
  }

  cure(): void {
    for (const name of readdirSync(`${this.#rsc}/inject`)) rmSync(`${this.#rsc}/inject/${name}`);
  }

  /** Until the agent was called so often, e.g. `A stop`. */
  async called(what: string, times = 1, timeoutMs = 20_000): Promise<void> {
    const count = () => this.calls().filter((line) => line.endsWith(` ${what}`)).length;
    await until(() => count() >= times, {timeoutMs, what: () => `${this.name} never called ${what}`, everyMs: 5});
  }

  command(name: string, ...args: readonly string[]): Promise<Outcome> {
    return this.machine.exec([daemons[this.kind].path(name), ...args].join(' '));
  }

  /** Repeated, as by an operator, when the real daemon's log shows that it never read the command (docs/interop.md). */
  async standby(scope: Scope): Promise<Outcome> {
    for (let attempt = 1; ; attempt += 1) {
      this.note(`hb_standby ${scope}`);
      const seen = this.log().length;
      const outcome = await this.#told('hb_standby', scope);
      if (this.kind !== 'real' || attempt === 3 || (await this.#reacts(seen))) return outcome;
      this.note('the real daemon dropped the command: it is given again');
      this.lostCommands += 1;
    }
  }

  /** How often the real daemon dropped a command that it had taken. */
  lostCommands = 0;

  async #reacts(seen: number): Promise<boolean> {
    const endMs = performance.now() + 4000;
    while (performance.now() < endMs) {
      if (/heartbeat: \[\d+\]: .*standby/i.test(this.log().slice(seen))) return true;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return false;
  }

  async takeover(scope: Scope): Promise<Outcome> {
    this.note(`hb_takeover ${scope}`);
    return await this.#told('hb_takeover', scope);
  }

  async #told(command: string, scope: Scope): Promise<Outcome> {
    const outcome = await this.command(command, scope);
    const text = `${outcome.stdout}${outcome.stderr}`.trim().replaceAll('\n', ' | ');
    this.note(`${command} ${scope}: exit ${outcome.code} ${text}`);
    return outcome;
  }

  /** What `cl_status rscstatus` says; empty when the daemon does not answer. */
  async word(): Promise<string> {
    return (await this.command('cl_status', 'rscstatus')).stdout.trim();
  }

  log(): string {
    const path = `${this.machine.directory}/log/ha-log`;
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }
}

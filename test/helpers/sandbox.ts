// A private network and mount namespace with its own /run, kept by one sleeping process: when that process is killed, the
// kernel removes interfaces and mounts, so that no test can leave any behind. Needs root.

import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';

export class Sandbox {
  private constructor(
    private readonly keeper: ChildProcess,
    /** A process inside; other namespaces can be connected to it. */
    readonly pid: number,
  ) {}

  static async open(): Promise<Sandbox> {
    const script = 'mount -t tmpfs none /run && ip link set lo up && echo ready && exec sleep 600';
    const keeper = spawn('unshare', ['--net', '--mount', '--propagation', 'private', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [first] = (await Promise.race([once(keeper.stdout!, 'data'), once(keeper, 'exit')])) as [Buffer | number];
    if (!Buffer.isBuffer(first)) throw new Error(`no namespaces: unshare ended with ${first}`);
    return new Sandbox(keeper, keeper.pid!);
  }

  /** The words to put before a command so that it runs inside. */
  get prefix(): readonly string[] {
    return ['nsenter', '-t', String(this.pid), '--net', '--mount'];
  }

  /** Runs a shell line inside and returns its standard output; throws when it fails. */
  sh(line: string): string {
    return execFileSync(this.prefix[0]!, [...this.prefix.slice(1), 'sh', '-ec', line], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** A cable from our v0 to the other's v0, with one address each. */
  connect(other: Sandbox): void {
    this.sh(`ip link add v0 type veth peer name v0 netns ${other.pid}`);
    for (const [box, host] of [
      [this, 1],
      [other, 2],
    ] as const) {
      box.sh(`sysctl -qw net.ipv6.conf.v0.accept_dad=0
        ip addr add 10.9.0.${host}/24 brd + dev v0; ip -6 addr add 2001:db8::${host}/64 dev v0 nodad; ip link set v0 up`);
    }
    // IPv6 answers only when the kernel has seen the carrier, up to a second later; its link-local address tells.
    for (const box of [this, other]) box.until('ip -6 -o addr show dev v0 scope link | grep -q .');
  }

  /** Waits until a shell line succeeds; for what the kernel does in its own time. */
  until(line: string): void {
    this.sh(`n=0; until ${line}; do n=$((n + 1)); [ $n -lt 400 ]; sleep 0.01; done`);
  }

  mac(): string {
    return this.sh('ip -o link show dev v0').match(/link\/ether (\S+)/)![1]!;
  }

  async close(): Promise<void> {
    if (this.keeper.exitCode !== null || this.keeper.signalCode !== null) return;
    const ended = once(this.keeper, 'exit');
    this.keeper.kill('SIGKILL');
    await ended;
    this.keeper.stdout?.destroy();
  }
}

// One two-node cluster of a contestant, brought up in the namespace lab and moved through the situations that are
// measured: this checkout, Debian's heartbeat, or keepalived at a given advertisement interval. Every contestant carries
// the same single service address on the same machines, watched by the same prober. Promises that each wait is bounded
// and that close() leaves nothing behind.

import {writeFileSync} from 'node:fs';
import {Prober} from '../src/lab/client.js';
import type {Timing} from '../src/lab/daemon.js';
import {Lab, type LabNode} from '../src/lab/lab.js';
import {serviceAddress} from '../src/lab/network.js';
import {until} from '../src/lab/wait.js';

export interface Contestant {
  readonly name: string;
  readonly kind: 'systole' | 'real' | 'keepalived';
  /** keepalived's only timing: death is three and a bit of these. */
  readonly advertMs?: number;
}

export const quick: Timing = {keepaliveMs: 100, warntimeMs: 300, deadtimeMs: 500, initdeadMs: 3000};

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Stage {
  readonly contestant: Contestant;
  readonly lab: Lab;
  readonly prober: Prober;

  private constructor(contestant: Contestant, lab: Lab, prober: Prober) {
    this.contestant = contestant;
    this.lab = lab;
    this.prober = prober;
  }

  /** Boots the machines; no daemon runs yet. */
  static async open(contestant: Contestant, timing: Timing = quick, haCf: readonly string[] = []): Promise<Stage> {
    const lab = await Lab.create({
      daemon: contestant.kind === 'real' ? 'real' : 'systole',
      timing,
      haCf,
      // With the duplicate-address check and the announcements that the agent of each package makes by default.
      haresources: () => `n1 IPaddr::${serviceAddress}/24/eth0`,
    });
    try {
      for (const node of lab.nodes)
        if (contestant.kind === 'keepalived') writeKeepalivedConf(node, contestant.advertMs ?? 1000);
      await lab.powerOn();
      return new Stage(contestant, lab, await Prober.start(lab.client));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.prober.close();
    await this.lab.close();
  }

  async start(node: LabNode): Promise<void> {
    if (this.contestant.kind !== 'keepalived') return node.start();
    await node.machine.run('keepalived -P -f /etc/ha.d/keepalived.conf -p /run/keepalived.pid -r /run/vrrp.pid');
  }

  /** Begins a graceful stop; resolves when the daemon is gone. */
  async stop(node: LabNode): Promise<void> {
    if (this.contestant.kind !== 'keepalived') return node.stop(60_000);
    await node.machine.run('p=$(cat /run/keepalived.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done');
  }

  /** The administrator's way to move the address to the other node; gives what the command itself took. */
  async giveAway(node: LabNode): Promise<number> {
    if (this.contestant.kind === 'keepalived') {
      await this.lab.other(node).machine.run('echo 0 >/etc/ha.d/handicap');
      return (await node.machine.exec('echo -50 >/etc/ha.d/handicap')).tookMs;
    }
    const outcome = await node.command('hb_standby', 'all');
    // The real one exits 0 and says so; a refusal would otherwise look like an endless outage.
    if (outcome.code !== 0) throw new Error(`hb_standby: exit ${outcome.code}: ${outcome.stdout}${outcome.stderr}`);
    return outcome.tookMs;
  }

  /** The one node that carries the address. */
  async owner(): Promise<LabNode> {
    const name = await until(
      async () => {
        const owners = await this.lab.owners();
        return owners.length === 1 && owners[0];
      },
      {timeoutMs: 30_000, what: () => `${this.contestant.name}: no single owner`},
    );
    return this.lab.node(name);
  }

  /** Starts both nodes and waits until they serve and agree. Gives start of the second -> service. */
  async coldStart(): Promise<number> {
    const [first, second] = this.lab.nodes as [LabNode, LabNode];
    await this.prober.mark();
    await this.start(first);
    const startedAt = performance.now();
    await this.start(second);
    await this.answered();
    return performance.now() - startedAt;
  }

  /** Resolves as soon as any node answers for the address since the mark. */
  async answered(timeoutMs = 60_000): Promise<void> {
    await until(async () => (await this.prober.report()).answers > 0, {
      timeoutMs,
      everyMs: 2,
      what: () => `${this.contestant.name}: nobody answers for the address`,
    });
  }

  /** Both nodes are members and no transition is under way, so that the next situation begins from rest. */
  async settle(timeoutMs = 90_000): Promise<void> {
    let seen = '';
    if (this.contestant.kind !== 'keepalived')
      await until(
        async () => {
          const answers = await Promise.all(
            this.lab.nodes.flatMap((node) => [
              node.command('cl_status', 'rscstatus'),
              node.command('cl_status', 'nodestatus', this.lab.other(node).name),
            ]),
          );
          seen = answers.map(({stdout}) => stdout.trim()).join(' ');
          return /^(\w+) active (\w+) active$/.test(seen) && !seen.includes('transition');
        },
        {timeoutMs, everyMs: 200, what: () => `${this.contestant.name}: does not settle: ${seen}`},
      );
    else await sleep(5 * (this.contestant.advertMs ?? 1000));
    await this.owner();
    await sleep(500);
  }
}

function writeKeepalivedConf(node: LabNode, advertMs: number): void {
  const directory = `${node.machine.directory}/ha.d`;
  writeFileSync(`${directory}/handicap`, '0\n');
  writeFileSync(
    `${directory}/keepalived.conf`,
    `global_defs {
  router_id ${node.name}
  vrrp_version 3
}
track_file handicap {
  file "/etc/ha.d/handicap"
  weight 1
}
vrrp_instance service {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority ${node.number === 1 ? 110 : 100}
  advert_int ${advertMs / 1000}
  track_file {
    handicap
  }
  virtual_ipaddress {
    ${serviceAddress}/24 dev eth0
  }
}
`,
  );
}

// The DRBD resources of this node's groups, as the manager sees them: which they are follows from haresources, the rest is
// loaded only when there is one. A node without drbddisk, or without DRBD's programs, pays nothing.

import type {ConfQuestion} from '../drbd/conf-check.js';
import type {ClusterConfig} from '../model/config.js';
import {type DiskFacts, diskOf} from '../model/disk.js';
import type {LogRecord} from '../model/log.js';
import type {ResourceGroup} from '../model/resource.js';
import type {DiskService} from './drbd/service.js';
import type {ScriptEnv} from './script-env.js';

export interface DisksOptions {
  readonly config: () => ClusterConfig;
  readonly env: () => ScriptEnv;
  readonly log: (record: LogRecord) => void;
  /** Heartbeat starts here, and did not merely get another manager. */
  readonly isFreshStart: boolean;
  readonly onFacts: (facts: readonly DiskFacts[]) => void;
}

export class Disks {
  private service: Promise<DiskService> | undefined;
  private isClosed = false;

  constructor(private readonly options: DisksOptions) {}

  /** Called with all groups in force whenever they change. */
  follow(groups: readonly ResourceGroup[]): void {
    const names = drbdNames(groups);
    if (names.length === 0 && this.service === undefined) return;
    this.service ??= import('./drbd/service.js').then(({openDiskService}) =>
      openDiskService({
        env: this.options.env(),
        log: this.options.log,
        peer: () => peerOf(this.options.config()),
        question: () => confQuestion(this.options.config()),
        isFreshStart: this.options.isFreshStart,
        onFacts: (facts) => {
          if (!this.isClosed) this.options.onFacts(facts);
        },
      }),
    );
    void this.service.then((service) => (this.isClosed ? service.close() : service.follow(names)));
  }

  /** Nothing that was started here goes on. */
  close(): void {
    this.isClosed = true;
    void this.service?.then((service) => service.close());
  }
}

/** DRBD 9 names a connection after the node at its other end. */
function peerOf({ha}: ClusterConfig): string | undefined {
  const others = ha.nodes.filter((node) => node !== ha.node);
  return others.length === 1 ? others[0] : undefined;
}

/** What drbd.conf is judged by. */
export function confQuestion({ha, groups}: ClusterConfig): ConfQuestion {
  return {names: drbdNames(groups), node: ha.node, nodes: ha.nodes, hasStonith: ha.stonith !== undefined};
}

/** `drbddisk` alone means every resource of the configuration, as the agent has it: `all`. */
export function drbdNames(groups: readonly ResourceGroup[]): readonly string[] {
  const names = groups.flatMap((group) => group.resources.map(diskOf)).filter((each) => each !== undefined);
  return [...new Set(names)].sort();
}

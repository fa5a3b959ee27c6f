// What the demo's play needs of a place to be played: two nodes, a client that writes rows, and the means to switch a
// node off and on. Two stages exist: namespaces (real address, file system and MariaDB) and embedded (two daemons on
// loopback addresses with harmless resources).

export type Mode = 'namespaces' | 'embedded';

export interface Cell {
  readonly name: string;
  readonly value: string;
}

/** One node as seen from the outside, and what its daemon says of itself. */
export interface NodeReport {
  readonly node: string;
  readonly cells: readonly Cell[];
}

export interface ClientReport {
  readonly acknowledged: number;
  /** The longest time without an acknowledged row since the mark, one that still lasts included. */
  readonly outageMs: number;
  /** The same for the service address alone; undefined: this stage does not probe it. */
  readonly addressOutageMs: number | undefined;
}

export interface Stage {
  readonly mode: Mode;
  /** The first is the home node of the group. */
  readonly nodes: readonly [string, string];
  /** Lines that tell what this stage is made of, and what it cannot show. */
  readonly facts: readonly string[];
  /** What is left of a node after a power cut, e.g. `no process, no cable`. */
  readonly powerCutMeans: string;
  /** The haresources line. */
  readonly group: () => string;
  /** Nodes on, disk or store ready; no daemon yet. Says what it does. */
  build(say: (text: string) => void): Promise<void>;
  startDaemon(node: string): Promise<void>;
  /** Resolves when rows are acknowledged by this node. Starts the client on the first call. */
  servedBy(node: string, timeoutMs: number): Promise<void>;
  /** Resolves when both daemons run, hear each other and have settled. */
  settled(timeoutMs: number): Promise<void>;
  report(): Promise<readonly NodeReport[]>;
  /** Outages count from here. */
  mark(): Promise<void>;
  client(): Promise<ClientReport>;
  powerCut(node: string): Promise<void>;
  /** Boots the node and starts its daemon. */
  powerOn(node: string): Promise<void>;
  standby(node: string): Promise<void>;
  /** Ends writing, reads everything back: acknowledged rows, and how many of them are missing. */
  verify(): Promise<{readonly acknowledged: number; readonly lost: number}>;
  /** The last lines of a node's log, for a failure. */
  logTail(node: string): Promise<string>;
  close(): Promise<void>;
}

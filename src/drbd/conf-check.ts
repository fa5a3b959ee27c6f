// Judges drbd.conf by the promise that docs/drbd.md makes: what in it lets a copy that lacks acknowledged writes be promoted, or DRBD
// throw writes away. Pure: `drbdadm dump` and what the cluster is in, findings out. Promises: only warnings; what the dump does not
// show is not guessed at; of several connections only those between nodes of the cluster count.

import type {DiagnosticCode} from '../errors/diagnostics.js';
import {type ConfConnection, connectionsOf, diskValuesOf, handlerOf, hostsOf, resourceBlocks} from './conf.js';
import {parseShow} from './show.js';

export interface ConfQuestion {
  /** What haresources names; `all` is every resource that drbd.conf gives this node. */
  readonly names: readonly string[];
  /** Lower case, as all nodes. */
  readonly node: string;
  readonly nodes: readonly string[];
  readonly hasStonith: boolean;
}

export interface ConfFinding {
  readonly code: DiagnosticCode;
  /** Where drbd.conf defines the resource; line 0: the dump does not say. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** Where there is more to say than with every finding of that code. */
  readonly hint?: string;
}

type Found = Pick<ConfFinding, 'code' | 'text' | 'hint'>;

export function checkConf(text: string, question: ConfQuestion): readonly ConfFinding[] {
  const dump = parseShow(text);
  const places = placesIn(text);
  return resourceBlocks(dump).flatMap(([name, block]) => {
    const {file, line, isIgnored} = places.get(name) ?? {file: 'drbd.conf', line: 0, isIgnored: false};
    const isNamed = question.names.includes(name) || (question.names.includes('all') && !isIgnored);
    if (!isNamed) return [];
    const connections = withinCluster(connectionsOf(block, dump, question.node), question.nodes);
    const handler = handlerOf(block, dump);
    const found = [
      ...connections.flatMap((each) => [
        ...checkFencing(each, handler, question.hasStonith),
        ...checkSplitBrain(each),
        ...checkWrites(each),
      ]),
      ...checkDisks((key) => diskValuesOf(block, dump, question.node, key)),
      ...checkHosts(hostsOf(block), question.nodes),
    ];
    const isFirst = (each: Found, at: number): boolean => found.findIndex((other) => other.text === each.text) === at;
    return found.filter(isFirst).map((each) => ({...each, text: `${name}: ${each.text}`, file, line}));
  });
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly isIgnored: boolean;
}

/** The comments of a dump: what drbdadm makes of a resource on this host, and where it is defined. */
function placesIn(text: string): ReadonlyMap<string, Place> {
  const found = text.matchAll(/^# resource (\S+) on .*: (not )?ignored,.*\n# defined at (.*):(\d+)$/gm);
  return new Map(
    [...found].map(([, name = '', not, file = '', line]): [string, Place] => [
      name,
      {file, line: Number(line), isIgnored: not === undefined},
    ]),
  );
}

/** A copy elsewhere may lag behind. Where no connection can be told by its hosts all count. */
function withinCluster(connections: readonly ConfConnection[], nodes: readonly string[]): readonly ConfConnection[] {
  const isWithin = ({hosts}: ConfConnection): boolean =>
    hosts.filter((host) => nodes.includes(host.toLowerCase())).length > 1;
  const within = connections.filter(isWithin);
  return within.length === 0 ? connections : within;
}

function checkFencing({fencing}: ConfConnection, handler: string | undefined, hasStonith: boolean): readonly Found[] {
  if (fencing === 'dont-care') {
    const text = 'no fencing: after a cut of the replication link the old copy still looks good, and can be promoted';
    return [{code: 'DRBD_CONF_FENCING', text}];
  }
  const freezes = fencing === 'resource-and-stonith';
  const found: Found[] = [];
  if (handler === undefined) {
    const text = `fencing ${fencing} without a fence-peer handler: nobody outdates the other copy${freezes ? ', and writes stay frozen' : ''}`;
    const hint = `handlers { fence-peer "/usr/libexec/heartbeat/drbd-peer-outdater -t ${freezes ? 60 : 12}"; }`;
    found.push({code: 'DRBD_CONF_HANDLER', text, hint});
  }
  if (freezes && !hasStonith) {
    const text = `fencing ${fencing}, but ha.cf has no STONITH device for this node: a node out of reach is taken for dead, and both copies can be written`;
    found.push({code: 'DRBD_CONF_STONITH', text});
  }
  return found;
}

/**
 * Who decides is after-sb-0pri; the policies for one and two Primaries follow it, but for `discard-secondary`, which asks nobody.
 * `discard-zero-changes` drops only a copy without changes; carried out violently, below a file system that is mounted.
 */
function checkSplitBrain({afterSplitBrain: [none, one, both]}: ConfConnection): readonly Found[] {
  const throwsAway = none.startsWith('discard-') && none !== 'discard-zero-changes';
  const follows = (policy: string): boolean =>
    ['consensus', 'violently-as0p', 'call-pri-lost-after-sb'].includes(policy) && throwsAway;
  const found: Found[] = [];
  const lose = (key: string, policy: string): void => {
    const text = `${key} ${policy}: after a split brain DRBD itself throws changes away`;
    found.push({code: 'DRBD_CONF_SPLIT_BRAIN', text});
  };
  if (throwsAway) lose('after-sb-0pri', none);
  if (one === 'discard-secondary' || follows(one)) lose('after-sb-1pri', one);
  if (follows(both)) lose('after-sb-2pri', both);
  if (none === 'discard-zero-changes' && [one, both].includes('violently-as0p')) {
    const text = `violently-as0p with after-sb-0pri ${none}: after a split brain DRBD can overwrite a disk that is in use`;
    found.push({code: 'DRBD_CONF_SPLIT_BRAIN', text});
  }
  return found;
}

function checkWrites({protocol, allowsTwoPrimaries, onCongestion}: ConfConnection): readonly Found[] {
  const found: Found[] = [];
  if (protocol !== 'C') {
    const early =
      protocol === 'A'
        ? 'has left this node, so a takeover can lose it'
        : "is on the other node's disk, so a power cut of both nodes can lose it";
    found.push({code: 'DRBD_CONF_PROTOCOL', text: `protocol ${protocol}: a write is acknowledged before it ${early}`});
  }
  if (allowsTwoPrimaries) {
    const text =
      'allow-two-primaries: DRBD refuses no second Primary, and a file system mounted on both nodes is destroyed';
    found.push({code: 'DRBD_CONF_TWO_PRIMARIES', text});
  }
  if (onCongestion === 'pull-ahead') {
    const text =
      'on-congestion pull-ahead: when the link is full DRBD stops replicating, and the other copy is Inconsistent until it has caught up';
    found.push({code: 'DRBD_CONF_CONGESTION', text});
  }
  return found;
}

/** `disk-barrier no` is the default since 8.4.2: flushes do the work. */
function checkDisks(valuesOf: (key: string) => readonly string[]): readonly Found[] {
  const flushes = ['disk-flushes', 'md-flushes'].filter((key) => valuesOf(key).includes('no'));
  const found: Found[] = flushes.map((key) => ({
    code: 'DRBD_CONF_FLUSHES',
    text: `${key} no: what the disk has only in its cache counts as written, so a power cut of both nodes can lose acknowledged writes`,
  }));
  if (valuesOf('on-io-error').includes('pass_on')) {
    const text =
      'on-io-error pass_on: a block that could not be written here is only marked, and the service goes on with a disk that fails';
    found.push({code: 'DRBD_CONF_IO_ERROR', text});
  }
  return found;
}

function checkHosts(hosts: readonly string[], nodes: readonly string[]): readonly Found[] {
  const known = hosts.map((host) => host.toLowerCase());
  const missing = nodes.filter((node) => !known.includes(node));
  if (missing.length === 0) return [];
  const there = hosts.length === 0 ? 'it names none' : `its hosts are ${hosts.join(', ')}`;
  const text = `no host is called ${missing.join(' or ')} (${there}): dopd finds a node by that name, and cannot have it outdated`;
  return [{code: 'DRBD_CONF_HOSTS', text}];
}

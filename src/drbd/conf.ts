// drbd.conf as `drbdadm dump` prints it, of 8.4 and 9: of each resource its hosts, its fence-peer handler, and what is in force on its
// connections. What a narrow section leaves open the resource says, then `common`, then DRBD's default. One thing no dump shows:
// with 8.4 the `disk` section of a volume that stands outside of `on`.

import type {ShowBlock} from './show.js';

export interface ConfConnection {
  /** Its ends; none: between all hosts. */
  readonly hosts: readonly string[];
  readonly protocol: string;
  readonly fencing: string;
  readonly allowsTwoPrimaries: boolean;
  /** What DRBD does when the link cannot take what is written. */
  readonly onCongestion: string;
  /** What follows a split brain when no node, one or both are Primary. */
  readonly afterSplitBrain: readonly [none: string, one: string, both: string];
}

type Scopes = readonly (ShowBlock | undefined)[];

/** Every resource by its name. */
export function resourceBlocks(dump: ShowBlock): readonly (readonly [name: string, block: ShowBlock])[] {
  return dump.blocks.flatMap((block) => {
    const name = /^resource "?([^"\s]+)"?$/.exec(block.name)?.[1];
    return name === undefined ? [] : [[name, block] as const];
  });
}

/** The names after `on`; a `floating` host has none. */
export function hostsOf(resource: ShowBlock): readonly string[] {
  return resource.blocks.flatMap((each) => onNames(each.name));
}

export function handlerOf(resource: ShowBlock, dump: ShowBlock): string | undefined {
  return inForce([resource, commonOf(dump)], ['handlers'], 'fence-peer');
}

/** One without hosts where drbd.conf leaves them to DRBD, as 8.4 always does. */
export function connectionsOf(resource: ShowBlock, dump: ShowBlock, node: string): readonly ConfConnection[] {
  const own = resource.blocks.filter((each) => /^connection(-mesh)?\b/.test(each.name));
  const volumes = volumesOf(resource, node);
  return (own.length === 0 ? [undefined] : own).map((block) => {
    const scopes = [block, resource, commonOf(dump)];
    const net = (key: string): string | undefined => inForce(scopes, ['net'], key);
    return {
      hosts: block === undefined ? [] : endsOf(block),
      protocol: net('protocol') ?? 'C',
      fencing: fencingOf(scopes, volumes),
      allowsTwoPrimaries: net('allow-two-primaries') === 'yes',
      onCongestion: net('on-congestion') ?? 'block',
      afterSplitBrain: [
        net('after-sb-0pri') ?? 'disconnect',
        net('after-sb-1pri') ?? 'disconnect',
        net('after-sb-2pri') ?? 'disconnect',
      ],
    };
  });
}

/** What a key of the section `disk` says for the volumes of this node; a volume for which nothing says it is left out. */
export function diskValuesOf(resource: ShowBlock, dump: ShowBlock, node: string, key: string): readonly string[] {
  const common = inForce([resource, commonOf(dump)], ['disk'], key);
  const volumes = volumesOf(resource, node);
  const found = volumes.map((volume) => inForce([volume], ['disk'], key) ?? common);
  return [...new Set(volumes.length === 0 ? [common] : found)].filter((each) => each !== undefined);
}

/** 8.4 has it in `disk`, for each volume, and goes by the strictest; 9 has it in `net`. */
function fencingOf(scopes: Scopes, volumes: readonly ShowBlock[]): string {
  const common = inForce(scopes, ['net', 'disk'], 'fencing') ?? 'dont-care';
  const found = volumes.map((volume) => inForce([volume], ['disk'], 'fencing') ?? common);
  const all = found.length === 0 ? [common] : found;
  return ['resource-and-stonith', 'resource-only'].find((each) => all.includes(each)) ?? 'dont-care';
}

function volumesOf(resource: ShowBlock, node: string): readonly ShowBlock[] {
  const here = resource.blocks.filter((each) => onNames(each.name).some((name) => name.toLowerCase() === node));
  return [resource, ...here].flatMap(({blocks}) => blocks.filter((each) => each.name.startsWith('volume ')));
}

/** `host NAME ...` twice, in the connection or in each of its paths; in a mesh `hosts NAME...`. */
function endsOf(connection: ShowBlock): readonly string[] {
  const lines = [connection, ...connection.blocks.filter((each) => each.name === 'path')].flatMap(
    ({statements}) => statements,
  );
  const names = lines.flatMap(([key, ...words]) => (key === 'hosts' ? words : key === 'host' ? words.slice(0, 1) : []));
  return [...new Set(names.map(unquoted))];
}

function onNames(name: string): readonly string[] {
  return (/^on (.+)$/.exec(name)?.[1]?.split(/\s+/) ?? []).map(unquoted);
}

function unquoted(word: string): string {
  return word.replace(/^"|"$/g, '');
}

function commonOf(dump: ShowBlock): ShowBlock | undefined {
  return dump.blocks.find((block) => block.name === 'common');
}

function inForce(scopes: Scopes, sections: readonly string[], key: string): string | undefined {
  for (const scope of scopes) {
    const found = scope?.blocks.find(({name, values}) => sections.includes(name) && values[key] !== undefined);
    if (found) return found.values[key];
  }
  return undefined;
}

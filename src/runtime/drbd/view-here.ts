// This node's view of a resource, read from DRBD's tools and from what the watch has noted. A tool that fails leaves its part of
// the view empty; that is not knowing, and nothing is concluded from it.

import {existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {parseGenerations} from '../../drbd/generation.js';
import {isJournalVoid, journalOf} from '../../drbd/resolve-journal.js';
import type {Finding} from '../../drbd/split-brain.js';
import {makeView, type Times, timesOf, type View, viewOf} from '../../drbd/view.js';
import {writeDurably} from './durable.js';
import type {DrbdTools} from './tools.js';

const READ_MS = 10_000;

/** Where things lie: what is true now in the run directory, what must outlive a power cut in the state directory. */
export interface DrbdPlaces {
  readonly runDir: string;
  readonly varLibDir: string;
}

/** A split brain outlives a power cut, so what is known of it must too. */
export const findingPath = ({varLibDir}: DrbdPlaces, resource: string): string =>
  `${varLibDir}/drbd/${encodeURIComponent(resource)}.finding.json`;
export const connectWishPath = ({runDir}: DrbdPlaces, resource: string): string =>
  `${runDir}/drbd/${encodeURIComponent(resource)}.connect`;
export const timesPath = ({varLibDir}: DrbdPlaces, resource: string): string =>
  `${varLibDir}/drbd/${encodeURIComponent(resource)}.times.json`;
export const journalPath = ({varLibDir}: DrbdPlaces, resource: string): string =>
  `${varLibDir}/drbd/${encodeURIComponent(resource)}.resolve.json`;

/** undefined: the tools cannot tell, which `why` explains. */
export async function viewHere(
  tools: DrbdTools,
  node: string,
  resource: string,
  places: DrbdPlaces,
  times: Times = readTimes(places, resource),
): Promise<{readonly view: View} | {readonly why: string}> {
  const sight = await tools.read(resource);
  if (sight.found === 'nothing') return {why: sight.why};
  const exit = await tools.adm(['get-gi', resource], READ_MS);
  const generations = exit.code === 0 ? parseGenerations(exit.stdout) : [];
  const state = sight.found === 'up' ? sight.state : undefined;
  const source = {node, resource, wallMs: Date.now(), state, generations, times};
  const view = makeView({...source, isDiscarding: false});
  return {view: {...view, isDiscarding: isDiscarding(places, view)}};
}

/** A journal that cannot be read may be a binding one. */
function isDiscarding(places: DrbdPlaces, view: View): boolean {
  const path = journalPath(places, view.resource);
  if (!existsSync(path)) return false;
  const journal = journalOf(readJson(path), view.resource);
  return journal === undefined || !isJournalVoid(journal, view);
}

export function readTimes(places: DrbdPlaces, resource: string): Times {
  return timesOf(readJson(timesPath(places, resource)));
}

export interface KeptFinding {
  /** When it was found, by this node's clock. */
  readonly sinceMs: number;
  /** When the other node's view was last heard. */
  readonly seenMs: number;
  readonly kind: Finding['kind'];
  readonly ours: View;
  readonly theirs: View | undefined;
  /** This copy stood back while the other one served, and did not serve since. */
  readonly isHeldBack?: boolean;
}

/** What dopd's watch has found of a resource on this node; undefined: nothing to report, or no dopd of ours. */
export function readFinding(places: DrbdPlaces, resource: string): KeptFinding | undefined {
  const item = readJson(findingPath(places, resource)) as Readonly<Record<string, unknown>> | undefined;
  const ours = viewOf(item?.['ours']);
  if (item === undefined || ours === undefined) return undefined;
  const [kind, sinceMs, seenMs] = [item['kind'], item['sinceMs'], item['seenMs']];
  if (kind !== 'split-brain' && kind !== 'unrelated' && kind !== 'alone' && kind !== 'unknown') return undefined;
  if (typeof sinceMs !== 'number' || typeof seenMs !== 'number') return undefined;
  return {kind, sinceMs, seenMs, ours, theirs: viewOf(item['theirs']), isHeldBack: item['isHeldBack'] === true};
}

/** After a power cut it is what keeps the old copy from being promoted. */
export function keepFinding(places: DrbdPlaces, resource: string, kept: KeptFinding | undefined): void {
  const path = findingPath(places, resource);
  if (kept === undefined) rmSync(path, {force: true});
  else writeDurably(path, kept);
}

/** undefined: not there, or not JSON. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whole or not at all. */
export function writeJson(path: string, value: unknown): void {
  mkdirSync(dirname(path), {recursive: true});
  writeFileSync(`${path}.new`, `${JSON.stringify(value)}\n`);
  renameSync(`${path}.new`, path);
}

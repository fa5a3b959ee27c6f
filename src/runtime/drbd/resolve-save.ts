// The two backups of `systole drbd resolve`: before this node meets the other one, what was changed here (or the whole disk); and when
// both bitmaps are joined, the blocks that only the other node changed, as they are here (unless it wrote meanwhile). The resource is down meanwhile, and
// held down: agents and the manager bring resources up under a lock, which is taken here. Afterwards it is looked whether
// it stayed so.

import {existsSync, mkdirSync} from 'node:fs';
import {bytesIn, type Extent, joinExtents, withoutExtents} from '../../drbd/dump-md.js';
import type {Journal} from '../../drbd/resolve-journal.js';
import {checkSpace, mib, saveExtents} from './backup.js';
import {changedBlocks} from './changed-blocks.js';
import {holdLock} from './lock.js';
import {
  blocksOf,
  type Manifest,
  readIndex,
  readManifest,
  type SavedPart,
  type SavedVolume,
  writeManifest,
} from './manifest.js';
import type {DrbdTools} from './tools.js';
import type {DrbdPlaces} from './view-here.js';

const READ_MS = 10_000;
const LOCK_S = 60;

interface Volume {
  readonly volume: number;
  /** What drbdadm calls it. */
  readonly name: string;
  readonly disk: string;
}

export interface SaveOptions {
  readonly tools: DrbdTools;
  readonly places: DrbdPlaces;
  readonly say: (text: string) => void;
  /** A line that the next one replaces. */
  readonly progress: (text: string) => void;
}

export class SaveError extends Error {}

/** `changed` or `whole`, with a manifest at the end. */
export async function saveBefore(journal: Journal, options: SaveOptions): Promise<void> {
  const directory = journal.directory as string;
  await whileDown(journal.resource, options, async () => {
    mkdirSync(directory, {recursive: true, mode: 0o700});
    const volumes: SavedVolume[] = [];
    for (const volume of await volumesOf(journal, options.tools)) {
      const dump = await changedBlocks(options.tools, volume.name);
      const isWhole = journal.backup === 'full';
      const extents = isWhole ? [{offset: 0, length: dump.deviceBytes}] : dump.extents;
      checkSpace(directory, bytesIn(extents));
      const kind = isWhole ? 'whole' : 'changed';
      const part = await save({directory, volume, deviceBytes: dump.deviceBytes, extents, kind}, options);
      options.say(
        `saved ${mib(part.bytes)} of ${volume.disk} (${kind === 'whole' ? 'the whole disk' : 'changed here'}) in ${directory}`,
      );
      volumes.push({
        volume: volume.volume,
        deviceBytes: dump.deviceBytes,
        blocks: blocksOf(volume.volume),
        parts: [part],
      });
    }
    await mustBeDown(journal.resource, options.tools);
    writeManifest(directory, manifestOf(journal, volumes, journal.backup === 'full'));
  });
}

/** Adds what the other node changed, as it was here, to a backup of what this node changed. Exact: as it was for certain. */
export async function saveAround(journal: Journal, isExact: boolean, options: SaveOptions): Promise<void> {
  const directory = journal.directory as string;
  await whileDown(journal.resource, options, async () => {
    const before = readManifest(directory);
    const volumes: SavedVolume[] = [];
    for (const volume of await volumesOf(journal, options.tools)) {
      const saved = before.volumes.find((each) => each.volume === volume.volume);
      if (!saved) throw new SaveError(`${directory}/manifest.json does not name volume ${volume.volume}`);
      const changed = saved.parts.filter(({kind}) => kind === 'changed');
      const dump = await changedBlocks(options.tools, volume.name);
      const has = joinExtents(changed.flatMap((part) => readIndex(directory, saved, part)));
      const extents = withoutExtents(dump.extents, has);
      checkSpace(directory, bytesIn(extents));
      const part = await save({directory, volume, deviceBytes: dump.deviceBytes, extents, kind: 'around'}, options);
      options.say(`saved ${mib(part.bytes)} more: what only the other node changed, as it was here`);
      if (!isExact)
        options.say(
          'The other node may have written here since they met: such blocks are saved as it wrote them, or not at all. What was changed here is not concerned.',
        );
      volumes.push({...saved, parts: [...changed, part]});
    }
    await mustBeDown(journal.resource, options.tools);
    writeManifest(directory, manifestOf(journal, volumes, isExact));
  });
}

function manifestOf(journal: Journal, volumes: readonly SavedVolume[], isExact: boolean): Manifest {
  const {resource, node, ours, theirs} = journal;
  return {format: 'systole-drbd-backup 1', resource, node, takenMs: Date.now(), ours, theirs, volumes, isExact};
}

function save(
  task: {
    readonly directory: string;
    readonly volume: Volume;
    readonly deviceBytes: number;
    readonly extents: readonly Extent[];
    readonly kind: 'changed' | 'around' | 'whole';
  },
  options: SaveOptions,
): Promise<SavedPart> {
  const {volume, disk} = task.volume;
  const onProgress = (done: number, all: number): void => options.progress(`saving ${mib(done)} of ${mib(all)}`);
  return saveExtents({...task, volume, disk, onProgress});
}

/** From the journal: down, DRBD knows no volumes. A single one has the name of its resource. */
async function volumesOf({ours, resource}: Journal, tools: DrbdTools): Promise<readonly Volume[]> {
  const isSingle = ours.volumes.length === 1;
  const found: Volume[] = [];
  for (const {volume} of ours.volumes) {
    const name = isSingle ? resource : `${resource}/${volume}`;
    const exit = await tools.adm(['sh-ll-dev', name], READ_MS);
    const disk = exit.stdout.trim();
    if (exit.code !== 0 || !disk.startsWith('/') || disk.includes('\n') || !existsSync(disk))
      throw new SaveError(`the disk under ${name} is not known: drbdadm sh-ll-dev says ${JSON.stringify(disk)}`);
    found.push({volume, name, disk});
  }
  return found;
}

async function mustBeDown(resource: string, tools: DrbdTools): Promise<void> {
  const sight = await tools.read(resource);
  if (sight.found !== 'down')
    throw new SaveError(`somebody brought ${resource} up while it was being saved: this backup may be mixed`);
}

/** Agents and the manager wait for this lock before they bring the resource up. It ends with this process. */
async function whileDown(resource: string, {tools, places}: SaveOptions, work: () => Promise<void>): Promise<void> {
  const lock = /^[\w.-]+$/.test(resource)
    ? await holdLock(tools, `${places.runDir}/drbd-${resource}.lock`, LOCK_S)
    : undefined;
  try {
    await work();
  } finally {
    lock?.release();
  }
}

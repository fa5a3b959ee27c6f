// The two backups of `systole drbd resolve`: before this node meets the other one, what was changed here (or the whole disk); and when
// both bitmaps are joined, the blocks that only the other node changed, as they are here (unless it wrote meanwhile). The resource is down meanwhile, and
// held down: agents and the manager bring resources up under a lock, which is taken here. Afterwards it is looked whether
// it stayed so.

import {existsSync} from 'node:fs';
import {bytesIn, type Extent, joinExtents, withoutExtents} from '../../drbd/dump-md.js';
import type {Journal} from '../../drbd/resolve-journal.js';
import {viewOf} from '../../drbd/view.js';
import {checkBackup, checkSpace, mib, saveExtents} from './backup.js';
import {changedBlocks} from './changed-blocks.js';
import {makeDirectory, syncDirectory} from './durable.js';
import {holdLock} from './lock.js';
import {
  blocksOf,
  dropManifest,
  FORMAT,
  type Manifest,
  mustBeReadable,
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
  /** How long others that bring the resource up are waited for. */
  readonly lockS?: number;
}

export class SaveError extends Error {}

/** `changed` or `whole`, with a manifest at the end. One that an interrupted run has finished is as good or better. */
export async function saveBefore(journal: Journal, isWhole: boolean, options: SaveOptions): Promise<void> {
  const directory = journal.directory as string;
  await whileDown(journal.resource, options, async () => {
    if (await isFinished(journal)) return options.say(`the backup in ${directory} was finished already`);
    makeDirectory(directory, syncDirectory, 0o700);
    dropManifest(directory);
    const volumes: SavedVolume[] = [];
    for (const volume of await volumesOf(journal, options.tools)) {
      const dump = await changedBlocks(options.tools, volume.name);
      const kind = journal.backup === 'full' ? 'whole' : 'changed';
      const extents = kind === 'whole' ? [{offset: 0, length: dump.deviceBytes}] : dump.extents;
      checkSpace(directory, bytesIn(extents));
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
    await finish(journal, {volumes, isExact: isWhole && journal.backup === 'full', isPartial: !isWhole}, options);
  });
}

/** Of these data and of this kind, and every sum is right. */
async function isFinished({directory = '', ours, backup}: Journal): Promise<boolean> {
  const kind = backup === 'full' ? 'whole' : 'changed';
  try {
    const {volumes, ours: saved} = readManifest(directory);
    const isOfThese = JSON.stringify(viewOf(saved)) === JSON.stringify(viewOf(ours));
    if (!isOfThese || volumes.some(({parts}) => parts[0]?.kind !== kind)) return false;
    for (const volume of volumes) await checkBackup(directory, volume);
    return true;
  } catch {
    return false;
  }
}

/** Adds what the other node changed, as it was here, to a backup of what this node changed. Exact: as it was for certain. */
export async function saveAround(journal: Journal, isExact: boolean, options: SaveOptions): Promise<void> {
  const directory = journal.directory as string;
  await whileDown(journal.resource, options, async () => {
    const before = readManifest(directory);
    // An interrupted run has saved it; what is here now may have been written by the other node since.
    if (before.volumes.every(({parts}) => parts.some(({kind}) => kind === 'around')))
      return finish(journal, {...before, isExact: false}, options);
    const volumes: SavedVolume[] = [];
    for (const volume of await volumesOf(journal, options.tools)) {
      const saved = before.volumes.find((each) => each.volume === volume.volume);
      if (!saved) throw new SaveError(`${directory}/manifest.json does not name volume ${volume.volume}`);
      const dump = await changedBlocks(options.tools, volume.name);
      const has = joinExtents(saved.parts.flatMap((part) => readIndex(directory, saved, part)));
      const extents = withoutExtents(dump.extents, has);
      checkSpace(directory, bytesIn(extents));
      const part = await save({directory, volume, deviceBytes: dump.deviceBytes, extents, kind: 'around'}, options);
      options.say(`saved ${mib(part.bytes)} more: what only the other node changed, as it was here`);
      volumes.push({...saved, parts: [...saved.parts, part]});
    }
    if (!isExact)
      options.say(
        'The other node may have written here since they met: such blocks are saved as it wrote them, or not at all. What was changed here is not concerned.',
      );
    await finish(journal, {...before, volumes, isExact: isExact && before.isPartial !== true}, options);
  });
}

type Outcome = Pick<Manifest, 'volumes' | 'isExact' | 'isPartial'>;

async function finish(journal: Journal, outcome: Outcome, {tools}: SaveOptions): Promise<void> {
  const directory = journal.directory as string;
  await mustBeDown(journal.resource, tools);
  writeManifest(directory, manifestOf(journal, outcome));
  mustBeReadable(directory, outcome.volumes);
}

function manifestOf(journal: Journal, {volumes, isExact, isPartial = false}: Outcome): Manifest {
  const {resource, node, ours, theirs} = journal;
  const about = {resource, node, takenMs: Date.now(), ours, theirs};
  return {format: FORMAT, ...about, volumes, isExact, isPartial};
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
  const all = await tools.adm(['sh-ll-dev', resource], READ_MS);
  const disks = all.stdout.split('\n').filter((line) => line.trim() !== '').length;
  if (all.code !== 0 || disks !== ours.volumes.length)
    throw new SaveError(
      `drbd.conf gives ${resource} ${disks} disks, and ${ours.volumes.length} volumes were seen when it was begun`,
    );
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
async function whileDown(resource: string, options: SaveOptions, work: () => Promise<void>): Promise<void> {
  const {tools, places, lockS = LOCK_S} = options;
  const lock = /^[\w.-]+$/.test(resource)
    ? await holdLock(tools, `${places.runDir}/drbd-${resource}.lock`, lockS)
    : undefined;
  try {
    if (lock?.isHeld === false)
      throw new SaveError(`another program brings ${resource} up or changes it, and did not end within ${lockS} s`);
    await mustBeDown(resource, tools);
    await work();
  } finally {
    lock?.release();
  }
}

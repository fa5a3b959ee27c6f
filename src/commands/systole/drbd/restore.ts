// systole drbd restore: looks into a backup that `systole drbd resolve` made, checks it, and lays its blocks over a copy of the
// device, so that the data can be mounted as they were on the node that lost. Never writes to a device.

import {statSync} from 'node:fs';
import {Args, Flags} from '@oclif/core';
import {checkBackup, layOver, mib} from '../../../runtime/drbd/backup.js';
import {BackupError, doubtsOf, type Manifest, readManifest} from '../../../runtime/drbd/manifest.js';
import {EXIT, Exit} from '../../lib/program.js';
import {SystoleCommand} from '../../lib/systole-command.js';

export default class DrbdRestore extends SystoleCommand {
  static override summary =
    'Check a backup of thrown-away changes, and lay it over a copy of the device to look into it.';
  static override description =
    'Without --onto: says what the backup holds and checks every sum. With it: writes the saved blocks into FILE, a copy of the synchronised device. Exit status: 0 fine, 2 wrong words, 3 the backup is damaged or does not fit.';
  static override examples = [
    '<%= config.bin %> drbd restore /var/lib/heartbeat/drbd-backup/data-20261121T174110Z',
    'dd if=/dev/drbd0 of=/backup/copy.img bs=1M conv=sparse    # on the Primary, the service stopped',
    '<%= config.bin %> drbd restore DIRECTORY --onto /backup/copy.img && mount -t ext4 -o ro,loop,noload /backup/copy.img /mnt',
  ];
  static override args = {directory: Args.string({description: 'the directory of the backup', required: true})};
  static override flags = {
    onto: Flags.string({description: 'a file: a copy of the device, which is changed'}),
    volume: Flags.integer({description: 'of a resource with several volumes', default: 0, min: 0}),
  };

  async run(): Promise<void> {
    const {args, flags} = await this.parse(DrbdRestore);
    try {
      const manifest = readManifest(args.directory);
      if (flags.onto === undefined) await this.#show(args.directory, manifest);
      else await this.#lay(args.directory, manifest, flags.onto, flags.volume);
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      throw new Exit(EXIT.refused, `systole drbd restore: ${error.message}`);
    }
  }

  async #show(directory: string, manifest: Manifest): Promise<void> {
    this.log(`${manifest.resource} of ${manifest.node}, saved ${new Date(manifest.takenMs).toISOString()}`);
    for (const saved of manifest.volumes) {
      const bytes = await checkBackup(directory, saved);
      const parts = saved.parts.map(({kind, bytes: size}) => `${kind} ${mib(size)}`).join(', ');
      this.log(`  ${saved.blocks}: ${parts} of ${mib(saved.deviceBytes)}; ${mib(bytes)} checked, all sums are right`);
    }
    const [first] = manifest.volumes;
    if (!first) return;
    if (first.parts.some(({kind}) => kind === 'whole'))
      this.log(`It is the whole disk: mount -o ro,loop,noload ${directory}/${first.blocks} /mnt`);
    else
      this.log(
        `To look into it: systole drbd restore ${directory} --onto COPY, where COPY is a copy of the device made after the synchronisation`,
      );
    this.#doubt(manifest);
  }

  #doubt(manifest: Manifest): void {
    for (const text of doubtsOf(manifest)) this.log(text);
  }

  async #lay(directory: string, manifest: Manifest, target: string, volume: number): Promise<void> {
    const saved = manifest.volumes.find((each) => each.volume === volume);
    if (!saved) throw new BackupError(`${directory} has no volume ${volume}`);
    const found = statOf(target);
    if (!found?.isFile())
      throw new BackupError(`${target} is not a file: only a copy of the device is written to, never a device`);
    if (found.size < saved.deviceBytes)
      throw new BackupError(`${target} has ${found.size} bytes, the device ${saved.deviceBytes}: it is no whole copy`);
    await checkBackup(directory, saved);
    const bytes = await layOver(directory, saved, target);
    this.log(`${mib(bytes)} of ${manifest.node}'s data written into ${target}`);
    this.#doubt(manifest);
    this.log(
      `To look into it: mount -t ext4 -o ro,loop,noload ${target} /mnt (without noload, and writable, the file system's journal is replayed)`,
    );
  }
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

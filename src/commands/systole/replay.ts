// systole replay: a crash file once more through the same core, event by event. The cores are pure, so the failure of the
// field happens again here, under a debugger if one likes.

import {readFileSync} from 'node:fs';
import {Args, Flags} from '@oclif/core';
import {stepManager} from '../../core/step.js';
import {stepMessaging} from '../../messaging/step.js';
import type {CrashReport} from '../../runtime/crash.js';
import {EXIT, Exit} from '../lib/program.js';
import {SystoleCommand} from '../lib/systole-command.js';

type AnyStep = (state: unknown, event: unknown, now: unknown) => {state: unknown; effects: readonly unknown[]};

const CORES: Readonly<Record<string, AnyStep>> = {
  manager: stepManager as unknown as AnyStep,
  messaging: stepMessaging as unknown as AnyStep,
};

export default class Replay extends SystoleCommand {
  static override summary = 'Run the events of a crash file again.';
  static override description =
    'Prints every event with its effects. Exit status: 0 the failure happened again, 1 it did not, 2 not a crash file.';
  static override examples = ['<%= config.bin %> replay /var/log/systole-crash-2026-11-21T09-21-45-000Z-812.json'];
  static override args = {file: Args.string({required: true, description: 'a file systole-crash-*.json'})};
  static override flags = {state: Flags.boolean({description: 'print the last state as well'})};

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Replay);
    const report = this.read(args.file);
    let {state} = report;
    let failure: Error | undefined;
    const startMs = report.events[0]?.now.monoMs ?? 0;
    for (const {now, event} of report.events) {
      this.log(`${((now.monoMs - startMs) / 1000).toFixed(3)} ${JSON.stringify(event)}`);
      try {
        const after = CORES[report.process]!(state, event, now);
        state = after.state;
        for (const effect of after.effects) this.log(`        -> ${JSON.stringify(effect)}`);
      } catch (error) {
        failure = error as Error;
        break;
      }
    }
    if (flags.state) this.log(JSON.stringify(state, undefined, 2));
    this.log(`\nrecorded: ${report.error.split('\n')[0]}`);
    this.log(
      `now:      ${failure ? String(failure) : 'no failure: this version does not have it, or it was not in the core'}`,
    );
    if (!failure) this.exit(EXIT.usage);
  }

  private read(file: string): CrashReport {
    try {
      const report = JSON.parse(readFileSync(file, 'utf8')) as CrashReport;
      if (report.format !== 'systole-crash-1') throw new Error('its format is not systole-crash-1');
      if (!Object.hasOwn(CORES, report.process)) throw new Error(`it is of an unknown process: ${report.process}`);
      if (!Array.isArray(report.events) || report.state === undefined) throw new Error('it holds no state and events');
      return report;
    } catch (error) {
      throw new Exit(2, `systole replay: ${file} is not a crash file: ${(error as Error).message}`);
    }
  }
}

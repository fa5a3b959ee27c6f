// A DRBD of the test's own: the stand-in tools of fixtures/drbd/bin with a state directory. Tests set the state, hang a shell
// fragment on a verb, and read the calls that were made.

import {mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {root} from './command.js';

const NORMAL = {
  up: 'yes',
  role: 'Secondary',
  conn: 'Connected',
  repl: 'Established',
  disk: 'UpToDate',
  prole: 'Secondary',
  pdisk: 'UpToDate',
  meta: 'UpToDate',
} as const;
export type DrbdVariables = {readonly [name in keyof typeof NORMAL]: string};

export class FakeDrbd {
  readonly dir = mkdtempSync(`${tmpdir()}/systole-drbd-`);

  constructor(variables: Partial<DrbdVariables> = {}) {
    mkdirSync(this.dir, {recursive: true});
    writeFileSync(`${this.dir}/calls`, '');
    this.set(variables);
  }

  get env(): Readonly<Record<string, string>> {
    const node = process.execPath.replace(/\/[^/]*$/, '');
    return {PATH: `${root}/fixtures/drbd/bin:${node}:/usr/sbin:/usr/bin:/sbin:/bin`, SYSTOLE_DRBD: this.dir};
  }

  set(variables: Partial<DrbdVariables>): void {
    const words = Object.entries({...NORMAL, ...variables}).map(([name, value]) => `${name}=${value}`);
    writeFileSync(`${this.dir}/state.test`, `${words.join(' ')}\n`);
    renameSync(`${this.dir}/state.test`, `${this.dir}/state`);
  }

  get(name: keyof DrbdVariables): string {
    const text = readFileSync(`${this.dir}/state`, 'utf8');
    return new RegExp(`\\b${name}=(\\S*)`).exec(text)?.[1] ?? '';
  }

  /** A file of the state directory: `on-VERB`, `held`, `show`. */
  put(name: string, text: string): void {
    writeFileSync(`${this.dir}/${name}`, text);
  }

  lose(name: string): void {
    rmSync(`${this.dir}/${name}`, {force: true});
  }

  read(name: string): string {
    return readFileSync(`${this.dir}/${name}`, 'utf8');
  }

  /** Every call of either tool. */
  allCalls(): string {
    return this.read('calls');
  }

  /** Calls that change something, in order. */
  calls(): readonly string[] {
    const lines = readFileSync(`${this.dir}/calls`, 'utf8').trim().split('\n');
    return lines.filter((line) => /^drbdadm (?!role|dstate|cstate|sh-|dump)/.test(line)).map((line) => line.slice(8));
  }

  remove(): void {
    rmSync(this.dir, {recursive: true, force: true});
  }
}

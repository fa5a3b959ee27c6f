// Drives one api-talk program on a machine of the lab: what the tests of the client API say and wait for.

import assert from 'node:assert/strict';
import {createInterface} from 'node:readline';
import {packageRoot} from '../../src/lab/host.js';
import type {Machine} from '../../src/lab/machine.js';
import {deadline} from '../../src/lab/wait.js';

export type Fields = Readonly<Record<string, string>>;

export class ApiSession {
  /** Everything that came, in order. */
  readonly got: Fields[] = [];
  private notice: () => void = () => undefined;
  private readonly input: (line: string) => void;
  private id = '$pid';
  private node = '';

  constructor(machine: Machine, user?: {readonly uid: number; readonly gid: number}) {
    const program = [process.execPath, `${packageRoot}/dist/test/helpers/api-talk.js`, '/run/heartbeat/register'];
    // It becomes that user when it is loaded: another user may not be able to read the checkout.
    const [first, ...rest] = [...program, ...(user === undefined ? [] : [`${user.uid}`, `${user.gid}`])];
    const child = machine.spawn(first ?? '', rest);
    this.input = (line) => void child.stdin.write(`${line}\n`);
    createInterface({input: child.stdout}).on('line', (line) => {
      this.got.push(JSON.parse(line) as Fields);
      this.notice();
    });
    this.node = machine.name;
  }

  send(fields: Fields): void {
    this.input(JSON.stringify(fields));
  }

  /** Signs on as `name`; without one as a casual client. Gives the answer, or undefined when the daemon hung up. */
  async signOn(name?: string): Promise<Fields> {
    this.id = name ?? '$pid';
    await this.next((each) => 'connected' in each || 'error' in each, 'connection');
    this.send({...this.request('signon'), uid: '$uid', gid: '$gid'});
    return this.next((each) => each['reqtype'] === 'signon' || 'closed' in each, 'answer to signon');
  }

  request(reqtype: string): Fields {
    return {t: 'hbapi-req', reqtype, dest: this.node, pid: '$pid', from_id: this.id};
  }

  /** All answers to one question. */
  async ask(reqtype: string, fields: Fields = {}): Promise<readonly Fields[]> {
    const from = this.got.length;
    this.send({...this.request(reqtype), ...fields});
    const isAnswer = (each: Fields): boolean => each['reqtype'] === reqtype || 'closed' in each;
    await this.next((each) => isAnswer(each) && each['result'] !== 'ok/more', `answer to ${reqtype}`, from);
    return this.got.slice(from).filter(isAnswer);
  }

  async next(wanted: (each: Fields) => boolean, what: string, from = 0, timeoutMs = 10_000): Promise<Fields> {
    const find = (): Fields | undefined => this.got.slice(from).find(wanted);
    const found = new Promise<Fields>((resolve) => {
      const look = (): void => {
        const each = find();
        if (each !== undefined) resolve(each);
      };
      this.notice = look;
      look();
    });
    return deadline(found, timeoutMs, () => `no ${what}; got ${JSON.stringify(this.got.slice(-20))}`);
  }

  async isSent(type: string, fields: Fields = {}, timeoutMs = 10_000): Promise<Fields> {
    const wanted = (each: Fields): boolean =>
      each['t'] === type && Object.entries(fields).every(([name, value]) => each[name] === value);
    return this.next(wanted, `${type} ${JSON.stringify(fields)}`, 0, timeoutMs);
  }

  close(): void {
    assert(this.node !== '');
    this.input('{"close": true}');
  }
}

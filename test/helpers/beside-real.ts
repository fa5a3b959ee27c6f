// One manager core beside a real Heartbeat 3.0.6 that the test plays: it says what the real one says on the wire, and
// reads what our core answers.

import {type Member, Pair} from './pair.js';

export class BesideReal {
  readonly pair: Pair;
  readonly node: Member;

  constructor(
    readonly self: 'n1' | 'n2',
    options: {
      readonly haresources: string;
      readonly autoFailback?: 'on' | 'off' | 'legacy';
      readonly stonith?: boolean;
    },
  ) {
    this.pair = new Pair({...options, names: [self]});
    this.node = this.pair.node(self);
  }

  get peer(): string {
    return this.self === 'n1' ? 'n2' : 'n1';
  }

  /** Our node boots and communication comes up beside a real peer that is active. */
  join(): void {
    this.node.boot();
    this.pair.run(20);
    this.changes('init', 'active');
    this.node.commUp();
    this.says({t: 'status', st: 'active', dt: '5dc'});
    this.pair.run(20);
  }

  changes(previous: 'init' | 'active' | 'dead', status: 'active' | 'dead'): void {
    const wasHeard = previous !== 'init';
    const message = {type: 'node-changed', node: this.peer, status, previous, wasHeard} as const;
    this.node.give({type: 'messaging-said', message});
  }

  says(values: Readonly<Record<string, string>>): void {
    const fields = Object.entries(values).map(([name, value]) => ({name, type: 0 as const, value}));
    const message = {type: 'message-received', from: this.peer, message: {fields}} as const;
    this.node.give({type: 'messaging-said', message});
  }

  /** Our messages of a type so far, as text. */
  sent(type: string): string[] {
    const start = `${this.self} -> t=${type}`;
    return this.pair.trace.filter((line) => line.includes(start)).map((line) => line.slice(line.indexOf('t=')));
  }

  runs(key: string): boolean {
    return this.pair.runners(key).includes(this.self);
  }
}

// The manager's loop (style.md section 1): one event in, all its effects performed in order, then the next event; one timer
// for the core's next deadline. It assumes that performing an effect returns at once and brings its outcome as a later event.
// Promises: no second entry into the core, no event lost or reordered, and after a mistake of ours nothing more happens.

import type {ClusterConfig} from '../model/config.js';
import type {ManagerEffect, ManagerEvent} from '../model/manager.js';
import type {GroupsInForce} from '../model/resource.js';
import type {Now, Step} from '../model/time.js';
import {readNow} from './clock.js';
import {type Recorded, Recorder} from './crash.js';
import type {SteppingCore} from './manager-core.js';
import {WakeTimer} from './wake-timer.js';

/** More waiting events than any storm of packets and clients brings in the time of one step: the core is stuck. */
const QUEUE_MAX = 100_000;

export interface LoopOptions {
  readonly perform: (effect: ManagerEffect) => void;
  /** An exception in the core or in an effect. The loop has stopped. */
  readonly onCrash: (error: unknown) => void;
  readonly readNow?: () => Now;
}

export class ManagerLoop<State> {
  private core: SteppingCore<State> | undefined;
  private state: State | undefined;
  private recorder: Recorder<State, ManagerEvent> | undefined;
  private readonly queue: ManagerEvent[] = [];
  private isStepping = false;
  private isClosed = false;
  private readonly timer = new WakeTimer(() => this.dispatch({type: 'woke'}));
  private readonly readNow: () => Now;

  constructor(private readonly options: LoopOptions) {
    this.readNow = options.readNow ?? readNow;
  }

  /** Before it, events wait. */
  start(core: SteppingCore<State>, config: ClusterConfig, claims: GroupsInForce['claims'] = {}): void {
    this.guarded(() => {
      this.core = core;
      const step = core.start(config, this.readNow(), claims);
      this.recorder = new Recorder(step.state);
      this.isStepping = true;
      this.finish(core, step);
      this.isStepping = false;
      this.drain(core);
    });
  }

  dispatch(event: ManagerEvent): void {
    if (this.isClosed) return;
    this.timer.noteRead();
    this.queue.push(event);
    const {core} = this;
    if (!this.isStepping && core !== undefined) this.guarded(() => this.drain(core));
  }

  /** Nothing is delivered afterwards. */
  close(): void {
    this.isClosed = true;
    this.queue.length = 0;
    this.timer.close();
  }

  /** undefined: not started. */
  get current(): State | undefined {
    return this.state;
  }

  /** For the crash file. */
  recorded(): {readonly state: unknown; readonly events: readonly Recorded<ManagerEvent>[]} {
    return this.recorder?.contents() ?? {state: undefined, events: []};
  }

  private drain(core: SteppingCore<State>): void {
    if (this.queue.length > QUEUE_MAX) throw new Error(`${this.queue.length} events wait: the core does not keep up`);
    this.isStepping = true;
    for (let event = this.queue.shift(); event !== undefined && !this.isClosed; event = this.queue.shift()) {
      const now = this.readNow();
      const before = this.state as State; // start() has set it: drain() is never called before.
      this.recorder?.record(before, event, now);
      this.finish(core, core.step(before, event, now));
    }
    this.isStepping = false;
  }

  private finish(core: SteppingCore<State>, step: Step<State, ManagerEffect>): void {
    this.state = step.state;
    for (const effect of step.effects) if (!this.isClosed) this.options.perform(effect);
    if (!this.isClosed) this.timer.arm(core.wakeAt(step.state));
  }

  private guarded(action: () => void): void {
    if (this.isClosed) return;
    try {
      action();
    } catch (error) {
      this.close();
      this.options.onCrash(error);
    }
  }
}

// Time as the cores see it: given by argument, never read. Silence and deadlines use monoMs; wallMs only fills
// `ts=` fields and log lines (style.md section 1).

export interface Now {
  /** Milliseconds of a clock that never jumps; only differences mean anything. */
  readonly monoMs: number;
  /** Milliseconds since 1970 by the wall clock; may jump. */
  readonly wallMs: number;
}

/** What one event does: the next state, and what the runtime has to perform, in order. */
export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
}

// Invariants are checked in production too: a violated one is a mistake of ours, and the runtime makes the node
// harmless (style.md section 7).

export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(`invariant violated: ${text}`);
}

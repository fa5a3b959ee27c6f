// The end of every switch over a union: a missed case is a compile error, and at run time it names the value.

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

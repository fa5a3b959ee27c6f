// Bounded waiting. Every wait in the lab, the demo and the namespace tests goes through one of these two.

/** Rejects with the text when the promise has not settled in time. */
export async function deadline<T>(promise: Promise<T>, timeoutMs: number, text: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${text()} (waited ${timeoutMs} ms)`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export interface UntilOptions {
  readonly timeoutMs: number;
  /** What is waited for, for the error; called late, so that it can tell what was seen last. */
  readonly what: () => string;
  readonly everyMs?: number;
}

/** Asks again and again until the answer is neither undefined nor false. */
export async function until<T>(
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions,
): Promise<T> {
  const endMs = performance.now() + options.timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > endMs) throw new Error(`${options.what()} (waited ${options.timeoutMs} ms)`);
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 10));
  }
}

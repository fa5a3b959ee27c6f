// Redraws a text in place: the cursor goes home and each line is overwritten, so that nothing flickers. The terminal is
// given back as it was, whatever ends the program. Without a terminal only changes are printed.

export interface Look {
  readonly text: string;
}

export async function watch(look: () => Promise<Look>, intervalMs: number): Promise<void> {
  const {stdout} = process;
  let isDone = false;
  let wake = (): void => undefined;
  const stop = (): void => {
    isDone = true;
    wake();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
  if (stdout.isTTY) stdout.write('\u001b[?1049h\u001b[?25l');
  let before = '';
  try {
    while (!isDone) {
      const {text} = await look();
      if (stdout.isTTY) stdout.write(frame(text, stdout.rows ?? 24));
      else if (text !== before) stdout.write(`${text}\n`);
      before = text;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, intervalMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (isDone) wake();
      });
    }
  } finally {
    if (stdout.isTTY) stdout.write('\u001b[?25h\u001b[?1049l');
  }
}

/** One screen: every line cleared to its end, the rest of the screen cleared, never scrolled. */
export function frame(text: string, rows: number): string {
  const lines = text.split('\n').slice(0, Math.max(1, rows - 1));
  return `\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`;
}

// Cuts a stream of bytes into lines for the log, bounded both ways: a line above LINE_BYTES_MAX is cut, and after
// LINES_MAX lines only their number is kept, told once at the end. Never holds more than one line in memory.

const LINE_BYTES_MAX = 500;
const LINES_MAX = 50;

export interface LineLimiter {
  push(chunk: Buffer): void;
  end(): void;
}

export function createLineLimiter(emit: (line: string) => void): LineLimiter {
  let held = '';
  let lines = 0;
  const give = (): void => {
    lines += 1;
    if (lines <= LINES_MAX && held.trim() !== '') emit(printable(held));
    held = '';
  };
  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        held += chunk.toString('latin1', from, Math.min(at, from + LINE_BYTES_MAX - held.length));
        give();
        from = at + 1;
      }
      const room = LINE_BYTES_MAX - held.length;
      if (room > 0) held += chunk.toString('latin1', from, Math.min(chunk.length, from + room));
    },
    end() {
      if (held !== '') give();
      if (lines > LINES_MAX) emit(`(${lines - LINES_MAX} more lines left out)`);
      lines = 0;
    },
  };
}

function printable(latin1: string): string {
  return Buffer.from(latin1, 'latin1')
    .toString('utf8')
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '?');
}

// Splits a byte stream into lines of at most a given length. Never holds more than that; what follows an overlong
// line is not read any more.

export interface LineReader {
  /** False: a line was too long, and the stream is to be given up. */
  push(chunk: Buffer): boolean;
}

export function createLineReader(bytesMax: number, onLine: (line: string) => void): LineReader {
  let held: Buffer[] = [];
  let bytes = 0;
  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        if (bytes + at - from > bytesMax) return false;
        onLine(Buffer.concat([...held, chunk.subarray(from, at)]).toString('utf8'));
        held = [];
        bytes = 0;
        from = at + 1;
      }
      if (from < chunk.length) held.push(chunk.subarray(from));
      bytes += chunk.length - from;
      return bytes <= bytesMax;
    },
  };
}

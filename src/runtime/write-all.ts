// Writing to the end. A file system that gets full, or a limit on the size of files, takes a part of a block and reports no
// error: it shows in the count alone, and the reason only at the next attempt. Promises: all of it is written, or an error is
// thrown.

import {writeSync} from 'node:fs';

/** At an offset, or where the file stands. */
export function writeAll(file: number, bytes: Buffer | string, offset?: number): void {
  const from = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  let done = 0;
  while (done < from.length) {
    const at = offset === undefined ? null : offset + done;
    const written = writeSync(file, from, done, from.length - done, at);
    if (written === 0) throw new Error(`nothing is written any more after ${done} of ${from.length} bytes`);
    done += written;
  }
}

// The text of `drbdadm dump-md`: which blocks of a device were changed while its peer was away. Read line by line, because the
// text of a large device has many megabytes. 8.4 has one bitmap, 9 one for each peer; they are joined, as a block that differs
// from any peer is a changed one. Promises: extents in order, joined where they touch, within the device; an end that was
// not seen, or a count that does not fit the bits, is a fault, so that a text cut short is never taken for few changes.

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface Dump {
  readonly deviceBytes: number;
  readonly bytesPerBit: number;
  /** Changed blocks, in bytes. */
  readonly extents: readonly Extent[];
}

interface Run {
  readonly first: number;
  readonly count: number;
}

const WORD = /(?:(\d+) times )?0x([\dA-Fa-f]{16});/g;
const WORD_BITS = 64;

export class DumpReader {
  #sectors: number | undefined;
  #bytesPerBit = 4096;
  #word = 0;
  #isInside = false;
  #bits = 0;
  #maps = 0;
  #fault: string | undefined;
  /** Of the bitmap that is being read, and of those before. */
  #runs: Run[] = [];
  #all: Run[][] = [];

  line(line: string): void {
    if (this.#isInside) return this.#inside(line);
    const sectors = /^la-size-sect (\d+);/.exec(line)?.[1];
    if (sectors !== undefined) this.#sectors = Number(sectors);
    const bytes = /^bm-byte-per-bit (\d+);/.exec(line)?.[1];
    if (bytes !== undefined) this.#bytesPerBit = Number(bytes);
    const said = /^# bits-set (\d+);/.exec(line)?.[1];
    if (said !== undefined && Number(said) !== this.#bits)
      this.#fault ??= `it says ${said} bits and shows ${this.#bits}`;
    if (!/^(?:bm|bitmap\[\d+\]) \{/.test(line)) return;
    this.#isInside = true;
    this.#word = 0;
    this.#bits = 0;
    this.#runs = [];
  }

  end(): Dump | string {
    if (this.#isInside || this.#maps === 0) return 'the text ends before the bitmap does';
    if (this.#fault !== undefined) return this.#fault;
    if (this.#sectors === undefined || this.#sectors === 0) return 'the size of the device is missing';
    const deviceBytes = this.#sectors * 512;
    return {deviceBytes, bytesPerBit: this.#bytesPerBit, extents: this.#extents(deviceBytes)};
  }

  #inside(line: string): void {
    if (line.startsWith('}')) {
      this.#isInside = false;
      this.#maps += 1;
      this.#all.push(this.#runs);
      return;
    }
    if (line.trimStart().startsWith('#')) return;
    for (const [, times, word = ''] of line.matchAll(WORD)) this.#add(Number(times ?? 1), word);
  }

  #add(times: number, word: string): void {
    const first = this.#word * WORD_BITS;
    this.#word += times;
    if (/^0+$/.test(word)) return;
    if (/^[Ff]+$/.test(word)) {
      this.#bits += times * WORD_BITS;
      this.#extend(first, times * WORD_BITS);
      return;
    }
    const value = BigInt(`0x${word}`);
    for (let time = 0; time < times; time += 1)
      for (let bit = 0; bit < WORD_BITS; bit += 1) {
        if (((value >> BigInt(bit)) & 1n) === 0n) continue;
        this.#bits += 1;
        this.#extend(first + time * WORD_BITS + bit, 1);
      }
  }

  #extend(first: number, count: number): void {
    const last = this.#runs.at(-1);
    if (last && last.first + last.count === first)
      this.#runs[this.#runs.length - 1] = {...last, count: last.count + count};
    else this.#runs.push({first, count});
  }

  #extents(deviceBytes: number): readonly Extent[] {
    const extents = this.#all.flat().map(({first, count}) => ({
      offset: first * this.#bytesPerBit,
      length: count * this.#bytesPerBit,
    }));
    return joinExtents(extents).flatMap(({offset, length}) =>
      offset >= deviceBytes ? [] : [{offset, length: Math.min(length, deviceBytes - offset)}],
    );
  }
}

export function parseDump(text: string): Dump | string {
  const reader = new DumpReader();
  for (const line of text.split('\n')) reader.line(line);
  return reader.end();
}

/** In order, without overlaps, joined where they touch. */
export function joinExtents(extents: readonly Extent[]): readonly Extent[] {
  const sorted = [...extents].sort((left, right) => left.offset - right.offset);
  const joined: Extent[] = [];
  for (const extent of sorted) {
    const last = joined.at(-1);
    if (extent.length <= 0) continue;
    if (!last || last.offset + last.length < extent.offset) joined.push(extent);
    else {
      const length = Math.max(last.offset + last.length, extent.offset + extent.length) - last.offset;
      joined[joined.length - 1] = {offset: last.offset, length};
    }
  }
  return joined;
}

/** What of the first is not in the second. Both must be joined. */
export function withoutExtents(extents: readonly Extent[], removed: readonly Extent[]): readonly Extent[] {
  const left: Extent[] = [];
  let index = 0;
  for (const extent of extents) {
    const end = extent.offset + extent.length;
    let at = extent.offset;
    while (index < removed.length && endOf(removed[index]) <= at) index += 1;
    for (let each = index; each < removed.length && (removed[each]?.offset ?? end) < end; each += 1) {
      const hole = removed[each] as Extent;
      if (hole.offset > at) left.push({offset: at, length: hole.offset - at});
      at = Math.max(at, endOf(hole));
    }
    if (at < end) left.push({offset: at, length: end - at});
  }
  return left;
}

function endOf(extent: Extent | undefined): number {
  return extent === undefined ? Number.POSITIVE_INFINITY : extent.offset + extent.length;
}

export function bytesIn(extents: readonly Extent[]): number {
  return extents.reduce((sum, {length}) => sum + length, 0);
}

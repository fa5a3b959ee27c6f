// Generation identifiers, by which DRBD tells whose data are newer: the current one, the one the bitmap counts from, and the
// history. A node that writes without its peer takes a new current one and keeps the old one as the base of its bitmap. So each
// copy knows its own past, and two copies whose pasts meet, but neither of which holds the other's present, were both
// written: a split brain. Assumes the text of `drbdadm get-gi`; a line that is none is passed over. Promises: `unknown`
// rather than a guess where an identifier is missing.

export interface Generation {
  /** 16 hexadecimal digits each. */
  readonly current: string;
  readonly bitmap: string;
  readonly history: readonly string[];
  readonly flags: GenerationFlags;
}

export interface GenerationFlags {
  readonly isConsistent: boolean;
  readonly isUpToDate: boolean;
  readonly isPrimary: boolean;
  readonly wasConnected: boolean;
}

/** What two copies are to each other, seen from the first. */
export type Relation = 'same' | 'ours-newer' | 'theirs-newer' | 'split-brain' | 'unrelated' | 'unknown';

const LINE = /^\s*([\dA-Fa-f]{16})((?::[\dA-Fa-f]{16})+)((?::[01])*)\s*$/;

/** One for each volume, in order. `show-gi` prints the same lines among its arrows. */
export function parseGenerations(text: string): readonly Generation[] {
  return text.split('\n').flatMap((line) => {
    const found = LINE.exec(line);
    if (!found) return [];
    const [bitmap = ZERO, ...history] = (found[2] ?? '').slice(1).toUpperCase().split(':');
    const flag = (found[3] ?? '').replaceAll(':', '');
    const flags = {
      isConsistent: flag[0] === '1',
      isUpToDate: flag[1] === '1',
      isPrimary: flag[2] === '1',
      wasConnected: flag[3] === '1',
    };
    return [{current: (found[1] ?? '').toUpperCase(), bitmap, history, flags}];
  });
}

const ZERO = '0000000000000000';
/** Metadata that was never synchronised. */
const JUST_CREATED = '0000000000000004';

export function compareGenerations(ours: Generation, theirs: Generation): Relation {
  const [our, their] = [plain(ours.current), plain(theirs.current)];
  if (!isSomething(our) || !isSomething(their)) return 'unknown';
  if (our === their) return 'same';
  const [ourPast, theirPast] = [pastOf(ours), pastOf(theirs)];
  const knowsTheirs = ourPast.includes(their);
  const knowsOurs = theirPast.includes(our);
  // Both at once is no state that DRBD makes; nothing may be concluded from it.
  if (knowsTheirs && knowsOurs) return 'unknown';
  if (knowsTheirs) return 'ours-newer';
  if (knowsOurs) return 'theirs-newer';
  return ourPast.some((each) => theirPast.includes(each)) ? 'split-brain' : 'unrelated';
}

/** Of a whole resource: one volume that was written on both sides is a split brain of all. */
export function compareVolumes(ours: readonly Generation[], theirs: readonly Generation[]): Relation {
  if (ours.length === 0 || ours.length !== theirs.length) return 'unknown';
  const relations = ours.map((each, index) => compareGenerations(each, theirs[index] as Generation));
  const first = (['split-brain', 'unrelated', 'unknown'] as const).find((each) => relations.includes(each));
  if (first) return first;
  const isNewerOnBoth = relations.includes('ours-newer') && relations.includes('theirs-newer');
  // One volume newer here and another one there: no direction keeps everything, which is what a split brain is.
  if (isNewerOnBoth) return 'split-brain';
  return relations.find((each) => each !== 'same') ?? 'same';
}

function pastOf({bitmap, history}: Generation): readonly string[] {
  return [bitmap, ...history].map(plain).filter(isSomething);
}

/** The lowest bit says whether the node was Primary then, and is not part of the name. */
function plain(word: string): string {
  const last = Number.parseInt(word.slice(-1), 16);
  return `${word.slice(0, -1)}${(last & ~1).toString(16).toUpperCase()}`;
}

function isSomething(word: string): boolean {
  return word !== ZERO && word !== JUST_CREATED && word !== '';
}

export function sameGeneration(left: string, right: string): boolean {
  return plain(left.toUpperCase()) === plain(right.toUpperCase());
}

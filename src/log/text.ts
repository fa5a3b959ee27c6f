// Makes any text fit for one log line: no control characters, so that nothing taken from a packet, a script or a file can
// forge a second line or move a terminal's cursor, and at most so many bytes.

/** Longer texts are cut; a line of a log must stay readable and a burst of them must not fill a disk. */
export const TEXT_BYTES_MAX = 4096;

export function oneLine(text: string, bytesMax: number = TEXT_BYTES_MAX): string {
  // Blanks for what separated words, a question mark for the rest.
  const flat = text
    .slice(0, bytesMax)
    .replace(/[\t\r\n\v\f\u0085\u2028\u2029]+/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  const clipped = clip(flat, bytesMax);
  return clipped.length < flat.length || text.length > bytesMax ? `${clip(flat, bytesMax - 3)}...` : clipped;
}

/** The longest start of a text that takes at most so many bytes of UTF-8, whole characters only. */
function clip(text: string, bytesMax: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (bytes > bytesMax) break;
    end += character.length;
  }
  return text.slice(0, end);
}

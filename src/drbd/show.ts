// `drbdsetup show --show-defaults RESOURCE`: the settings in force, as nested blocks `name { key value; ... }`. What is
// needed here: the timers, which say how long DRBD itself takes to notice a dead peer, and what it does about fencing.
// A value that is absent has DRBD's default, because without the option only settings that differ from it are printed.

export interface ShowBlock {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  /** Every statement: a key may stand twice, as `host` does in a `connection`. */
  readonly statements: readonly (readonly string[])[];
  readonly blocks: readonly ShowBlock[];
}

export interface DrbdSettings {
  /** A write waits so long for the peer before the connection counts as lost. */
  readonly timeoutMs: number;
  /** An idle connection is tested so often, and the answer may take so long. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** A lost connection is tried again so often. */
  readonly connectIntervalMs: number;
  readonly allowsTwoPrimaries: boolean;
  readonly fencing: string;
}

export function parseShow(text: string): ShowBlock {
  const found = text.match(/"(?:\\.|[^"\\])*"|#[^\n]*|[{};]|[^\s{};"#]+/g) ?? [];
  const tokens = found.filter((token) => !token.startsWith('#'));
  let at = 0;
  const block = (name: string): ShowBlock => {
    const values: Record<string, string> = {};
    const statements: (readonly string[])[] = [];
    const blocks: ShowBlock[] = [];
    let words: string[] = [];
    while (at < tokens.length) {
      const token = tokens[at++] as string;
      if (token === '}') break;
      if (token === '{') {
        blocks.push(block(words.join(' ')));
        words = [];
      } else if (token === ';') {
        const [key, ...rest] = words;
        // A flag such as `allow-two-primaries;` has no value in some versions.
        if (key !== undefined) values[key] = rest.join(' ').replace(/^"|"$/g, '') || 'yes';
        if (key !== undefined) statements.push(words);
        words = [];
      } else words.push(token);
    }
    return {name, values, statements, blocks};
  };
  return block('');
}

export function settingsOf(show: ShowBlock): DrbdSettings {
  const find = (key: string): string | undefined => valueIn(show, key);
  const number = (key: string, fallback: number): number => {
    const value = find(key);
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : fallback;
  };
  return {
    timeoutMs: number('timeout', 60) * 100,
    pingIntervalMs: number('ping-int', 10) * 1000,
    pingTimeoutMs: number('ping-timeout', 5) * 100,
    connectIntervalMs: number('connect-int', 10) * 1000,
    allowsTwoPrimaries: find('allow-two-primaries') === 'yes',
    // 9 moved it from `disk` to `net`; the names of the policies stayed.
    fencing: find('fencing') ?? 'dont-care',
  };
}

export const DEFAULT_SETTINGS: DrbdSettings = settingsOf({name: '', values: {}, statements: [], blocks: []});

/** After so long DRBD has noticed that a peer is gone, whether it was writing or idle. */
export function noticeMs(settings: DrbdSettings): number {
  return Math.max(settings.timeoutMs, settings.pingIntervalMs) + settings.pingTimeoutMs;
}

/** After so long another node must have noticed as well, be it slower than this one: as long as a usual handler waits, at most. */
export function peerNoticeMs(settings: DrbdSettings): number {
  const ownMs = noticeMs(settings);
  return Math.max(ownMs + 1000, Math.min(ownMs + 3000, PATIENCE_MS));
}

/** Within the 12 s that docs/drbd.md gives the handler. */
const PATIENCE_MS = 11_000;

function valueIn(block: ShowBlock, key: string): string | undefined {
  const own = block.values[key];
  if (own !== undefined) return own;
  for (const each of block.blocks) {
    const found = valueIn(each, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

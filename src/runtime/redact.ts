// Makes state and events fit to be written down: cluster keys and the parameters of fencing devices (passwords) are
// replaced, everything else stays, so that a crash file still replays.

const SECRET = '(redacted)';

/** For JSON.stringify. A key keeps its index and method; what it signs with is nobody's business. */
export function redact(this: unknown, name: string, value: unknown): unknown {
  if (name === 'keyring') return redactKeyring(value);
  if (name === 'stonith' && typeof value === 'object' && value !== null) return {...value, parameters: []};
  if (/^stonith(_host)?$/.test(name) && typeof value === 'string') return SECRET;
  return value;
}

function redactKeyring(value: unknown): unknown {
  const keyring = value as {signWith?: unknown; keys?: unknown} | undefined;
  const keys = Array.isArray(keyring?.keys) ? keyring.keys : [];
  return {
    signWith: keyring?.signWith,
    keys: keys.map((each: {index?: unknown; method?: unknown}) => ({
      index: each.index,
      method: each.method,
      key: SECRET,
    })),
  };
}

// The few authkeys files of the wire vectors, as a Keyring. The real reader, with diagnostics, is in src/config.
import type {AuthKey, AuthMethod, Keyring} from '../../src/model/config.js';

export function readAuthkeys(text: string): Keyring {
  const keys: AuthKey[] = [];
  let signWith = -1;
  for (const line of text.split('\n')) {
    const [first = '', second = '', third = ''] = line.trim().split(/\s+/);
    if (first === 'auth') signWith = Number(second);
    else if (first !== '') keys.push({index: Number(first), method: second as AuthMethod, key: third});
  }
  return {signWith, keys};
}

// Reads authkeys as Heartbeat 3.0.6 does (wire-protocol.md 2.4). Promises that no finding repeats a word of the file
// except its line numbers and the method names: whatever looks like an index or a method may be a misplaced key.

import type {AuthKey, AuthMethod, Keyring} from '../model/config.js';
import {suggestion} from './nearest.js';
import type {Report} from './report.js';
import {after, linesOf, type SourceFile, trimmed, type Word, wholeFile, wordsOf} from './source.js';

const METHODS: readonly AuthMethod[] = ['crc', 'md5', 'sha1'];
/** Group and world read bits: Heartbeat looks at these, and not at the owner. */
const READABLE = 0o044;

interface Reading {
  signWith: Word | undefined;
  readonly keys: Map<number, {readonly key: AuthKey; readonly at: Word}>;
}

export function parseAuthkeys(source: SourceFile, mode: number | undefined, report: Report): Keyring | undefined {
  const whole = wholeFile(source.path);
  if (source.text === undefined) {
    const reason = source.problem === undefined ? '' : ` ${source.problem}.`;
    report('HB_AUTHKEYS_MISSING', whole, `Cannot open keyfile [${source.path}].  Stop.${reason}`);
    return undefined;
  }
  if (mode !== undefined && (mode & READABLE) !== 0) {
    const text = `Bad permissions on keyfile [${source.path}], 600 recommended: its mode is ${mode.toString(8)}`;
    report('HB_AUTHKEYS_MODE', whole, text, `chmod 600 ${source.path}`);
  }
  const reading: Reading = {signWith: undefined, keys: new Map()};
  for (const line of linesOf(source)) readLine(reading, trimmed(line), report);
  return finish(reading, source.path, report);
}

function readLine(reading: Reading, line: Word, report: Report): void {
  const words = wordsOf(line, 'blanks');
  const first = words[0];
  if (first === undefined || first.text.startsWith('#')) return;
  if (first.text.startsWith('a')) readAuth(reading, words, report);
  else readKey(reading, words, report);
}

function readAuth(reading: Reading, words: readonly Word[], report: Report): void {
  const [auth, index] = words;
  if (auth?.text !== 'auth' || index === undefined) {
    if (auth !== undefined)
      report('HB_AUTHKEYS_LINE', auth, 'Auth line is invalid: a line that starts with a is `auth N`');
    return;
  }
  if (indexOf(index) === undefined) {
    report('HB_AUTHKEYS_INDEX', index, 'Invalid authnum: not 0 to 15');
    return;
  }
  if (reading.signWith !== undefined) {
    report('HB_AUTHKEYS_REPEATED', index, `auth was given before, on line ${reading.signWith.line}: this one counts`);
  }
  reading.signWith = index;
}

function readKey(reading: Reading, words: readonly Word[], report: Report): void {
  const [index, method, key, more] = words;
  if (index === undefined) return;
  if (!/^\d+$/.test(index.text) || method === undefined) {
    report('HB_AUTHKEYS_LINE', index, 'Auth line is invalid');
    return;
  }
  const number = indexOf(index);
  if (number === undefined) {
    report('HB_AUTHKEYS_INDEX', index, 'Invalid authnum: not 0 to 15');
    return;
  }
  const known = METHODS.find((each) => each === method.text);
  if (known === undefined) {
    const hint = () => suggestion(method.text, METHODS);
    report('HB_AUTHKEYS_METHOD', method, 'Invalid authtype: not sha1, md5 or crc', hint);
    return;
  }
  if (known === 'crc' && key !== undefined) {
    report('HB_AUTHKEYS_KEY', key, 'crc takes no key');
    return;
  }
  if (known !== 'crc' && key === undefined) {
    report('HB_AUTHKEYS_KEY', after(method), `${known} requires a key`);
    return;
  }
  if (more !== undefined) {
    report('HB_AUTHKEYS_TRAILING', more, 'only the first word is the key: the rest of the line is ignored');
  }
  const before = reading.keys.get(number);
  if (before) {
    report('HB_AUTHKEYS_REPEATED', index, `key ${number} was defined on line ${before.at.line}: this one counts`);
  }
  reading.keys.set(number, {key: {index: number, method: known, key: key?.text ?? ''}, at: index});
}

function finish({signWith, keys}: Reading, file: string, report: Report): Keyring | undefined {
  if (signWith === undefined) {
    report('HB_AUTHKEYS_NO_AUTH', wholeFile(file), `Missing auth directive in keyfile [${file}]`);
    return undefined;
  }
  const number = indexOf(signWith) ?? 0;
  const chosen = keys.get(number);
  if (chosen === undefined || chosen.at.line < signWith.line) {
    const where = chosen === undefined ? '' : `: line ${chosen.at.line} defines it above`;
    report('HB_AUTHKEYS_ORDER', signWith, `Auth Key [${number}] not found in keyfile [${file}]${where}`);
    return undefined;
  }
  warnAboutCrc([...keys.values()], report);
  return {signWith: number, keys: [...keys.values()].map(({key}) => key)};
}

function warnAboutCrc(keys: readonly {readonly key: AuthKey; readonly at: Word}[], report: Report): void {
  const crc = keys.find(({key}) => key.method === 'crc');
  if (crc === undefined) return;
  const text =
    keys.length === keys.filter(({key}) => key.method === 'crc').length
      ? 'crc is no authentication: anyone who reaches the links can send orders to the cluster'
      : 'a crc key beside keyed ones: a forged packet that names it is accepted without any key';
  report('HB_AUTHKEYS_CRC', crc.at, text);
}

function indexOf(word: Word): number | undefined {
  if (!/^\d{1,9}$/.test(word.text)) return undefined;
  const number = Number(word.text);
  return number <= 15 ? number : undefined;
}

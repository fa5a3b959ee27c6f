// Goal: docs/compatibility.md says what the code does. Method: each table is read and held against the parser, the sources and
// recorded runs of the programs; where a set can be known (directives, message types, programs) in both directions.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {afterEach, beforeEach, describe, test} from '@jest/globals';
import {directiveNames} from '../../src/config/ha-cf.js';
import {foreignDirectives} from '../../src/config/ha-cf-explicit.js';
import type {Diagnostic} from '../../src/model/config.js';
import {type Place, place, runBin} from '../helpers/command.js';
import {build, root} from '../helpers/config.js';

type Row = Readonly<Record<string, string>>;

const doc = readFileSync(`${root}/docs/compatibility.md`, 'utf8');

/** The rows of the table with this header, by column; code marks are taken off. */
function table(...header: readonly string[]): Row[] {
  const lines = doc.split('\n');
  const start = lines.indexOf(`| ${header.join(' | ')} |`);
  assert.ok(start >= 0, `no table ${header.join(' | ')}`);
  const end = lines.findIndex((line, at) => at > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map((line) => {
    const cells = line.slice(1, -1).split(/(?<!\\)\|/);
    assert.equal(cells.length, header.length, line);
    return Object.fromEntries(header.map((name, at) => [name, plain(cells[at] ?? '')]));
  });
}

function plain(cell: string): string {
  const text = cell.trim().replaceAll('\\|', '|');
  return /^`[^`]*`$/.test(text) ? text.slice(1, -1) : text;
}

function sorted(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
}

const directives = table('directive', 'status', 'for example', 'finding', 'remarks');
const values = table('line', '3.0.6 says', 'status', 'finding', 'remarks');
const files = table('file', 'contents', '3.0.6 says', 'status', 'finding', 'remarks');
const messages = table('`t=`', 'sends', 'acts', 'status', 'remarks');
const requests = table('`reqtype=`', 'status', 'remarks');
const commands = table('command', 'daemon', 'was', 'is', 'status', 'remarks');
const answers = table('exit', 'meaning', '3.0.6', 'status', 'remarks');
const paths = table('path', 'status', 'remarks');
const logs = table('3.0.6', 'status', 'ours', 'remarks');

test('every row has a status, and whoever is refused or better off is told why', () => {
  for (const row of [
    ...directives,
    ...values,
    ...files,
    ...messages,
    ...requests,
    ...commands,
    ...answers,
    ...paths,
    ...logs,
  ]) {
    const {status = '', remarks = ''} = row;
    assert.ok(['same', 'better', 'refused'].includes(status), JSON.stringify(row));
    const explained =
      remarks !== '' || status === 'same' || row['ours'] !== undefined || 'was' in row || 'finding' in row;
    assert.ok(explained, `no reason: ${JSON.stringify(row)}`);
  }
});

describe('ha.cf', () => {
  const base = ['keepalive 1', 'deadtime 10', 'node n1 n2', 'ucast eth0 10.0.0.2', 'ucast eth1 10.0.10.2'].concat(
    'auto_failback off',
  );

  /** What is said about this line in an otherwise good file. */
  function found(line: string): readonly Diagnostic[] {
    const name = line.split(' ')[0] ?? '';
    const others = base.filter((each) => name === 'ucast' || !each.startsWith(`${name} `));
    const {diagnostics} = build({haCf: `${[...others, line].join('\n')}\n`});
    return diagnostics.filter((each) => each.file.endsWith('ha.cf') && each.line === others.length + 1);
  }

  test('the directives of the table are those the parser knows', () => {
    assert.deepEqual(
      directives.map((row) => row['directive']).sort(),
      sorted([...directiveNames, ...foreignDirectives.keys()]),
    );
  });

  test('each example gets its finding, and the status agrees with it', () => {
    for (const row of directives) {
      const example = row['for example'] ?? '';
      assert.ok(example.startsWith(`${row['directive']} `), example);
      const diagnostics = found(example);
      assert.equal(describeAll(diagnostics), row['finding'], example);
      const isRefused = diagnostics.some(({severity, code}) => severity === 'error' || code === 'HB_CONFIG_NOT_BUILT');
      assert.equal(row['status'] === 'refused', isRefused, example);
    }
  });

  test('each bad value gets its finding, with the text that 3.0.6 has', () => {
    for (const row of values) saysAs(row, found(row['line'] ?? ''), row['line'] ?? '');
  });

  test('authkeys and haresources too', () => {
    for (const row of files) {
      const text = `${(row['contents'] ?? '').replaceAll(' / ', '\n')}\n`;
      const {diagnostics} = build(row['file'] === 'authkeys' ? {authkeys: text} : {haresources: text});
      const ours = diagnostics.filter(({file}) => file.endsWith(`/${row['file']}`));
      saysAs(row, ours, text);
    }
  });

  function saysAs(row: Row, diagnostics: readonly Diagnostic[], what: string): void {
    assert.equal(describeAll(diagnostics), row['finding'], what);
    const theirs = row['3.0.6 says'] ?? '-';
    if (theirs === '-') return;
    const pattern = new RegExp(theirs.split('{}').map(escaped).join('.*'));
    assert.ok(
      diagnostics.some(({text}) => pattern.test(text)),
      `${what}: ${diagnostics.map(({text}) => text).join('; ')}`,
    );
  }
});

function describeAll(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(({severity, code}) => `${severity} ${code}`).join(', ') || 'none';
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The text of each source below these folders, without comments. */
function sourcesOf(...folders: readonly string[]): string[] {
  const names = folders.flatMap((folder) =>
    readdirSync(`${root}/src/${folder}`, {recursive: true, encoding: 'utf8'}).map((name) => `${folder}/${name}`),
  );
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(`${root}/src/${name}`, 'utf8').replace(/(^|\s)(\/\/ |\*|\/\*).*$/gm, ''));
}

function sources(...folders: readonly string[]): string {
  return sourcesOf(...folders).join('\n');
}

function all(text: string, pattern: RegExp): string[] {
  return sorted([...text.matchAll(pattern)].map((match) => match[1] ?? ''));
}

describe('messages', () => {
  const clientApi = readdirSync(`${root}/src/runtime`).filter((name) => name.startsWith('client-api'));
  const apiText = clientApi.map((name) => readFileSync(`${root}/src/runtime/${name}`, 'utf8')).join('\n');
  const core = readFileSync(`${root}/src/core/messages.ts`, 'utf8');
  const accept = readFileSync(`${root}/src/messaging/accept.ts`, 'utf8');

  test('every type that we send is marked so, and no other', () => {
    const text = `${sources('core', 'messaging')}\n${apiText}`;
    // hbapi-resp never leaves the machine: it is an answer on the client socket.
    const sent = all(text, /\bt: '([A-Za-z_-]+)'/g).filter((type) => type !== 'hbapi-resp');
    assert.deepEqual(sorted(messages.filter((row) => row['sends'] === 'yes').map((row) => row['`t=`'] ?? '')), sent);
  });

  test('every type that the cores act on is marked so, and no other but those of the client API', () => {
    const acted = [
      ...all(core, /case '([a-z_-]+)':/g),
      ...all(core, /\btype === '([a-z_-]+)'/g),
      ...all(accept, /\btype [!=]== '([A-Za-z_-]+)'/g),
    ].filter((type) => type !== 'ping');
    const api = ['query-cstatus', 'respond-cstatus'];
    for (const type of api) assert.ok(apiText.includes(`'${type}'`) || sources('runtime').includes(`'${type}'`), type);
    const marked = messages.filter((row) => row['acts'] === 'yes').map((row) => row['`t=`'] ?? '');
    assert.deepEqual(sorted(marked), sorted([...acted, ...api]));
  });

  test('every request of the client API is in the table, and no other', () => {
    const known = ['signon', ...all(apiText, /case '([a-z_]+)':/g)];
    assert.deepEqual(sorted(requests.map((row) => row['`reqtype=`'] ?? '')), sorted(known));
  });
});

describe('commands', () => {
  let where: Place;
  beforeEach(() => {
    where = place();
  });
  afterEach(() => where.remove());

  /** `STATE COMMAND` -> exit status, from the transcripts that test/scenario compares with real runs. */
  const recorded = new Map(
    ['cl-status-running', 'cl-status-stopped', 'commands-running', 'commands-stopped'].flatMap((name) => {
      const text = readFileSync(`${root}/fixtures/scenarios/${name}.txt`, 'utf8');
      const runs = [...text.matchAll(/^\$ (.*)\n(?:(?!\$ )[^\n]*\n)*?\[(\d+)\]$/gm)];
      return runs.map(([, command, status]): [string, string] => [
        `${name.split('-').at(-1)} ${command}`,
        status ?? '',
      ]);
    }),
  );

  test('every program is in the table', () => {
    const programs = readdirSync(`${root}/bin`).filter((name) => !/\./.test(name));
    // systole has no ancestor.
    assert.deepEqual(
      sorted(commands.map((row) => (row['command'] ?? '').split(' ')[0] ?? '')),
      sorted(programs.filter((name) => name !== 'systole')),
    );
  });

  test('the answers of drbd-peer-outdater are those of the code, and the one that is not ours', () => {
    const [, type = ''] = /type FenceAnswer = ([\d |]+);/.exec(sources('drbd')) ?? [];
    const listed = answers.map(({exit = ''}) => exit);
    assert.deepEqual(sorted(listed), sorted([...type.split(' | '), '21']));
  });

  test('each exit status is that of a real run, and the status agrees with the change', async () => {
    for (const {command = '', daemon = '', was, is, status} of commands) {
      const [program = '', ...args] = command.split(' ');
      const measured = recorded.get(`${daemon} ${command}`) ?? String((await runBin(program, args, where)).status);
      assert.equal(measured, is, `${command} (${daemon})`);
      if (status === 'same') assert.equal(was, is, command);
      if (was !== is) assert.equal(status, 'better', command);
    }
  }, 30_000);
});

describe('log texts', () => {
  const literals = sourcesOf('core', 'messaging', 'runtime', 'log', 'commands/lib').flatMap(literalsOf);
  const isWritten = (text: string) => literals.some((each) => each.includes(text));

  test('what is said to be the same is in the code, and so is what stands for the others', () => {
    const absent = logs
      .map((row) => (row['status'] === 'same' ? row['3.0.6'] : row['ours']) ?? '')
      .filter((text) => text !== '' && !isWritten(text));
    assert.deepEqual(absent, []);
  });

  test('what is said to be refused is not written by chance', () => {
    const written = logs.filter((row) => row['status'] === 'refused').map((row) => row['3.0.6'] ?? '');
    assert.deepEqual(written.filter(isWritten), []);
  });

  test('the patterns of the old cluster test suite find their lines', () => {
    for (const pattern of [
      /Initial resource acquisition complete/,
      /Heartbeat shutdown complete/,
      /node \{\}: is dead/,
      /Standby resource acquisition done/,
      /No reply to standby request/,
      /Standby message.*ignored/,
      /Cluster node \{\} returning after partition/,
    ])
      assert.ok(
        literals.some((each) => pattern.test(each)),
        `${pattern}`,
      );
  });
});

test('docs/migrating.md names only programs and sub-commands that exist', () => {
  const guide = readFileSync(`${root}/docs/migrating.md`, 'utf8');
  const blocks = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text ?? '').join('');
  const lines = blocks.split('\n').flatMap((line) => line.replace(/#.*/, '').split('&&'));
  const called = lines.map((line) => line.trim().split(/\s+/)).filter(([program]) => program !== '');
  assert.ok(called.length > 20);
  const system = 'node cd npm apt-mark apt-get systemctl grep mkdir cp'.split(' ');
  for (const [path = '', word = ''] of called) {
    const program = path.split('/').at(-1) ?? '';
    assert.ok(system.includes(path) || readdirSync(`${root}/bin`).includes(program), path);
    if (program === 'systole') assert.ok(readdirSync(`${root}/src/commands/systole`).includes(`${word}.ts`), word);
  }
});

/** All string literals of a source text; what is put into a template becomes {}. */
function literalsOf(text: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const quote = text[at];
    if (quote !== "'" && quote !== '`' && quote !== '"') continue;
    let literal = '';
    for (at += 1; at < text.length && text[at] !== quote; at += 1) {
      // A quote in a regular expression opens nothing.
      if (quote !== '`' && text[at] === '\n') break;
      if (text[at] === '\\') {
        at += 1;
        literal += text[at] ?? '';
      } else if (quote === '`' && text.startsWith('${', at)) {
        const end = endOfSlot(text, at + 1);
        found.push(...literalsOf(text.slice(at + 2, end)));
        at = end;
        literal += '{}';
      } else literal += text[at] ?? '';
    }
    found.push(literal);
  }
  return found;
}

/** Of the brace that closes the one at `at`. */
function endOfSlot(text: string, at: number): number {
  let depth = 0;
  for (let here = at; here < text.length; here += 1) {
    if (text[here] === '{') depth += 1;
    if (text[here] === '}') depth -= 1;
    if (depth === 0) return here;
  }
  return text.length;
}

// Transcripts: `$ PROGRAM ARGS`, what it prints (stderr lines begin with `! `), and `[status]`. Dates, pids, the host name and
// paths are replaced, so that a transcript is the same everywhere. UPDATE=1 rewrites the files; the diff is then for review.

import {readFileSync, writeFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {type Place, root, runBin} from './command.js';

export interface Transcript {
  readonly expected: string;
  readonly actual: string;
}

const AT_ONCE = 4;

export async function playTranscript(name: string, where: Place): Promise<Transcript> {
  const path = `${root}/fixtures/scenarios/${name}.txt`;
  const expected = readFileSync(path, 'utf8');
  const lines = expected.split('\n');
  const commands = lines.flatMap((line, at) => (line.startsWith('$ ') ? [{at, line}] : []));
  const results: string[] = [];
  for (let at = 0; at < commands.length; at += AT_ONCE) {
    results.push(...(await Promise.all(commands.slice(at, at + AT_ONCE).map(({line}) => play(line, where)))));
  }
  const head = lines.slice(0, commands[0]?.at ?? lines.length).join('\n');
  const actual = `${head}\n${results.join('\n')}`;
  if (process.env['UPDATE'] !== undefined) writeFileSync(path, actual);
  return {expected, actual};
}

async function play(line: string, where: Place): Promise<string> {
  const [program = '', ...args] = line.slice(2).split(' ');
  const {status, stdout, stderr} = await runBin(program, args, where);
  const errors = plain(stderr, where).replace(/^(?=.)/gm, '! ');
  return `${line}\n${plain(stdout, where)}${errors}[${status}]\n`;
}

function plain(text: string, where: Place): string {
  return text
    .replace(/[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d/g, 'DATE')
    .replace(/\[\d+\]:/g, '[PID]:')
    .replaceAll(`DATE ${hostname()} `, 'DATE HOST ')
    .replaceAll(`${root}/bin`, 'BIN')
    .replaceAll(where.dir, 'DIR');
}

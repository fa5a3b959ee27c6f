// Facts of an imagined machine and a reader for configuration fixtures, so that the check can be tested without one.
import {existsSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {Facts} from '../../src/config/facts.js';
import {buildConfig, type ConfigResult} from '../../src/config/load.js';
import type {SourceFile} from '../../src/config/source.js';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const AGENTS = ['IPaddr', 'IPaddr2', 'Filesystem', 'drbddisk', 'mysqld', 'Delay', 'MailTo', 'SendArp', 'apache2'];

export function machine(changes: Partial<Facts> = {}): Facts {
  return {
    nodeName: 'n1',
    interfaces: [
      {name: 'lo', addresses: ['127.0.0.1']},
      {name: 'eth0', addresses: ['10.0.0.1']},
      {name: 'eth1', addresses: ['10.0.10.1']},
    ],
    authkeysMode: 0o600,
    agents: {
      find: (script) => (script === 'barred' ? 'not-executable' : AGENTS.includes(script) ? 'ok' : 'missing'),
      names: () => AGENTS,
    },
    bootLink: () => undefined,
    userExists: (name) => ['root', 'hacluster'].includes(name),
    groupExists: (name) => ['root', 'haclient'].includes(name),
    isExecutable: (path) => path === '/bin/true',
    companion: (name) => (['ipfail', 'dopd'].includes(name) ? `/usr/libexec/heartbeat/${name}` : undefined),
    isStonithType: (type) => type === 'external/ssh',
    isCharDevice: (path) => path === '/dev/ttyS0',
    readText: (path) => (path === '/etc/ha.d/stonith.cfg' ? 'n2 10.0.0.9\n' : undefined),
    hostAddress: (name) => (name === 'n2' ? '10.0.0.2' : undefined),
    servicePort: () => undefined,
    ...changes,
  };
}

export const GOOD = {
  haCf: 'node n1 n2\nucast eth0 10.0.0.2\nucast eth1 10.0.10.2\nkeepalive 1\ndeadtime 10\nauto_failback off\n',
  authkeys: 'auth 1\n1 sha1 secret-key-1\n',
  haresources: 'n1 10.0.0.17/24/eth0 mysqld\n',
};

export interface Texts {
  readonly haCf?: string;
  readonly authkeys?: string;
  readonly haresources?: string;
  readonly systoleConf?: string;
}

/** A good configuration but for the texts given. */
export function build(texts: Texts = {}, facts: Facts = machine()): ConfigResult {
  const file = (name: string, text: string): SourceFile => ({path: `/etc/ha.d/${name}`, text});
  return buildConfig({
    haCf: file('ha.cf', texts.haCf ?? GOOD.haCf),
    authkeys: file('authkeys', texts.authkeys ?? GOOD.authkeys),
    haresources: file('haresources', texts.haresources ?? GOOD.haresources),
    systoleConf: texts.systoleConf === undefined ? undefined : file('systole.conf', texts.systoleConf),
    facts,
  });
}

/** The good ha.cf with lines appended. */
export function withLines(...lines: string[]): ConfigResult {
  return build({haCf: `${GOOD.haCf}${lines.join('\n')}\n`});
}

/** `severity code line:column`, in order. */
export function summary({diagnostics}: ConfigResult): string[] {
  return diagnostics
    .filter(({code}) => code !== 'HB_CONFIG_NO_FENCING')
    .map(({severity, code, line, column}) => `${severity} ${code} ${line}:${column}`);
}

export function readFixture(directory: string, facts: Facts): ConfigResult & {sources: Map<string, string>} {
  const sources = new Map<string, string>();
  const read = (name: string): SourceFile => {
    const path = `${root}/${directory}/${name}`;
    if (!existsSync(path)) return {path: `/etc/ha.d/${name}`, text: undefined, problem: 'No such file or directory'};
    const text = readFileSync(path, 'utf8');
    if (name !== 'authkeys') sources.set(`/etc/ha.d/${name}`, text);
    return {path: `/etc/ha.d/${name}`, text};
  };
  const own = read('systole.conf');
  const result = buildConfig({
    haCf: read('ha.cf'),
    authkeys: read('authkeys'),
    haresources: read('haresources'),
    systoleConf: own.text === undefined ? undefined : own,
    facts,
  });
  return {...result, sources};
}

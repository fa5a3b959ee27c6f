// Directives that name programs, users and devices: respawn, failfast, apiauth, stonith, stonith_host, env. They take a
// whole line, so commas belong to their values.

import type {ApiAuth} from '../model/config.js';
import type {Directive, Draft} from './ha-cf-draft.js';
import {after, part, trimmed, type Word, wordsOf} from './source.js';

const COMPANION = /^\/usr\/(?:lib|lib64|libexec|lib\/[\w-]+)\/heartbeat\/([\w-]+)$/;
const COMPANIONS_KNOWN = ['ipfail', 'dopd', 'ccm', 'pingd', 'hbagent'];

/** `respawn USER /full/path ARGS`, `failfast` alike. */
export function client(draft: Draft, {name, rest, words}: Directive): void {
  const [user, program] = words;
  if (user === undefined) return;
  const failfast = name.text === 'failfast';
  const hint = `${name.text} USER /full/path ARGUMENTS`;
  if (!draft.facts.userExists(user.text)) {
    const known = ['hacluster', 'root'].includes(user.text) ? `make the user: adduser --system ${user.text}` : hint;
    draft.report('HB_CONFIG_CLIENT_USER', user, `Invalid uid [${user.text}] specified for client child`, known);
  }
  if (program === undefined) {
    draft.report('HB_CONFIG_CLIENT_COMMAND', after(user), `${name.text} names no command`, hint);
  } else if (!program.text.startsWith('/')) {
    const text = `Client child command [${program.text}] is not full pathname`;
    draft.report('HB_CONFIG_CLIENT_COMMAND', program, text, hint);
  } else {
    const path = programOf(draft, program);
    const args = rest.text.slice(program.column - rest.column + program.length);
    if (path !== undefined)
      draft.clients.push({client: {user: user.text, command: path + args, failfast}, name: program});
  }
}

/**
 * Guides name the companions where some other distribution has them. Ours is used then; without one the node starts all
 * the same and says so, because a missing ipfail is no reason to refuse service.
 */
function programOf(draft: Draft, program: Word): string | undefined {
  if (draft.facts.isExecutable(program.text)) return program.text;
  const text = `Client child command [${program.text}] is not executable`;
  const name = COMPANION.exec(program.text)?.[1];
  const ours = name === undefined ? undefined : draft.facts.companion(name);
  if (ours !== undefined) {
    draft.report('HB_CONFIG_CLIENT_MOVED', program, `${program.text} is not here: ${ours} is used`);
    return ours;
  }
  if (name !== undefined && COMPANIONS_KNOWN.includes(name)) {
    draft.report('HB_CONFIG_CLIENT_ABSENT', program, `${text}: ${name} will not run`);
  } else draft.report('HB_CONFIG_CLIENT_COMMAND', program, text);
  return undefined;
}

/** `apiauth CLIENT [uid=a,b] [gid=c,d]`. */
export function apiauth(draft: Draft, {rest, words}: Directive): void {
  const [name, ...lists] = words;
  if (name === undefined) return;
  const before = draft.apiauth.some(({client}) => client === name.text);
  const wrong = (at: Word, why: string) =>
    draft.report('HB_CONFIG_APIAUTH', at, `Invalid apiauth directive [${rest.text}]: ${why}`);
  if (before) {
    wrong(name, `client ${name.text} was named before`);
    return;
  }
  const found = {uids: [] as string[], gids: [] as string[]};
  for (const list of lists) {
    const kind = /^(uid|gid)=(.*)$/.exec(list.text)?.[1];
    if (kind === undefined) {
      wrong(list, `${list.text} is neither uid= nor gid=`);
      return;
    }
    const exists = kind === 'uid' ? draft.facts.userExists : draft.facts.groupExists;
    for (const each of wordsOf(part(list, 4, list.length), 'list')) {
      // A number needs no entry in passwd or group.
      const known = /^\d+$/.test(each.text) || exists.call(draft.facts, each.text);
      if (!known) {
        wrong(each, `no ${kind === 'uid' ? 'user' : 'group'} ${each.text}`);
        return;
      }
      (kind === 'uid' ? found.uids : found.gids).push(each.text);
    }
  }
  if (found.uids.length + found.gids.length === 0) {
    wrong(name, 'it names no user and no group');
    return;
  }
  draft.apiauth.push({client: name.text, ...found});
}

/** What Heartbeat allows to clients that no apiauth line names. */
const DEFAULT_AUTH: readonly ApiAuth[] = [
  {client: 'ipfail', uids: ['hacluster'], gids: []},
  {client: 'ccm', uids: ['hacluster'], gids: []},
  {client: 'ping', uids: [], gids: ['haclient']},
  {client: 'lha-snmpagent', uids: ['root'], gids: []},
  {client: 'anon', uids: ['root'], gids: ['haclient']},
];

export function withDefaultAuth(given: readonly ApiAuth[]): ApiAuth[] {
  return [...given, ...DEFAULT_AUTH.filter(({client}) => !given.some((own) => own.client === client))];
}

/** `stonith TYPE CONFIGFILE`. */
export function stonith(draft: Draft, {words}: Directive): void {
  const [type, file] = words;
  if (type === undefined) return;
  if (!validType(draft, type)) return;
  const text = file === undefined ? undefined : draft.facts.readText(file.text);
  if (text === undefined) {
    const at = file ?? after(type);
    draft.report('HB_CONFIG_STONITH', at, `Invalid Stonith config file [${file?.text ?? ''}]`);
    return;
  }
  const parameters = text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).filter(Boolean));
  draft.stonith = {type: type.text, parameters};
}

/** `stonith_host HOST|* TYPE PARAMETERS`: lines for other hosts are not looked at; the last one for this host counts. */
export function stonithHost(draft: Draft, {words}: Directive): void {
  const [host, type, ...parameters] = words;
  if (host === undefined) return;
  if (host.text !== '*' && host.text.toLowerCase() !== draft.facts.nodeName.toLowerCase()) return;
  if (type === undefined) {
    draft.report('HB_CONFIG_STONITH', after(host), 'Invalid Stonith type []');
    return;
  }
  if (!validType(draft, type)) return;
  draft.stonith = {type: type.text, parameters: parameters.map(({text}) => text)};
}

function validType(draft: Draft, type: Word): boolean {
  const isName = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/.test(type.text);
  if (isName && draft.facts.isStonithType(type.text)) return true;
  const hint = 'types are the executables of /usr/lib/stonith/plugins/external, written external/NAME (cluster-glue)';
  draft.report('HB_CONFIG_STONITH', type, `Invalid Stonith type [${type.text}]`, hint);
  return false;
}

/** `env NAME=value` becomes HA_NAME in the environment of scripts. */
export function environment(draft: Draft, {list}: Directive): void {
  for (const pair of list) {
    const found = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(trimmed(pair).text);
    if (found) draft.env.set(found[1] ?? '', found[2] ?? '');
    else draft.report('HB_CONFIG_ENV', pair, `set_env: invalid nvpair(${pair.text})`);
  }
}

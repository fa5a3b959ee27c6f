// Judges the groups of haresources before anything is started. Heartbeat would accept all of this and fail at takeover
// time, with the address up and nothing behind it; here each fault is an error with its place and the likely meaning.

import type {AgentState, Facts} from './facts.js';
import type {PlacedGroup} from './haresources.js';
import {resourceOf} from './haresources.js';
import {suggestion} from './nearest.js';
import type {Report} from './report.js';
import {type SourceFile, type Word, wholeFile} from './source.js';

interface Context {
  readonly nodes: readonly string[];
  readonly facts: Facts;
  readonly report: Report;
}

export function checkHaresources(groups: readonly PlacedGroup[], source: SourceFile, context: Context): void {
  if (source.text === undefined) return;
  if (groups.length === 0) {
    context.report('HB_HARESOURCES_NO_GROUPS', wholeFile(source.path), 'no resource groups: nothing is managed');
  }
  for (const group of groups) {
    checkHome(group, source.path, context);
    checkRepeated(group, context.report);
    checkInterfaces(group, context);
  }
  checkScripts(groups, context);
  checkKeys(groups, context.report);
  checkShared(groups, context.report);
  checkNumber(groups, context.report);
}

/** Each node tells the other what it owns in one packet; the other's answers must fit as well. */
const BEACON_BYTES_MAX = 28_000;
const ENTRY_BYTES = 40;
const KEY_BYTES_MAX = 200;

function checkNumber(groups: readonly PlacedGroup[], report: Report): void {
  let bytes = 0;
  for (const {words, group} of groups) {
    // Half a surrogate pair cannot be encoded.
    const key = encodeURIComponent(group.key.replace(/\p{Surrogate}/gu, '?'));
    bytes += Math.min(key.length, KEY_BYTES_MAX) + ENTRY_BYTES;
    if (bytes <= BEACON_BYTES_MAX || words[0] === undefined) continue;
    const text = `${groups.length} groups are too many: what a node says of those up to here does not fit a packet`;
    return report('HB_HARESOURCES_TOO_MANY', words[0], text);
  }
}

function checkHome({home, group}: PlacedGroup, file: string, {nodes, report}: Context): void {
  // Without any node the fault is in ha.cf, and named there.
  if (nodes.length === 0 || nodes.includes(group.home)) return;
  const text = `Bad nodename in ${file} [${home.text}]`;
  report('HB_HARESOURCES_NODE', home, text, () => suggestion(group.home, nodes) ?? `the nodes are ${nodes.join(', ')}`);
}

function checkScripts(groups: readonly PlacedGroup[], {facts, report}: Context): void {
  const states = new Map<string, AgentState>();
  let names: string[] | undefined;
  for (const word of groups.flatMap(({words}) => words)) {
    const {script} = resourceOf(word.text);
    if (!/^[^/\s]+$/.test(script) || script.startsWith('.')) {
      report('HB_HARESOURCES_SCRIPT', word, `[${script}] is not the name of a resource script`);
      continue;
    }
    const state = states.get(script) ?? facts.agents.find(script);
    states.set(script, state);
    if (state === 'ok') {
      const link = facts.bootLink(resourceOf(word.text));
      if (link !== undefined) report('HB_HARESOURCES_BOOT', word, `init starts ${word.text} at boot (${link})`);
      continue;
    }
    if (state === 'not-executable') {
      report('HB_HARESOURCES_EXECUTABLE', word, `resource script ${script} is not executable`);
      continue;
    }
    report('HB_HARESOURCES_SCRIPT', word, `Cannot locate resource script ${script}`, () => {
      names ??= [...new Set(facts.agents.names())].sort();
      return suggestion(script, names);
    });
  }
}

/** Heartbeat searches for a key anywhere on a line: a key must not occur a second time in the file. */
function checkKeys(groups: readonly PlacedGroup[], report: Report): void {
  const keys = new Map<string, Word>();
  for (const {words} of groups) {
    const key = words[0];
    if (key === undefined) continue;
    const before = keys.get(key.text);
    if (before === undefined) keys.set(key.text, key);
    else report('HB_HARESOURCES_DUPLICATE_KEY', key, `${key.text} already names the group of line ${before.line}`);
  }
  for (const {words} of groups) {
    for (const member of words.slice(1)) {
      const key = keys.get(member.text);
      if (key === undefined || key === words[0]) continue;
      report('HB_HARESOURCES_KEY_MEMBER', member, `${member.text} names the group of line ${key.line}`);
    }
  }
}

function checkRepeated({words}: PlacedGroup, report: Report): void {
  const seen = new Set<string>();
  for (const word of words) {
    if (seen.has(word.text)) report('HB_HARESOURCES_REPEATED', word, `${word.text} stands twice in this group`);
    seen.add(word.text);
  }
}

function checkShared(groups: readonly PlacedGroup[], report: Report): void {
  const keys = new Set(groups.map(({group}) => group.key));
  const seen = new Map<string, Word>();
  for (const {words} of groups) {
    const fresh = new Map<string, Word>();
    for (const word of words) {
      const before = seen.get(word.text);
      // A repeated key is an error with a text of its own.
      if (before !== undefined && !keys.has(word.text)) {
        report('HB_HARESOURCES_SHARED', word, `${word.text} is also a resource of line ${before.line}`);
      } else fresh.set(word.text, word);
    }
    for (const [text, word] of fresh) seen.set(text, word);
  }
}

/** `IPaddr::10.0.0.17/24/eth0` names an interface; a third part that starts with a digit is the broadcast address. */
function checkInterfaces({words}: PlacedGroup, {facts, report}: Context): void {
  const names = facts.interfaces.map(({name}) => name);
  for (const word of words) {
    const {script, args} = resourceOf(word.text);
    if (!['IPaddr', 'IPaddr2'].includes(script)) continue;
    const device = args[0]?.split('/')[2]?.split(':')[0];
    if (device === undefined || device === '' || /^\d/.test(device) || names.includes(device)) continue;
    const text = `IP interface [${device}] does not exist on this node`;
    report('HB_HARESOURCES_INTERFACE', word, text, `the interfaces are ${names.slice(0, 16).join(', ')}`);
  }
}

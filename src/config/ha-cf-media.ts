// The media lines of ha.cf: ucast, bcast, mcast and their IPv6 forms, serial, ping. A link that cannot be opened now may
// come up later and must not keep the node down, so an absent interface is an error only where Heartbeat refuses it.

import type {Medium} from '../model/config.js';
import type {Directive, Draft} from './ha-cf-draft.js';
import {after, type Place, type Word} from './source.js';
import {parseWhole} from './values.js';

type MediumReader = (draft: Draft, directive: Directive) => void;

export const mediumReaders: ReadonlyMap<string, MediumReader> = new Map<string, MediumReader>([
  ['ucast', (draft, directive) => ucast(draft, directive, 'ucast')],
  ['ucast6', (draft, directive) => ucast(draft, directive, 'ucast6')],
  ['mcast', (draft, directive) => mcast(draft, directive, 'mcast')],
  ['mcast6', (draft, directive) => mcast(draft, directive, 'mcast6')],
  ['bcast', bcast],
  ['udp', bcast],
  ['serial', serial],
  ['ping', pings],
  ['ping6', pings],
  ['ping_group', pingGroup],
]);

const MAX_MEDIA = 64;

function add(draft: Draft, name: Word, medium: Medium): void {
  if (draft.media.length >= MAX_MEDIA) draft.report('HB_CONFIG_MEDIUM', name, `more than ${MAX_MEDIA} media`);
  else draft.media.push({medium, name});
}

function bad(draft: Draft, at: Place, text: string, form: string): void {
  draft.report('HB_CONFIG_MEDIUM', at, text, form);
}

function ucast(draft: Draft, {name, words}: Directive, kind: 'ucast' | 'ucast6'): void {
  const [device, host] = words;
  const form = `${kind} INTERFACE ADDRESS, the address of the other node`;
  if (device === undefined) {
    bad(draft, name, `${kind}: missing device`, form);
    return;
  }
  if (host === undefined) {
    bad(draft, after(device), `${kind}: [${device.text}] missing target IP address/hostname`, form);
    return;
  }
  warnIfAbsent(draft, device);
  const address = kind === 'ucast' ? ipv4Of(draft, host) : host.text;
  if (kind === 'ucast6' && !isIpv6(host.text))
    bad(draft, host, `ucast6: [${device.text}] bad addr [${host.text}]`, form);
  if (address !== undefined) add(draft, name, {kind, device: device.text, host: address});
}

/** The address of a host; a name that only DNS may know is kept and warned about. */
function ipv4Of(draft: Draft, host: Word): string | undefined {
  if (isIpv4(host.text)) return host.text;
  if (/^[\d.]+$/.test(host.text) || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(host.text)) {
    bad(draft, host, `ucast: bad target [${host.text}]`, 'write an IPv4 address');
    return undefined;
  }
  const address = draft.facts.hostAddress(host.text);
  if (address === undefined) {
    draft.report('HB_CONFIG_HOST', host, `${host.text} is neither an address nor in /etc/hosts`);
  }
  return address ?? host.text;
}

function mcast(draft: Draft, {name, words}: Directive, kind: 'mcast' | 'mcast6'): void {
  const [device, group, port, ttl, loop] = words;
  const form = `${kind} INTERFACE GROUP PORT ${kind === 'mcast' ? 'TTL' : 'HOPS'} LOOP, e.g. ${
    kind === 'mcast' ? 'mcast eth0 239.0.0.1 694 1 0' : 'mcast6 eth0 ff05::694 694 1 0'
  }`;
  if (device === undefined) {
    bad(draft, name, `${kind}: missing device`, form);
    return;
  }
  const before = draft.media.length;
  const complain = (what: string, word: Word | undefined) =>
    word === undefined
      ? bad(draft, after(words.at(-1) ?? device), `${kind} [${device.text}] missing ${what}`, form)
      : bad(draft, word, `${kind} [${device.text}] bad ${what} [${word.text}]`, form);
  warnIfAbsent(draft, device);
  const isGroup = kind === 'mcast' ? isIpv4Group : isIpv6Group;
  if (group === undefined || !isGroup(group.text)) {
    complain('addr', group);
    return;
  }
  const portNumber = within(port, 1, 65_535);
  if (portNumber === undefined) {
    complain('port', port);
    return;
  }
  const hops = within(ttl, 0, kind === 'mcast' ? 4 : 255);
  if (hops === undefined) {
    complain(kind === 'mcast' ? 'ttl' : 'hops', ttl);
    return;
  }
  const looped = within(loop, 0, 1);
  if (looped === undefined) {
    complain('loop', loop);
    return;
  }
  const base = {device: device.text, group: group.text, port: portNumber, loop: looped === 1};
  if (before === draft.media.length) {
    add(draft, name, kind === 'mcast' ? {kind, ...base, ttl: hops} : {kind, ...base, hops});
  }
}

function bcast(draft: Draft, {name, list}: Directive): void {
  if (name.text === 'udp') {
    draft.report('HB_CONFIG_OBSOLETE', name, 'directive udp is an old name of bcast', 'write bcast');
  }
  for (const device of list) {
    if (interfaceOf(draft, device) === undefined) {
      const hint = interfacesHint(draft);
      draft.report('HB_CONFIG_INTERFACE', device, `IP interface [${device.text}] does not exist`, hint);
    } else add(draft, name, {kind: 'bcast', device: device.text});
  }
}

function serial(draft: Draft, {name, list}: Directive): void {
  for (const device of list) {
    if (!device.text.startsWith('/')) {
      draft.report('HB_CONFIG_SERIAL', device, `serial device [${device.text}] is not a full path`);
    } else if (!draft.facts.isCharDevice(device.text)) {
      draft.report('HB_CONFIG_SERIAL', device, `serial device [${device.text}] is not an existing character device`);
    } else add(draft, name, {kind: 'serial', device: device.text, baud: 0}); // baud may come later; put in at the end.
  }
}

function pings(draft: Draft, {name, list}: Directive): void {
  for (const host of list) {
    if (knownHost(draft, host)) add(draft, name, {kind: 'ping', name: host.text.toLowerCase(), hosts: [host.text]});
  }
}

function pingGroup(draft: Draft, {name, list}: Directive): void {
  const [group, ...hosts] = list;
  if (group === undefined) return;
  if (hosts.length === 0) {
    bad(draft, after(group), `ping_group [${group.text}] has no hosts`, 'ping_group NAME HOST...');
    return;
  }
  const known = hosts.filter((host) => knownHost(draft, host)).map((host) => host.text);
  if (known.length > 0) add(draft, name, {kind: 'ping', name: group.text.toLowerCase(), hosts: known});
}

/** Only addresses and names of /etc/hosts are known without asking DNS, which may be down just now. */
function knownHost(draft: Draft, host: Word): boolean {
  if (isIpv4(host.text) || isIpv6(host.text)) return true;
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(host.text) || /^[\d.]+$/.test(host.text)) {
    bad(draft, host, `unknown host: ${host.text}: not an address and not a name`, 'write the address of the router');
    return false;
  }
  if (draft.facts.hostAddress(host.text) === undefined) {
    draft.report('HB_CONFIG_HOST', host, `${host.text} is neither an address nor in /etc/hosts`);
  }
  return true;
}

function warnIfAbsent(draft: Draft, device: Word): void {
  if (interfaceOf(draft, device) !== undefined) return;
  const guess = interfacesHint(draft);
  const text = `IP interface [${device.text}] does not exist: the link stays dead until it appears`;
  draft.report('HB_CONFIG_INTERFACE_ABSENT', device, text, guess);
}

function interfaceOf(draft: Draft, device: Word) {
  // An alias such as eth0:1 lives on its interface.
  const base = device.text.split(':')[0];
  return draft.facts.interfaces.find(({name}) => name === base);
}

/** The nearest name would be a bad guess: eth0 and eth1 are one letter apart. */
function interfacesHint({facts}: Draft): string {
  const names = facts.interfaces.map(({name}) => name).slice(0, 16);
  return `the interfaces are ${names.join(', ')}`;
}

function within(word: Word | undefined, least: number, most: number): number | undefined {
  const found = word === undefined ? undefined : parseWhole(word.text);
  return found !== undefined && found >= least && found <= most ? found : undefined;
}

export function isIpv4(text: string): boolean {
  return /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(text);
}

function isIpv4Group(text: string): boolean {
  const first = Number(text.split('.')[0]);
  return isIpv4(text) && first >= 224 && first <= 239;
}

/** Good enough to tell an address from a name; the kernel has the last word. */
export function isIpv6(text: string): boolean {
  return /^[0-9a-fA-F:]*:[0-9a-fA-F:.]*(%[\w.-]+)?$/.test(text) && text.split(':').length >= 3 && text.length <= 64;
}

function isIpv6Group(text: string): boolean {
  return isIpv6(text) && /^ff/i.test(text);
}

// Host names of ucast lines become addresses once, when the configuration is read: a resolver that hangs must never stand
// between a keepalive and its wire (dependencies.md section 3). The messaging process only ever sees addresses.

import {lookup} from 'node:dns/promises';
import {isIPv4} from 'node:net';
import type {Medium} from '../../model/config.js';

export interface Resolved {
  readonly media: readonly Medium[];
  /** One text for each name that has no IPv4 address; its line is left out of `media`. */
  readonly problems: readonly string[];
}

export async function resolveMedia(media: readonly Medium[]): Promise<Resolved> {
  const problems: string[] = [];
  const resolved: Medium[] = [];
  for (const medium of media) {
    if (medium.kind !== 'ucast' || isIPv4(medium.host)) {
      resolved.push(medium);
      continue;
    }
    try {
      const {address} = await lookup(medium.host, {family: 4});
      resolved.push({...medium, host: address});
    } catch (error) {
      problems.push(`ucast ${medium.device} ${medium.host}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return {media: resolved, problems};
}

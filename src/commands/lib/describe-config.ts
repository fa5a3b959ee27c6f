// `heartbeat -v`: the configuration in force as text in the form of ha.cf, defaults included. Keys are never shown.

import type {ClusterConfig, Medium} from '../../model/config.js';
import {unreachable} from '../../model/unreachable.js';

export function describeConfig({ha, groups}: ClusterConfig): string {
  const parameters = Object.entries(ha.parameters).map(([name, value]) => `${name}\t${value}\n`);
  const nodes = ha.nodes.map((node) => `node ${node}\n`);
  const media = ha.media.map((medium) => `${mediumLine(medium)}\n`);
  const resources = groups.map((group) => `#\t${group.home} ${group.resources.map((each) => each.word).join(' ')}\n`);
  return [
    `#\n#\tHeartbeat configuration in force on ${ha.node}\n#\n`,
    ...parameters,
    '#\n#\tNodes\n#\n',
    ...nodes,
    '#\n#\tLinks\n#\n',
    ...media,
    '#\n#\tGroups of haresources\n#\n',
    ...resources,
  ].join('');
}

function mediumLine(medium: Medium): string {
  switch (medium.kind) {
    case 'ucast':
    case 'ucast6':
      return `${medium.kind} ${medium.device} ${medium.host}`;
    case 'bcast':
      return `bcast ${medium.device}`;
    case 'mcast':
      return `mcast ${medium.device} ${medium.group} ${medium.port} ${medium.ttl} ${medium.loop ? 1 : 0}`;
    case 'mcast6':
      return `mcast6 ${medium.device} ${medium.group} ${medium.port} ${medium.hops} ${medium.loop ? 1 : 0}`;
    case 'serial':
      return `serial ${medium.device}`;
    case 'ping':
      return medium.hosts.length === 1 ? `ping ${medium.name}` : `ping_group ${medium.name} ${medium.hosts.join(' ')}`;
    default:
      return unreachable(medium);
  }
}

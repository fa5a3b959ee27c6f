// The cables of the lab. The client machine carries two bridges: `service` (its own address, eth0 of each node) and
// `direct` (eth1 of each node). Everything lives inside the machines' namespaces, so two labs never meet and the same
// addresses serve every lab. A cable is a veth pair: the end in the client is called NODE-eth0.

import {host} from './host.js';

export type LinkName = 'eth0' | 'eth1';

export const clientAddress = '10.77.0.254';
/** The address that the lab's resource groups carry, unless they name another. */
export const serviceAddress = '10.77.0.100';

const bridgeOf = {eth0: 'service', eth1: 'direct'} as const;

/** 10.77.0.N on eth0 and 10.77.1.N on eth1; nodes count from 1. */
export function addressOf(node: number, link: LinkName): string {
  return `10.77.${link === 'eth0' ? 0 : 1}.${node}`;
}

export async function makeSwitches(clientPid: number): Promise<void> {
  // Without an address of its own a bridge takes the lowest of its ports, which changes when a node is switched off:
  // the nodes would then hold a stale neighbour entry for the client, and outages would be the lab's.
  await ip(clientPid, [
    'link set lo up',
    'link add service address 02:77:00:00:00:fe type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link add direct address 02:77:01:00:00:fe type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link set service up',
    'link set direct up',
    `addr add ${clientAddress}/24 dev service`,
  ]);
}

/** Plugs a node's two cables in. The hardware addresses stay the same over reboots. */
export async function plugIn(
  clientPid: number,
  node: {readonly name: string; readonly number: number; readonly pid: number},
): Promise<void> {
  const links = ['eth0', 'eth1'] as const;
  const mac = (link: LinkName) => `02:77:0${link === 'eth0' ? 0 : 1}:00:00:0${node.number}`;
  await ip(clientPid, [
    ...links.map(
      (link) => `link add ${node.name}-${link} type veth peer name ${link} address ${mac(link)} netns ${node.pid}`,
    ),
    ...links.flatMap((link) => [
      `link set ${node.name}-${link} master ${bridgeOf[link]}`,
      `link set ${node.name}-${link} up`,
    ]),
  ]);
  await ip(node.pid, [
    'link set lo up',
    ...links.flatMap((link) => [
      `addr add ${addressOf(node.number, link)}/24 brd + dev ${link}`,
      `link set ${link} up`,
    ]),
  ]);
}

/** The cables go with the node's network namespace, but the kernel takes its time: the next boot needs their names. */
export async function unplug(clientPid: number, node: string): Promise<void> {
  // -force: the kernel may have been quicker.
  const lines = `link del ${node}-eth0\nlink del ${node}-eth1\n`;
  await host('nsenter', ['-t', `${clientPid}`, '--net', 'ip', '-force', '-batch', '-'], lines).catch(() => '');
  const left = await host('nsenter', ['-t', `${clientPid}`, '--net', 'ip', '-o', 'link']);
  if (left.includes(` ${node}-eth`)) throw new Error(`${node} cannot be unplugged:\n${left}`);
}

/**
 * Pulls a cable. `lost`: the node's own interface sees that the carrier is gone. `kept`: packets vanish behind a port
 * that still looks connected, as with a failed switch in the middle.
 */
export async function cut(clientPid: number, node: string, link: LinkName, carrier: 'kept' | 'lost'): Promise<void> {
  await ip(clientPid, [carrier === 'lost' ? `link set ${node}-${link} down` : `link set ${node}-${link} nomaster`]);
}

export async function heal(clientPid: number, node: string, link: LinkName): Promise<void> {
  await ip(clientPid, [`link set ${node}-${link} master ${bridgeOf[link]}`, `link set ${node}-${link} up`]);
}

/** The nodes hear nothing of each other over this link while the client still reaches both, or hear again. */
export async function isolate(clientPid: number, nodes: readonly string[], link: LinkName, on: boolean): Promise<void> {
  // Two isolated ports of a bridge exchange nothing; the bridge's own port, the client, is not isolated.
  await ip(
    clientPid,
    nodes.map((node) => `link set ${node}-${link} type bridge_slave isolated ${on ? 'on' : 'off'}`),
  );
}

/** Only the network namespace is entered, so pids on these lines are the host's. */
async function ip(pid: number, lines: readonly string[]): Promise<void> {
  await host('nsenter', ['-t', `${pid}`, '--net', 'ip', '-batch', '-'], `${lines.join('\n')}\n`);
}

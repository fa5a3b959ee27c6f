// The lab's cables: a network namespace with two bridges, `svc` (eth0 of each guest and an address for clients) and `dir` (eth1 of
// each guest). The host's own network is not touched. A cable is a tap device; its frames vanish when it leaves its bridge
// (`kept`: the guest still sees a carrier), and its carrier goes by QEMU's set_link, which guest.ts does.

import {host} from '../../src/lab/host.js';

export const NAMESPACE = process.env['SYSTOLE_LAB_NETNS'] ?? 'drbd-vm-lab';
export const CLIENT_ADDRESS = '10.0.0.254';
export const SERVICE_ADDRESS = '10.0.0.17';

export type Cable = 'eth0' | 'eth1';
const BRIDGE = {eth0: 'svc', eth1: 'dir'} as const;

export const tapOf = (number: number, cable: Cable): string => `t${number}${cable}`;

export async function makeNetwork(): Promise<void> {
  await removeNetwork();
  await host('ip', ['netns', 'add', NAMESPACE]);
  const lines = ['link set lo up'];
  for (const bridge of Object.values(BRIDGE))
    lines.push(`link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`, `link set ${bridge} up`);
  lines.push(`addr add ${CLIENT_ADDRESS}/24 dev svc`);
  for (const number of [1, 2])
    for (const cable of ['eth0', 'eth1'] as const) {
      const tap = tapOf(number, cable);
      lines.push(`tuntap add dev ${tap} mode tap`, `link set ${tap} master ${BRIDGE[cable]}`, `link set ${tap} up`);
    }
  await ip(lines);
}

export async function removeNetwork(): Promise<void> {
  await host('ip', ['netns', 'del', NAMESPACE]).catch(() => '');
}

/** Frames of this cable vanish; the carrier stays. */
export async function cutCable(number: number, cable: Cable): Promise<void> {
  await ip([`link set ${tapOf(number, cable)} nomaster`]);
}

export async function healCable(number: number, cable: Cable): Promise<void> {
  await ip([`link set ${tapOf(number, cable)} master ${BRIDGE[cable]}`]);
}

/** Nodes lose each other on this cable, but still see the clients. */
export async function isolate(cable: Cable, on: boolean): Promise<void> {
  for (const number of [1, 2])
    await host('ip', [
      'netns',
      'exec',
      NAMESPACE,
      'bridge',
      'link',
      'set',
      'dev',
      tapOf(number, cable),
      'isolated',
      on ? 'on' : 'off',
    ]);
}

async function ip(lines: readonly string[]): Promise<void> {
  await host('ip', ['-n', NAMESPACE, '-batch', '-'], `${lines.join('\n')}\n`);
}

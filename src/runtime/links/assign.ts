// Which planned socket is served by which inherited, device-bound descriptor. One such socket with address 0.0.0.0 serves all
// unicast and broadcast of its device, so those plans become one.

import {fstatSync} from 'node:fs';
import type {DeviceSocket} from './device-sockets.js';
import type {SocketPlan} from './plan.js';

export interface Assigned {
  readonly plan: SocketPlan;
  /** undefined: the socket is to be bound to the plan's address by ourselves. */
  readonly descriptor: number | undefined;
}

export function assignDescriptors(
  plans: readonly SocketPlan[],
  inherited: readonly DeviceSocket[],
): readonly Assigned[] {
  const assigned: Assigned[] = [];
  const shared: SocketPlan[] = [];
  const any = inherited.find((each) => each.address === '0.0.0.0');
  for (const plan of plans) {
    if (plan.kind !== 'mcast' && any !== undefined && any.port === plan.port) shared.push(plan);
    else {
      const own = inherited.find((each) => each.address === plan.address && each.port === plan.port);
      assigned.push({plan, descriptor: own?.descriptor});
    }
  }
  const first = shared[0];
  if (any === undefined || first === undefined) return assigned;
  const targets = [...new Set(shared.flatMap((each) => each.targets))];
  const isUnaddressed = shared.some((each) => each.isUnaddressed === true);
  const common = {kind: 'ucast', device: first.device, port: any.port, address: any.address} as const;
  const plan: SocketPlan = {...common, targets, ttl: undefined, ...(isUnaddressed ? {isUnaddressed} : {})};
  return [{plan, descriptor: any.descriptor}, ...assigned];
}

/** The launcher leaves a descriptor closed when it could not make that socket. */
export function isOpenSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}

// Runs on the client, between the nodes: passes on what reaches its addresses, and loses, doubles or delays packets on
// the way, each link for itself. What happens to which packet follows from a seed. Argument: one RelayPlan as JSON.
// Ends with its input.

import {createSocket} from 'node:dgram';

export interface RelayPlan {
  /** What reaches `address` is passed on to `target`. */
  readonly routes: readonly {readonly address: string; readonly target: string}[];
  readonly port: number;
  /** Chances in percent. */
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
  readonly seed: number;
}

/** A packet sent this much later is overtaken by others: the nodes send five times a second and more. */
const delayMaxMs = 300;

if (process.argv[2]?.startsWith('{')) run(JSON.parse(process.argv[2]) as RelayPlan);

function run(plan: RelayPlan): void {
  const random = generator(plan.seed);
  const happens = (percent: number) => random() * 100 < percent;
  let open = 0;
  for (const {address, target} of plan.routes) {
    const socket = createSocket('udp4');
    const send = (packet: Buffer) => socket.send(packet, plan.port, target, () => {}); // A node that is down hears nothing.
    const later = (packet: Buffer) => setTimeout(send, random() * delayMaxMs, packet);
    socket.on('error', () => {});
    socket.on('message', (packet) => {
      if (happens(plan.loss)) return;
      if (happens(plan.reordering)) later(packet);
      else send(packet);
      if (happens(plan.duplication)) later(packet);
    });
    socket.bind(plan.port, address, () => {
      open += 1;
      if (open === plan.routes.length) process.stdout.write('ready\n');
    });
  }
  process.stdin.on('end', () => process.exit(0)).resume();
}

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

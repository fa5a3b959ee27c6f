// Runs on the client: sends a probe to one address every few milliseconds and says, as JSON lines, each change of the
// node that answers (or its return after a silence), and on request the outage since a mark: the longest time in which no answer arrived. Arrival
// counts, not sending: the kernel keeps packets for an unresolved neighbour and delivers them when the new owner has
// announced itself, so probes sent in the middle of an outage are answered at its end.
// Arguments: address, port, interval. Input lines: `mark ID`, `report ID`. Ends with its input.

import {createSocket} from 'node:dgram';
import {createInterface} from 'node:readline';

const [address = '', port = '', interval = ''] = process.argv.slice(2);
const intervalMs = Number(interval);
const socket = createSocket('udp4');
/** A silence this long ends in a report even when the same node is back. */
const comebackMs = 50;
const startMs = performance.now();
let last = {atMs: 0, node: ''};
let since = {markMs: 0, outageMs: 0, answers: 0};

socket.on('error', () => {}); // The address is nowhere right now: that is what we measure.
socket.on('message', (answer) => {
  const atMs = performance.now() - startMs;
  const node = answer.toString('latin1');
  // A silence that began before the mark counts from the mark.
  const silentMs = atMs - Math.max(last.atMs, since.markMs);
  since = {...since, outageMs: Math.max(since.outageMs, silentMs), answers: since.answers + 1};
  if (node !== last.node || silentMs > comebackMs) say({event: 'owner', node, before: last.node, atMs, silentMs});
  last = {atMs, node};
});

socket.bind(0, () => {
  say({event: 'ready'});
  tick();
});

createInterface({input: process.stdin})
  .on('line', (line) => {
    const [word, id] = line.split(' ');
    const nowMs = performance.now() - startMs;
    if (word === 'mark') since = {markMs: nowMs, outageMs: 0, answers: 0};
    // The silence that lasts belongs to the outage.
    const silentMs = nowMs - Math.max(last.atMs, since.markMs);
    say({
      event: word,
      id,
      node: last.node,
      answers: since.answers,
      outageMs: Math.max(since.outageMs, silentMs),
      silentMs,
    });
  })
  .on('close', () => process.exit(0));

function tick(): void {
  const nowMs = performance.now() - startMs;
  // Late ticks are not made up for: a burst would only measure our own pause.
  setTimeout(tick, Math.max(1, intervalMs - (nowMs % intervalMs)));
  socket.send('?', Number(port), address, () => {});
}

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// Where the time goes: plays one cold start and two planned switches and prints what both nodes' daemons logged, and what
// the client saw, on one time line in milliseconds. Usage: node dist/bench/trace.js [--debug]

import {existsSync, readFileSync} from 'node:fs';
import {serviceAddress} from '../src/lab/network.js';
import {Carriers} from './carriers.js';
import {type Contestant, quick, Stage} from './stage.js';

const contestant: Contestant = {name: 'ours', kind: 'systole'};
const debug = process.argv.includes('--debug') ? ['debug 1'] : [];
const stage = await Stage.open(contestant, quick, debug);
const marks: [number, string][] = [];
const mark = (text: string) => marks.push([Date.now(), `>>> ${text}`]);
try {
  const [n1, n2] = stage.lab.nodes;
  mark('start n1');
  await stage.start(n1!);
  mark('n1 is started; start n2');
  const second = stage.start(n2!);
  await stage.answered();
  mark(`the client has an answer from ${serviceAddress}`);
  await second;
  mark('n2 is started');
  await stage.settle();
  for (let turn = 0; turn < 2; turn++) {
    const carriers = await Carriers.follow(stage.lab);
    const owner = await stage.owner();
    await stage.prober.mark();
    const served = stage.prober
      .answeredBy(stage.lab.other(owner).name, 30_000)
      .then(() => mark('the client is served'));
    mark(`hb_standby on ${owner.name}`);
    const tookMs = await stage.giveAway(owner);
    mark(`hb_standby took ${tookMs.toFixed(0)}`);
    await served;
    await new Promise((resolve) => setTimeout(resolve, 300));
    mark(`outage ${(await stage.prober.report()).outageMs.toFixed(1)}`);
    carriers.close();
    await stage.settle();
  }
  mark('stop');
  const owner = await stage.owner();
  await stage.prober.mark();
  await stage.stop(owner);
  mark(`stopped; outage ${(await stage.prober.report()).outageMs.toFixed(1)}`);
  const lines: [number, string][] = stage.lab.nodes.flatMap((node) => {
    const path = `${node.machine.directory}/log/systole.json`;
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as {time: string; text: string})
      .map(({time, text}): [number, string] => [Date.parse(time), `${node.name} ${text}`]);
  });
  const all = [...marks, ...lines].sort(([a], [b]) => a - b);
  const from = all[0]?.[0] ?? 0;
  for (const [at, text] of all) process.stdout.write(`${String(at - from).padStart(6)} ${text}\n`);
} finally {
  await stage.close();
}
process.exit(0);

// Goal: on planned moves every stop precedes the peer's start. Method: nothing but hb_standby, hb_takeover and graceful stops, at any
// time, over lossy links and slow scripts. A resource counts as running from the beginning of its start to the end of its
// stop, so an overlap of a single event is seen. The control is a stop that says it has ended before it has.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {Cluster, type Storm} from '../../src/sim/cluster.js';
import {CALM} from '../../src/sim/world.js';
import {clusterConfig} from '../helpers/cluster-config.js';
import {seeds} from '../helpers/seeds.js';

const MOVES: Storm = {
  weather: {...CALM, loss: 0.1, duplicate: 0.05, slow: 0.05, scriptSlow: 0.3, isSecondReliable: true},
  powerCuts: 0,
  daemonKills: 0,
  managerKills: 0,
  messagingKills: 0,
  stalls: 0,
  partitions: 0,
  oneWayCuts: 0,
  linkCuts: 1,
  moves: 12,
  stops: 1,
  edits: 0,
  clockJumps: 0,
  lopsided: 0,
};

function play(seed: number, prepare: (cluster: Cluster) => void = () => {}): {overlaps: number; moves: number} {
  const configOf = (node: string) =>
    clusterConfig({
      node,
      haresources: 'n1 A A2; n2 B; n1 C C2 C3',
      autoFailback: (['on', 'off', 'legacy'] as const)[seed % 3] ?? 'off',
    });
  const cluster = new Cluster(seed, {n1: configOf('n1'), n2: configOf('n2')});
  prepare(cluster);
  let overlaps = 0;
  cluster.boot();
  cluster.brew(MOVES, 60_000);
  cluster.run(90_000, () => {
    overlaps += cluster.keys.filter((key) => cluster.world.runners(key).length > 1).length;
  });
  const stops = cluster.world.trace.filter((line) => / RSC \S+ stop/.test(line)).length;
  return {overlaps, moves: stops};
}

test('a start begins when every stop of the giver has ended', () => {
  let moves = 0;
  for (const seed of seeds(100)) {
    const result = play(seed);
    assert.equal(result.overlaps, 0, `SEED=${seed}`);
    moves += result.moves;
  }
  assert.ok(moves > 100 || process.env['SEED'] !== undefined, `only ${moves} stops were seen`);
});

test('control: a stop that ends later than it says is seen as an overlap', () => {
  const found = seeds(10).filter((seed) => {
    const lying = (cluster: Cluster) => {
      for (const node of cluster.nodes) node.lateStopMs = 500;
    };
    return play(seed, lying).overlaps > 0;
  });
  assert.ok(found.length > 0 || process.env['SEED'] !== undefined);
});

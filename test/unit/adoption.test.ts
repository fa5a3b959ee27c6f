// Goal: a manager that replaces one that died runs the clients of ha.cf again: without dopd no disk would be outdated. Method: the
// core alone, told by messaging that the cluster is up already.

import assert from 'node:assert/strict';
import {test} from '@jest/globals';
import {startManager, stepManager} from '../../src/core/step.js';
import type {ManagerEvent} from '../../src/model/manager.js';
import {clusterConfig} from '../helpers/cluster-config.js';

function clientsStartedBy(isCommUp: boolean): number {
  const config = clusterConfig({haresources: 'n1 10.0.0.100', node: 'n1'});
  const now = {monoMs: 1000, wallMs: 1000};
  const event: ManagerEvent = {
    type: 'messaging-said',
    message: {type: 'ready', generation: 1, uuid: 'u', view: {nodes: [], isCommUp, lastStatus: {}, lastReport: {}}},
  };
  const {effects} = stepManager(startManager(config, now).state, event, now);
  return effects.filter((effect) => effect.type === 'start-clients').length;
}

test('a manager that joins a running cluster starts the clients; one that starts with the node waits for comm-up', () => {
  assert.equal(clientsStartedBy(true), 1);
  assert.equal(clientsStartedBy(false), 0);
});

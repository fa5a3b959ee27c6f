// What an administrator does to a cluster that runs: a reload, and clocks that are wrong or set.

import assert from 'node:assert/strict';
import {readdirSync} from 'node:fs';
import {type Case, every, label, nice, pause, type Role, roles, round, startBoth, undisturbed} from '../case.js';
import type {InteropNode} from '../node.js';

/** A changed ha.cf and `heartbeat -r`: resources stay, and nobody takes the node for dead. */
function reload(role: Role): Case {
  return {
    name: `reload-${label[role]}`,
    modes: every,
    run: async (scene) => {
      await startBoth(scene);
      const check = undisturbed(scene);
      scene.lab.configure(scene[role], ['udpport 694', 'deadping 2500ms']);
      await scene[role].reload();
      await pause(5000);
      await scene.lab.settled(scene.lab.home());
      check();
    },
  };
}

/** `heartbeat -r` with nothing changed. */
function reloadUnchanged(role: Role): Case {
  return {
    name: `reload-unchanged-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      await startBoth(scene);
      const check = undisturbed(scene);
      await scene[role].reload();
      await pause(2500);
      await scene.lab.settled(scene.lab.home());
      check();
    },
  };
}

function library(): string {
  const found = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime`);
  const directory = found.find((path) => exists(path));
  assert.ok(directory, 'the package faketime is not installed');
  return `${directory}/libfaketime.so.1`;
}

function exists(path: string): boolean {
  try {
    return readdirSync(path).includes('libfaketime.so.1');
  } catch {
    return false;
  }
}

/** Only the time of day is changed, as by an administrator; the kernel's monotonic clock cannot be set. */
function fakeClock(node: InteropNode, how: string): void {
  node.wrap = `LD_PRELOAD=${library()} FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 ${how}`;
}

/** How far the newest line of a node's log is from the time of the host. */
function logAheadMs(node: InteropNode): number {
  const stamp = /^\w{3} +\d+ [\d:]+/.exec(node.log().trimEnd().split('\n').at(-1) ?? '')?.[0] ?? '';
  return new Date(`${stamp} ${new Date().getFullYear()} UTC`).getTime() - Date.now();
}

const hourMs = 3_600_000;

function clockApart(role: Role): Case {
  return {
    name: `clock-hour-ahead-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      fakeClock(scene[role], 'FAKETIME=+1h');
      await round(scene);
      const aheadMs = logAheadMs(scene.ours) - logAheadMs(scene.theirs);
      assert.ok(
        Math.abs(aheadMs - (role === 'ours' ? hourMs : -hourMs)) < 120_000,
        `the clocks are ${aheadMs} ms apart`,
      );
    },
  };
}

/** The clock of a running node is set an hour forward, and back again. */
function clockSet(role: Role): Case {
  return {
    name: `clock-set-${label[role]}`,
    modes: nice,
    run: async (scene) => {
      const node = scene[role];
      const set = async (offset: string) => {
        scene.lab.note(`${node.name}: the clock is set: ${offset}`);
        await node.machine.run(`echo ${offset} >/var/log/clock.new; mv /var/log/clock.new /var/log/clock`);
      };
      await set('+0');
      fakeClock(node, 'FAKETIME_TIMESTAMP_FILE=/var/log/clock FAKETIME_CACHE_DURATION=1');
      await startBoth(scene);
      const check = undisturbed(scene);
      await set('+3600');
      await pause(3500);
      await scene.lab.settled(scene.lab.home());
      await set('+0');
      await pause(3500);
      await scene.lab.settled(scene.lab.home());
      check();
    },
  };
}

export const upkeep: readonly Case[] = roles.flatMap((role) => [
  reload(role),
  reloadUnchanged(role),
  clockApart(role),
  clockSet(role),
]);

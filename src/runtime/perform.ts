// Performs the effects of the manager's core, one short function each. Outcomes come back as events with the effect's id.
// It assumes that every port is total: a failure of the outside world is an outcome, never an exception.

import type {ManagerToMessaging} from '../model/channel.js';
import type {ControlReply} from '../model/control.js';
import type {LogRecord} from '../model/log.js';
import type {ManagerEffect, ManagerEvent} from '../model/manager.js';
import type {Message} from '../model/message.js';
import type {GroupsInForce} from '../model/resource.js';
import {unreachable} from '../model/unreachable.js';
import type {Fencer} from './fencing.js';
import type {ScriptRunner} from './scripts.js';
import type {Watchdog} from './watchdog.js';

export interface ManagerPorts {
  readonly dispatch: (event: ManagerEvent) => void;
  readonly tellMessaging: (message: ManagerToMessaging) => void;
  readonly scripts: ScriptRunner;
  readonly rememberGroups: (inForce: GroupsInForce) => void;
  readonly fencer: () => Promise<Fencer>;
  readonly reply: (id: number, reply: ControlReply) => void;
  readonly log: (record: LogRecord) => void;
  readonly publish: (message: Message) => void;
  readonly startClients: () => void;
  readonly stopClients: () => void;
  readonly watchdog: () => Watchdog | undefined;
  readonly reboot: (reason: string) => void;
  readonly exit: (status: number) => void;
}

export function perform(effect: ManagerEffect, ports: ManagerPorts): void {
  switch (effect.type) {
    case 'tell-messaging':
      return ports.tellMessaging(effect.message);
    case 'run-script':
      return runScript(effect, ports);
    case 'cancel-script':
      return ports.scripts.cancel(effect.id);
    case 'remember-groups':
      return ports.rememberGroups(effect);
    case 'fence':
      return fence(effect, ports);
    case 'reply':
      return ports.reply(effect.id, effect.reply);
    case 'log':
      return ports.log(effect.record);
    case 'publish':
      return ports.publish(effect.message);
    case 'start-clients':
      return ports.startClients();
    case 'stop-clients':
      return ports.stopClients();
    case 'feed-watchdog':
      return ports.watchdog()?.feed();
    case 'disarm-watchdog':
      return ports.watchdog()?.disarm();
    case 'reboot-node':
      return ports.reboot(effect.reason);
    case 'exit':
      return ports.exit(effect.status);
    default:
      return unreachable(effect);
  }
}

function runScript({id, call}: Extract<ManagerEffect, {type: 'run-script'}>, ports: ManagerPorts): void {
  void ports.scripts.run(id, call).then((exit) => ports.dispatch({type: 'script-exited', id, call, exit}));
}

function fence({id, node}: Extract<ManagerEffect, {type: 'fence'}>, ports: ManagerPorts): void {
  const verdict = ports.fencer().then((fencer) => fencer.reset(node));
  void verdict.then(({ok, text}) => ports.dispatch({type: 'fencing-finished', id, node, ok, text}));
}

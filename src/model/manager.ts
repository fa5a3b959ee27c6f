// Events and effects of the manager's core (style.md section 1): src/core turns one event into the next state and a
// list of effects, src/runtime performs them in order. The state type itself lives in src/core/state.ts.

import type {ManagerToMessaging, MessagingToManager} from './channel.js';
import type {NodeName} from './cluster.js';
import type {ClusterConfig} from './config.js';
import type {ControlReply, ControlRequest} from './control.js';
import type {DiskFacts} from './disk.js';
import type {LogRecord} from './log.js';
import type {Message} from './message.js';
import type {GroupsInForce, ResourceCall, ResourceExit} from './resource.js';

export type ManagerEvent =
  /** wakeAt(state) was reached, or passed. */
  | {readonly type: 'woke'}
  | {readonly type: 'messaging-said'; readonly message: MessagingToManager}
  /** The messaging process died; the runtime starts another, whose `ready` follows. */
  | {readonly type: 'messaging-lost'}
  | {readonly type: 'script-exited'; readonly id: number; readonly call: ResourceCall; readonly exit: ResourceExit}
  | {
      readonly type: 'fencing-finished';
      readonly id: number;
      readonly node: NodeName;
      readonly ok: boolean;
      readonly text: string;
    }
  | {readonly type: 'client-requested'; readonly id: number; readonly request: ControlRequest}
  /** All DRBD resources of the groups in force, as they are now; never sent where there is none. */
  | {readonly type: 'disks-changed'; readonly disks: readonly DiskFacts[]}
  /** A reload succeeded: the new configuration. A failed one never gets here. */
  | {readonly type: 'config-changed'; readonly config: ClusterConfig};

export type ManagerEffect =
  | {readonly type: 'tell-messaging'; readonly message: ManagerToMessaging}
  /** At most one script per group at a time. */
  | {readonly type: 'run-script'; readonly id: number; readonly call: ResourceCall}
  /** SIGTERM to its process group, SIGKILL after killDelayMs; its script-exited still comes. */
  | {readonly type: 'cancel-script'; readonly id: number}
  /** What may run here from now on, for a successor of this manager. */
  | ({readonly type: 'remember-groups'} & GroupsInForce)
  | {readonly type: 'fence'; readonly id: number; readonly node: NodeName}
  | {readonly type: 'reply'; readonly id: number; readonly reply: ControlReply}
  | {readonly type: 'log'; readonly record: LogRecord}
  /** For API clients (hand on as the real daemon does) and rc.d hooks. */
  | {readonly type: 'publish'; readonly message: Message}
  | {readonly type: 'start-clients'}
  | {readonly type: 'stop-clients'}
  | {readonly type: 'feed-watchdog'}
  /** Everything is released: the watchdog must not bite. */
  | {readonly type: 'disarm-watchdog'}
  | {readonly type: 'reboot-node'; readonly reason: string}
  /** The last effect: leave the process. */
  | {readonly type: 'exit'; readonly status: number};

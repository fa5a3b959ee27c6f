// What happens when no manager can be kept alive: a command releases every resource, and only when it has succeeded do
// the peers hear the goodbye that lets them take over. Keepalives go on meanwhile, because silence would make a
// peer start what may still run here. When it fails it is tried again for ever, loudly, and the node keeps beating: a
// service on no node is the lesser evil, and a watchdog, which nobody feeds any more, ends this state for good.

import type {ManagerToMessaging} from '../model/channel.js';
import {type LogRecord, log} from '../model/log.js';
import {messageOf} from '../model/message.js';
import {emergencyTimeoutMs, runEmergency} from './messaging-children.js';

const retryMs = 60_000;
/** As after a graceful stop: long enough for peers to ask for what they missed. */
const tailMs = 1000;

export interface EmergencyHandlers {
  /** The goodbye, as if a manager had said it. */
  readonly onSaid: (message: ManagerToMessaging) => void;
  readonly onLog: (record: LogRecord) => void;
}

export class EmergencyStop {
  private hasBegun = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly isRealtime: boolean,
    private readonly handlers: EmergencyHandlers,
  ) {}

  begin(command: readonly string[]): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.run(command);
  }

  close(): void {
    clearTimeout(this.retry);
  }

  private run(command: readonly string[]): void {
    this.write('EMERG', `Emergency stop: running ${command[0] ?? 'nothing'} to release all resources`);
    runEmergency(command, this.isRealtime, emergencyTimeoutMs, (problem) => {
      if (problem === undefined) this.sayGoodbye();
      else {
        this.write('EMERG', `Emergency stop failed: ${problem}. Resources may still run here; trying again`);
        this.retry = setTimeout(() => this.run(command), retryMs);
      }
    });
  }

  private sayGoodbye(): void {
    this.write('CRIT', 'Emergency stop: all resources are released, leaving the cluster');
    const {onSaid} = this.handlers;
    // The same two messages as after a graceful stop (wire-protocol.md 5.5).
    const report = {t: 'resource', rsc_hold: 'none', rtype: 'full', isstable: '0', info: 'shutdown'};
    onSaid({type: 'send', message: messageOf(report)});
    onSaid({type: 'send', message: messageOf({t: 'shutdone', st: 'dead'})});
    onSaid({type: 'stop', tailMs});
  }

  private write(level: 'EMERG' | 'CRIT', text: string): void {
    this.handlers.onLog(log(level, 'EMERGENCY_STOP', text));
  }
}

// Reads the configuration again while resources run. A broken file changes nothing: the old configuration, and the old
// keys above all, stay in force, and the errors are told. What changed decides who has to learn it.

import {formatDiagnostic} from '../config/check.js';
import type {ManagerToMessaging} from '../model/channel.js';
import type {ClusterConfig} from '../model/config.js';
import type {ControlReply} from '../model/control.js';
import {type LogRecord, log} from '../model/log.js';
import {diffConfig} from './config-diff.js';
import type {LoadedConfig} from './load-config.js';

export interface ReloadPorts {
  readonly load: () => LoadedConfig;
  readonly current: () => ClusterConfig;
  /** Writes it down for a successor: before anybody acts on it, so that a successor can finish what we began. */
  readonly keep: (config: ClusterConfig) => void;
  /** Takes the new configuration everywhere in this process. */
  readonly adopt: (config: ClusterConfig, logging: boolean) => void;
  readonly tellMessaging: (message: ManagerToMessaging) => void;
  /** Messaging was started with another configuration than the current one. */
  readonly isMessagingOutdated: () => boolean;
  readonly restartMessaging: () => void;
  readonly log: (record: LogRecord) => void;
}

export function reload(ports: ReloadPorts): ControlReply {
  const loaded = ports.load();
  if (loaded.config === undefined) return refuse(ports, loaded);
  const {config} = loaded;
  const before = ports.current();
  if (config.ha.node !== before.ha.node) {
    const text = `this node was ${before.ha.node} and would become ${config.ha.node}: that needs a restart`;
    ports.log(log('ERROR', 'RELOAD_REFUSED', text));
    return {ok: false, code: 'NODE_NAME', text, hint: 'heartbeat -k; heartbeat'};
  }
  const diff = diffConfig(before, config);
  ports.keep(config);
  if (diff.keys) ports.log(log('info', 'RELOAD_KEYS', 'Rereading authentication file.'));
  // Always: messaging may have other keys than we believe, when what was in force got lost with our predecessor.
  ports.tellMessaging({type: 'use-keys', keyring: config.keyring});
  if (!diff.any && !ports.isMessagingOutdated()) return said(ports, 'Configuration unchanged.');
  ports.adopt(config, diff.logging);
  const later = tellLater(ports, diff.atNextStart);
  if (!diff.messaging && !ports.isMessagingOutdated())
    return said(ports, `Configuration reloaded; resources stay.${later}`);
  ports.restartMessaging();
  return said(ports, `Configuration reloaded: messaging restarts with it, resources stay.${later}`);
}

/** Whoever changed a file must not believe that all of it is in force. */
function tellLater(ports: ReloadPorts, directives: readonly string[]): string {
  if (directives.length === 0) return '';
  const text = `Changed, but used only from the next start of heartbeat on: ${directives.join(', ')}`;
  ports.log(log('WARN', 'RELOAD_LATER', text, {directives: directives.join(', ')}));
  return ` ${text}`;
}

function said(ports: ReloadPorts, text: string): ControlReply {
  ports.log(log('info', 'RELOAD', text));
  return {ok: true, text};
}

function refuse(ports: ReloadPorts, {diagnostics, sources}: LoadedConfig): ControlReply {
  const errors = diagnostics.filter((each) => each.severity === 'error');
  const lines = errors.flatMap((each) => formatDiagnostic(each, sources.get(each.file)).split('\n'));
  for (const text of lines) ports.log(log('ERROR', 'RELOAD_REFUSED', text));
  ports.log(log('ERROR', 'RELOAD_REFUSED', 'The configuration has errors: nothing of it is used, the old one stays.'));
  return {ok: false, code: 'BAD_CONFIG', text: lines.join('\n'), hint: 'the old configuration stays in force'};
}

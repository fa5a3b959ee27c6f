// The manager process: owns resources, scripts, fencing, clients and logs, and the two cores' meeting point on this node.
// It assumes a configuration without errors and the pid file in its hands. Promises: what the core decides is performed in
// order; a mistake of ours ends the process with a crash file and status 70, and messaging starts the next one.

import assert from 'node:assert/strict';
import {rmSync} from 'node:fs';
import {isDeepStrictEqual} from 'node:util';
import type {MessagingToManager} from '../model/channel.js';
import type {ClusterConfig} from '../model/config.js';
import type {ControlRequest} from '../model/control.js';
import {type LogRecord, log} from '../model/log.js';
import {fieldOf, type Message} from '../model/message.js';
import type {Paths} from '../model/paths.js';
import {unitDirsOf} from './agents.js';
import {feedOf, ownMessage} from './api-feed.js';
import type {ClusterPicture} from './client-api-view.js';
import {ClientServices, isForCore} from './client-services.js';
import {readNow} from './clock.js';
import {keepConfig} from './config-in-force.js';
import {type ControlServer, startControlServer} from './control-server.js';
import {writeCrashFile} from './crash.js';
import {Disks} from './disks.js';
import {type Fifo, openFifo} from './fifo.js';
import {forgetGroupsInForce, readGroupsInForce, rememberGroups} from './groups-in-force.js';
import {LateParts} from './late-parts.js';
import type {LoadedConfig} from './load-config.js';
import type {Log} from './log-writer.js';
import type {ManagerCore} from './manager-core.js';
import {ManagerLoop} from './manager-loop.js';
import {MessagingPort} from './messaging-port.js';
import {type ManagerPorts, perform} from './perform.js';
import {prepareDirectories} from './prepare-directories.js';
import {rebootPlan, startReboot} from './reboot.js';
import {reload} from './reload.js';
import {type ScriptEnv, scriptEnv} from './script-env.js';
import {endOldScripts, journalDir, ORPHAN_KILL_MS, openScriptJournal} from './script-journal.js';
import {createScriptRunner, type ScriptRunner} from './scripts.js';
import {traceEffect, traceEvent} from './trace.js';
import type {Watchdog} from './watchdog.js';

export interface ManagerOptions {
  readonly paths: Paths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly config: ClusterConfig;
  /** False: it replaces a manager whose configuration is lost, and was read from files that nobody reloaded. */
  readonly isInForce: boolean;
  /** Called once messaging is on its way: loading takes longer than anything else. */
  readonly loadCore: () => Promise<ManagerCore<unknown>>;
  readonly log: Log;
  /** A messaging process started us: adopt it. */
  readonly isAdopted: boolean;
  readonly isForeground: boolean;
  /** Command line of the manager that messaging starts after us. */
  readonly adoptArguments: readonly string[];
  readonly version: string;
  readonly load: () => LoadedConfig;
  /** The new logging directives took effect. */
  readonly reopenLog: (config: ClusterConfig) => Log;
  /** Leave the process; everything is closed. */
  readonly exit: (status: number) => void;
}

/** EX_SOFTWARE: messaging starts another manager. */
const CRASHED = 70;
const MESSAGING_END_MS = 3000;
/** For everything in a start but the end of old scripts. */
const STARTING_LEASE_MS = 5000;

export class Manager {
  /** Read by log lines. */
  generation = 0;
  private config: ClusterConfig;
  private log: Log;
  private env: ScriptEnv;
  private debug: number;
  private core: ManagerCore<unknown> | undefined;
  private readonly loop: ManagerLoop<unknown>;
  private readonly scripts: ScriptRunner;
  private readonly messaging: MessagingPort;
  private readonly clients: ClientServices;
  private readonly ports: ManagerPorts;
  private readonly disks: Disks;
  private readonly late: LateParts;
  private control: ControlServer | undefined;
  private fifo: Fifo | undefined;
  private watchdog: Watchdog | undefined;
  private lastRequestId = 0;
  private isLeaving = false;
  private hasNewUuid = false;
  private readonly say = (record: LogRecord): void => this.log.write(record);

  constructor(private readonly options: ManagerOptions) {
    const {paths, config} = options;
    this.config = config;
    this.log = options.log;
    this.debug = config.ha.debug;
    this.env = scriptEnv(config.ha, paths, options.env);
    const dispatch = this.dispatch.bind(this);
    this.scripts = createScriptRunner({
      agentDirs: paths.agentDirs,
      unitDirs: unitDirsOf(options.env),
      env: this.env,
      log: this.say,
      journal: openScriptJournal(journalDir(paths.runDir)),
    });
    this.messaging = new MessagingPort({
      config: () => this.config,
      paths,
      loopback: options.env['SYSTOLE_LOOPBACK'],
      adoptArguments: options.adoptArguments,
      stderr: options.isForeground ? 'inherit' : 'ignore',
      onMessage: (message) => this.messagingSaid(message),
      onLost: () => dispatch({type: 'messaging-lost'}),
      log: this.say,
    });
    this.clients = new ClientServices({
      paths,
      config: () => this.config,
      env: () => this.env,
      view: () => this.view(),
      send: (message) => this.clientSaid(message),
      log: this.say,
      onFailfast: (reason) => this.reboot(reason),
    });
    this.disks = new Disks({
      isFreshStart: !options.isAdopted,
      config: () => this.config,
      env: () => this.env,
      log: this.say,
      onFacts: (disks) => dispatch({type: 'disks-changed', disks}),
    });
    this.late = new LateParts({
      paths,
      config: () => this.config,
      env: () => this.env,
      log: this.say,
      ownStatus: () => (this.view().status.phase === 'waiting' ? 'up' : 'active'),
    });
    this.ports = this.makePorts();
    this.loop = new ManagerLoop({
      perform: (effect) => {
        this.trace(traceEffect(effect, this.debug));
        perform(effect, this.ports);
      },
      onCrash: (error) => this.crash(error),
    });
  }

  async start(): Promise<void> {
    const {paths, isAdopted} = this.options;
    prepareDirectories(paths, isAdopted);
    if (!isAdopted) keepConfig(paths.runDir, this.config, this.say);
    // First of all: its own start takes as long as everything below.
    if (isAdopted) this.messaging.adopt(this.options.isInForce);
    else if (!this.messaging.start()) return this.options.exit(1);
    const core = this.options.loadCore();
    this.control = await startControlServer({
      socketPath: paths.controlSocket,
      nextId: () => ++this.lastRequestId,
      onRequest: (id, request) => this.requested(id, request),
    });
    this.fifo = openFifo({path: paths.fifo, onMessage: (message) => this.injected(message), onLog: this.say});
    await this.endOldScripts();
    await this.openWatchdog();
    this.core = await core;
    this.startCore(this.core);
  }

  /** With what may run here; then the files have their say. */
  private startCore(core: ManagerCore<unknown>): void {
    const {groups = this.config.groups, claims = {}} = readGroupsInForce(this.options.paths.runDir) ?? {};
    this.loop.start(core, {...this.config, groups}, claims);
    if (!isDeepStrictEqual(groups, this.config.groups)) this.dispatch({type: 'config-changed', config: this.config});
  }

  /** SIGTERM: once is enough. */
  shutdown(): void {
    this.dispatch({type: 'client-requested', id: ++this.lastRequestId, request: {command: 'shutdown'}});
  }

  /** SIGHUP. */
  reload(): void {
    this.log.reopen();
    this.reloadNow();
  }

  changeDebug(by: 1 | -1): void {
    this.debug = Math.min(Math.max(this.debug + by, 0), 255);
    this.log.setDebug(this.debug);
    this.useEnv();
    this.say(log('info', 'DEBUG_LEVEL', `debug level is now ${this.debug}`));
    this.tellMessaging({type: 'set-debug', level: this.debug});
  }

  /** A mistake of ours, wherever it was noticed. */
  crash(error: unknown): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const path = writeCrashFile(this.options.paths.logDir, {
      format: 'systole-crash-1',
      process: 'manager',
      node: this.config.ha.node,
      version: this.options.version,
      wallMs: Date.now(),
      error: text,
      config: this.config,
      ...this.loop.recorded(),
    });
    const where = path === undefined ? 'no crash file could be written' : `see ${path}`;
    this.say(log('CRIT', 'MANAGER_CRASHED', `manager process: ${text.split('\n').slice(0, 2).join(' ')}; ${where}`));
    this.loop.close();
    this.disks.close();
    this.options.exit(CRASHED);
  }

  private dispatch(event: Parameters<ManagerLoop<unknown>['dispatch']>[0]): void {
    this.trace(traceEvent(event, this.debug));
    this.loop.dispatch(event);
  }

  private trace(text: string | undefined): void {
    if (text !== undefined) this.say(log('debug', 'TRACE', text));
  }

  private makePorts(): ManagerPorts {
    return {
      dispatch: (event) => this.dispatch(event),
      tellMessaging: (message) => this.tellMessaging(message),
      scripts: this.scripts,
      rememberGroups: (inForce) => {
        rememberGroups(this.options.paths.runDir, inForce, this.say);
        this.disks.follow(inForce.groups);
      },
      fencer: () => this.late.fencer(),
      reply: (id, reply) => this.control?.reply(id, reply),
      log: this.say,
      publish: (message) => this.show(message),
      startClients: () => {
        this.clients.start();
        this.late.checkFencing();
      },
      stopClients: () => void this.clients.stop(),
      watchdog: () => this.watchdog,
      reboot: (reason) => this.reboot(reason),
      exit: (status) => void this.leave(status),
    };
  }

  private tellMessaging(message: Parameters<MessagingPort['tell']>[0]): void {
    this.messaging.tell(message);
    if (message.type !== 'send') return;
    const own = ownMessage(message.message, this.config.ha.node);
    // What is addressed to another node is nobody's here.
    if ((fieldOf(own, 'dest') ?? this.config.ha.node).toLowerCase() === this.config.ha.node) this.show(own);
  }

  /** The API itself has shown it to the clients here. */
  private clientSaid(message: Message): void {
    if (isForCore(fieldOf(message, 't') ?? '')) return this.injected(message);
    this.messaging.tell({type: 'send', message, isFromClient: true});
    if (fieldOf(message, 'dest') === undefined) void this.late.offerToHooks(ownMessage(message, this.config.ha.node));
  }

  private messagingSaid(said: MessagingToManager): void {
    // Its log lines are ours to write; the core has no use for them.
    if (said.type === 'log') return this.say(said.record);
    if (said.type === 'uuid-cloned') return this.replaceUuid(said.node);
    if (said.type === 'ready') this.generation = said.generation;
    this.clients.heard(said);
    const shown = feedOf(said, Date.now());
    this.dispatch({type: 'messaging-said', message: said});
    if (shown !== undefined) this.show(shown);
  }

  /** Once: a new one is random, so the next clone would be somebody's work. The peer may be a daemon that never changes its own. */
  private replaceUuid(node: string): void {
    if (this.hasNewUuid) return;
    this.hasNewUuid = true;
    this.say(log('WARN', 'UUID_REPLACED', `taking another uuid, because ${node} has ours`, {node}));
    rmSync(this.options.paths.uuidFile, {force: true});
    this.messaging.restart();
  }

  private requested(id: number, request: ControlRequest): void {
    if (request.command === 'reload') this.control?.reply(id, this.reloadNow());
    else this.dispatch({type: 'client-requested', id, request});
  }

  private injected(message: Message): void {
    const fields: Record<string, string> = {};
    for (const {name, type, value} of message.fields) if (type === 0) fields[name] ??= value;
    this.dispatch({type: 'client-requested', id: ++this.lastRequestId, request: {command: 'inject', fields}});
  }

  /** To API clients and to the administrator's hooks. */
  private show(message: Message): void {
    this.clients.deliver(message);
    const type = fieldOf(message, 't');
    if (type === undefined || type === 'status') return;
    void this.late.offerToHooks(message);
  }

  private view(): ClusterPicture {
    assert(this.core !== undefined, 'clients are served after the core has started');
    const state = this.loop.current;
    return {status: this.core.status(state, readNow()), rscstatus: this.core.rscstatus(state)};
  }

  private async openWatchdog(): Promise<void> {
    const {watchdog, deadtimeMs} = this.config.ha;
    if (watchdog === undefined) return;
    const {openWatchdog} = await import('./watchdog.js');
    this.watchdog = openWatchdog(watchdog, deadtimeMs, this.say);
  }

  private async endOldScripts(): Promise<void> {
    const graceMs = this.config.systole.killDelayMs;
    // The core renews the lease, and the core waits for this: a manager that is killed here would never get to the end.
    const forMs = graceMs + ORPHAN_KILL_MS + STARTING_LEASE_MS;
    if (this.options.isAdopted) this.messaging.tell({type: 'renew-lease', forMs});
    await endOldScripts({...this.options.paths, graceMs}, this.say);
  }

  private reloadNow(): ReturnType<typeof reload> {
    return reload({
      load: this.options.load,
      current: () => this.config,
      keep: (config) => keepConfig(this.options.paths.runDir, config, this.say),
      adopt: (config, logging) => this.useConfig(config, logging),
      messaging: this.messaging,
      log: this.say,
    });
  }

  private useConfig(config: ClusterConfig, logging: boolean): void {
    // A level set by signals stays until ha.cf itself says another.
    if (config.ha.debug !== this.config.ha.debug) this.debug = config.ha.debug;
    // A reset under way stays known, so that the node is not reset a second time beside it.
    if (!isDeepStrictEqual(config.ha.stonith, this.config.ha.stonith)) this.late.forgetFencer();
    this.config = config;
    if (logging) this.log = this.options.reopenLog(config);
    this.log.setDebug(this.debug);
    this.useEnv();
    this.dispatch({type: 'config-changed', config});
  }

  private useEnv(): void {
    this.env = scriptEnv(this.config.ha, this.options.paths, this.options.env, this.debug);
    this.scripts.useEnv(this.env);
  }

  private reboot(reason: string): void {
    const plan = rebootPlan(this.options.paths, this.options.env);
    const what = plan.command === undefined ? 'this daemon does not own the machine: killing it instead' : 'now';
    this.say(log('EMERG', 'REBOOT', `Rebooting system.  Reason: ${reason} (${what})`));
    startReboot(plan);
    this.loop.close();
    this.messaging.kill();
    this.options.exit(1);
  }

  private async leave(status: number): Promise<void> {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.late.close();
    this.loop.close();
    this.disks.close();
    await Promise.all([this.clients.stop(), this.messaging.waitForEnd(MESSAGING_END_MS), this.control?.close()]);
    this.fifo?.close();
    forgetGroupsInForce(this.options.paths.runDir);
    this.options.exit(status);
  }
}

// What starts at comm-up and ends with the daemon: the client API socket, then the respawn clients, which need it. Loaded
// only then, because the way to the first keepalive must be short.

import type {MessagingToManager} from '../model/channel.js';
import type {ClusterConfig} from '../model/config.js';
import {type LogRecord, log} from '../model/log.js';
import {fieldOf, type Message} from '../model/message.js';
import type {Paths} from '../model/paths.js';
import {groupId, userAccount} from './accounts.js';
import type {ClientApi} from './client-api.js';
import {Uuids} from './client-api-uuids.js';
import type {ClusterPicture} from './client-api-view.js';
import type {RespawnedClients} from './respawn.js';
import type {ScriptEnv} from './script-env.js';

export interface ClientServiceOptions {
  readonly paths: Paths;
  readonly config: () => ClusterConfig;
  readonly env: () => ScriptEnv;
  readonly view: () => ClusterPicture;
  /** What a client says to the cluster, or asks another node. */
  readonly send: (message: Message) => void;
  readonly log: (record: LogRecord) => void;
  readonly onFailfast: (reason: string) => void;
}

/**
 * What a client may say and this node must act on as well: ipfail asks for a standby so. A copy on the wire alone would
 * be heard by the peer only.
 */
const coreTypes = new Set(
  'ask_resources hb_takeover addnode delnode resource ip-request ip-request-resp starting shutdone status stonith want_stonith'.split(
    ' ',
  ),
);

const UNANSWERED_MAX = 20;

export function isForCore(type: string): boolean {
  return coreTypes.has(type) || type.startsWith('NS_');
}

export class ClientServices {
  private api: ClientApi | undefined;
  private clients: RespawnedClients | undefined;
  private started: Promise<void> | undefined;
  private isStopping = false;
  private isPaused = false;
  /** Messages of clients that messaging has not answered for. */
  private unanswered = 0;
  private readonly uuids = new Uuids();

  constructor(private readonly options: ClientServiceOptions) {}

  start(): void {
    this.started ??= this.open().catch((error: unknown) => {
      this.options.log(log('ERROR', 'CLIENT_API', `the client API could not be opened: ${String(error)}`));
    });
  }

  /** Settles in bounded time, when clients and socket are gone. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.started;
    await this.clients?.stop();
    await this.api?.close();
  }

  deliver(message: Message): void {
    this.api?.deliver(message, 1);
  }

  /** What messaging says that is for clients alone: who is who, and that the cluster cannot keep up with them. */
  heard(said: MessagingToManager): void {
    if (said.type === 'message-received') this.uuids.learnFrom(said.message);
    else if (said.type === 'ready') {
      this.uuids.learn(this.options.config().ha.node, said.uuid);
      for (const message of Object.values(said.view.lastStatus)) this.uuids.learnFrom(message);
      // A new channel says anew whether clients have to wait.
      this.unanswered = 0;
      this.isPaused = false;
    } else if (said.type === 'flow-changed') this.isPaused = said.isPaused;
    else if (said.type === 'client-sent') this.unanswered = Math.max(0, this.unanswered - 1);
    else return;
    this.limitFlow();
  }

  private send(message: Message): void {
    if (!isForCore(fieldOf(message, 't') ?? '')) this.unanswered += 1;
    this.options.send(message);
    this.limitFlow();
  }

  /** Messaging says too late that the cluster cannot keep up: what is on its way there has to be bounded as well. */
  private limitFlow(): void {
    this.api?.setPaused(this.isPaused || this.unanswered >= UNANSWERED_MAX);
  }

  private async open(): Promise<void> {
    const [{startClientApi}, {startClients}, {apiParameters, apiViewOf}, {prepareClientDirs}] = await Promise.all([
      import('./client-api.js'),
      import('./respawn.js'),
      import('./client-api-view.js'),
      import('./client-dirs.js'),
    ]);
    if (this.isStopping) return;
    const {ha} = this.options.config();
    prepareClientDirs(this.options.paths.runDir, this.options.log);
    this.api = await startClientApi({
      path: this.options.paths.registerSocket,
      keepaliveMs: ha.keepaliveMs,
      deadtimeMs: ha.deadtimeMs,
      apiauth: ha.apiauth,
      accounts: {uidOf: (user) => userAccount(user)?.uid, gidOf: groupId},
      send: (message) => this.send(message),
      onLog: this.options.log,
      view: () => apiViewOf(this.options.view(), this.options.config().ha, this.uuids),
      parameters: () => apiParameters(this.options.config().ha),
      rscstatus: () => this.options.view().rscstatus,
    });
    this.limitFlow();
    if (this.isStopping) return;
    this.clients = startClients({
      clients: ha.respawn,
      env: this.options.env(),
      log: this.options.log,
      onFailfast: this.options.onFailfast,
    });
  }
}

// dopd: lets DRBD outdate a peer's disk over the heartbeat links. Started by ha.cf's `respawn hacluster .../dopd`. The decisions
// are in src/drbd/dopd.ts; here are the sockets, DRBD's tools and the clock. Ends when the daemon is gone: it starts us again.

import {parseArgs} from 'node:util';
import {type DopdEffect, type DopdEvent, type DopdState, dopdWakeAt, startDopd, stepDopd} from '../drbd/dopd.js';
import {DEFAULT_SETTINGS, noticeMs} from '../drbd/show.js';
import {fieldOf} from '../model/message.js';
import {unreachable} from '../model/unreachable.js';
import {outdateHere, reconnectLeftovers} from '../runtime/drbd/outdate-here.js';
import {type OutdaterServer, serveOutdaters} from '../runtime/drbd/outdater-socket.js';
import {SplitBrainWatch} from '../runtime/drbd/split-brain-watch.js';
import {DrbdTools} from '../runtime/drbd/tools.js';
import {ApiMember} from './lib/api-member.js';
import {type ClientLog, clientLog} from './lib/client-log.js';
import {Exit, paths, run} from './lib/program.js';

const USAGE = 'usage: dopd [-h]\nRespawned by heartbeat; see docs/drbd.md.';

const NOTICE_SLACK_MS = 1000;

class Dopd {
  readonly ended: Promise<string>;
  readonly #log: ClientLog;
  readonly #tools = new DrbdTools(process.env);
  readonly #busy = new Map<string, Promise<void>>();
  #end: (reason: string) => void = () => {};
  #state: DopdState = startDopd('', 0);
  #member: ApiMember | undefined;
  #server: OutdaterServer | undefined;
  #watch: SplitBrainWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(log: ClientLog) {
    this.#log = log;
    this.ended = new Promise((resolve) => {
      this.#end = (reason) => {
        if (this.#isOver) return;
        this.#isOver = true;
        this.#stop();
        resolve(reason);
      };
    });
  }

  async start(): Promise<void> {
    const {registerSocket, runDir} = paths();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => this.#end('SIGTERM'));
    // Heartbeat wakes its clients so when they ask for it; by default the signal would end us.
    process.on('SIGHUP', () => {});
    this.#member = await ApiMember.signOn({
      path: registerSocket,
      name: 'dopd',
      onMessage: (message) => {
        if (!this.#watch?.received(message)) this.#happened({type: 'message', message});
      },
      onEnd: (reason) => {
        this.#log('ERROR', `lost the connection to heartbeat: ${reason}`);
        this.#end(reason);
      },
    });
    // DRBD's defaults until the settings in force are read: nobody shall find the socket missing meanwhile.
    this.#state = startDopd(this.#member.node, noticeMs(DEFAULT_SETTINGS) + NOTICE_SLACK_MS);
    this.#server = await serveOutdaters({
      path: `${runDir}/dopd/outdater`,
      node: this.#member.node,
      onAsk: (client, {peer, resource}) => this.#happened({type: 'helper-asked', client, peer, resource}),
      onLeave: (client) => this.#happened({type: 'helper-left', client}),
    });
    this.#log('info', `dopd of ${this.#member.node} is ready`);
    this.#watchSplitBrain(this.#member);
    await reconnectLeftovers(this.#outdating());
    const longestMs = await this.#longestNoticeMs();
    this.#state = {...this.#state, noticeMs: longestMs};
  }

  #watchSplitBrain(member: ApiMember): void {
    this.#watch = new SplitBrainWatch({
      tools: this.#tools,
      node: member.node,
      places: paths(),
      send: (message) => member.send(message),
      log: this.#log,
    });
    this.#watch.start();
  }

  async #longestNoticeMs(): Promise<number> {
    const resources = await this.#tools.resources();
    const settings = await Promise.all(resources.map((resource) => this.#tools.settings(resource)));
    return Math.max(...(settings.length === 0 ? [DEFAULT_SETTINGS] : settings).map(noticeMs)) + NOTICE_SLACK_MS;
  }

  #happened(event: DopdEvent): void {
    if (this.#isOver) return;
    const {state, effects} = stepDopd(this.#state, event, performance.now());
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    clearTimeout(this.#timer);
    const wakeAt = dopdWakeAt(this.#state);
    if (wakeAt !== undefined)
      this.#timer = setTimeout(() => this.#happened({type: 'woke'}), Math.max(1, wakeAt - performance.now()));
  }

  #perform(effect: DopdEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#member?.send(effect.message);
      case 'answer':
        return this.#server?.answer(effect.client, effect.value);
      case 'outdate':
        this.#outdate(effect.resource, effect.requester);
        return;
      case 'ask-status':
        void this.#askStatus(effect.node);
        return;
      case 'log':
        return this.#log(effect.level, effect.text);
      default:
        return unreachable(effect);
    }
  }

  /** One run a resource at a time, the taking up of its connection included. */
  #outdate(resource: string, requester: string): void {
    const before = this.#busy.get(resource) ?? Promise.resolve();
    const ended = before.then(async () => {
      const result = await outdateHere(resource, requester, this.#outdating()).catch((error: unknown) => ({
        value: 20 as const,
        why: String(error),
        reconnected: Promise.resolve(),
      }));
      this.#happened({type: 'outdate-ended', resource, value: result.value, why: result.why});
      await result.reconnected;
    });
    this.#busy.set(resource, ended);
  }

  async #askStatus(node: string): Promise<void> {
    const [type, status] = await Promise.all([
      this.#member?.ask('nodetype', {node}),
      this.#member?.ask('nodestatus', {node}),
    ]);
    if (type === undefined && status === undefined) return this.#nodeMissing(node);
    const nodeType = (type && fieldOf(type, 'nodetype')) ?? 'normal';
    this.#happened({type: 'node-seen', node, nodeType, status: (status && fieldOf(status, 'st')) ?? ''});
  }

  /** A refusal alone may mean a daemon that is going down; the list of nodes is the proof. */
  async #nodeMissing(node: string): Promise<void> {
    const count = await this.#member?.ask('numnodes');
    if (count !== undefined) this.#happened({type: 'node-unknown', node});
  }

  #outdating() {
    return {tools: this.#tools, notesDir: `${paths().runDir}/dopd`, log: this.#log};
  }

  #stop(): void {
    clearTimeout(this.#timer);
    void this.#watch?.stop();
    this.#server?.close();
    this.#member?.signOff();
  }
}

void run(async (words) => {
  const {values} = parseArgs({args: [...words], options: {help: {type: 'boolean', short: 'h'}}, strict: false});
  if (values.help === true) throw new Exit(0, USAGE);
  const log = clientLog('dopd');
  const dopd = new Dopd(log);
  try {
    await dopd.start();
  } catch (error) {
    log('ERROR', `cannot start: ${error instanceof Error ? error.message : error}`);
    throw new Exit(1);
  }
  const reason = await dopd.ended;
  throw new Exit(reason === 'SIGTERM' ? 0 : 1, '');
});

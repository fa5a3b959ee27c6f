// dopd: lets DRBD outdate a peer's disk over the heartbeat links. Started by ha.cf's `respawn hacluster .../dopd`. The decisions
// are in src/drbd/dopd.ts; here are the sockets, DRBD's tools and the clock. Ends when the daemon is gone: it starts us again.

import {randomBytes} from 'node:crypto';
import {parseArgs} from 'node:util';
import {startDopd, stepDopd, wantedOf} from '../drbd/dopd.js';
import {dopdWakeAt} from '../drbd/dopd-asks.js';
import type {DopdEffect, DopdEvent, DopdState} from '../drbd/dopd-state.js';
import {calledPeer} from '../drbd/handler-env.js';
import {DEFAULT_SETTINGS, peerNoticeMs} from '../drbd/show.js';
import type {ResourceState} from '../drbd/state.js';
import {fieldOf, messageOf, parseDecimal} from '../model/message.js';
import {unreachable} from '../model/unreachable.js';
import {monotonicMs} from '../runtime/clock.js';
import {DrbdConfigured} from '../runtime/drbd/configured.js';
import {type OutdateOptions, outdateHere, reconnectLeftovers} from '../runtime/drbd/outdate-here.js';
import {type OutdaterServer, serveOutdaters} from '../runtime/drbd/outdater-socket.js';
import {SplitBrainWatch} from '../runtime/drbd/split-brain-watch.js';
import {DrbdTools} from '../runtime/drbd/tools.js';
import {DrbdWatch} from '../runtime/drbd/watch.js';
import {ApiMember} from './lib/api-member.js';
import {type ClientLog, clientLog} from './lib/client-log.js';
import {EXIT, Exit, paths, run} from './lib/program.js';

const USAGE = 'usage: dopd [-h]\nRespawned by heartbeat; see docs/drbd.md.';

class Dopd {
  readonly ended: Promise<string>;
  readonly #log: ClientLog;
  readonly #tools = new DrbdTools(process.env);
  readonly #busy = new Map<string, Promise<void>>();
  #end: (reason: string) => void = () => {};
  #state: DopdState = startDopd('', 0, '');
  #member: ApiMember | undefined;
  #server: OutdaterServer | undefined;
  #splits: SplitBrainWatch | undefined;
  #watch: DrbdWatch | undefined;
  #configured: DrbdConfigured | undefined;
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
        if (!this.#splits?.received(message)) this.#happened({type: 'message', message});
      },
      onEnd: (reason) => {
        this.#log('ERROR', `lost the connection to heartbeat: ${reason}`);
        this.#end(reason);
      },
    });
    // DRBD's defaults until the settings in force are read: nobody shall find the socket missing meanwhile.
    const slowestMs = peerNoticeMs(DEFAULT_SETTINGS);
    this.#state = startDopd(this.#member.node, slowestMs, randomBytes(6).toString('hex'));
    this.#server = await serveOutdaters({
      path: `${runDir}/dopd/outdater`,
      node: this.#member.node,
      onAsk: (client, ask) => void this.#asked(client, ask),
      onLeave: (client) => this.#happened({type: 'helper-left', client}),
    });
    // Told to end meanwhile.
    if (this.#isOver) return this.#stop();
    this.#log('info', `dopd of ${this.#member.node} is ready`);
    this.#observe(this.#member.node);
    this.#watchSplitBrain(this.#member);
    await reconnectLeftovers(this.#outdating());
  }

  #watchSplitBrain(member: ApiMember): void {
    this.#splits = new SplitBrainWatch({
      tools: this.#tools,
      node: member.node,
      places: paths(),
      send: (message) => member.send(message),
      log: this.#log,
    });
    this.#splits.start();
  }

  #observe(node: string): void {
    const configured = new DrbdConfigured(this.#tools, node, () => {
      const known = configured.settings();
      const longestMs = Math.max(
        ...(known.length === 0 ? [DEFAULT_SETTINGS] : known.map((each) => each.settings)).map(peerNoticeMs),
      );
      const freezes = known.map(
        ({resource, settings}) => [resource, settings.fencing === 'resource-and-stonith'] as const,
      );
      this.#state = {...this.#state, noticeMs: longestMs, freezes: Object.fromEntries(freezes)};
    });
    this.#configured = configured;
    this.#watch = new DrbdWatch({
      tools: this.#tools,
      onConfigured: (resource) => configured.changed(resource),
      onConnected: (resource) => this.#happened({type: 'link-returned', resource}),
      onHelper: (resource, helper) => {
        const peer = helper === 'fence-peer' ? calledPeer(configured.handler(resource)) : undefined;
        if (peer !== undefined) this.#happened({type: 'helper-called', peer, resource});
      },
    });
  }

  /** The picture may lag: that DRBD is connected, and nothing is to be done, is looked up. */
  async #asked(client: number, {peer, resource}: {readonly peer: string; readonly resource: string}): Promise<void> {
    const known = this.#watch?.state(resource);
    let isConnected = known !== undefined && known !== 'down' && isConnectedTo(known, peer);
    if (isConnected) {
      const sight = await this.#tools.read(resource);
      isConnected = sight.found === 'up' && isConnectedTo(sight.state, peer);
      if (this.#server?.waits(client) !== true) return;
    }
    this.#happened({type: 'helper-asked', client, peer, resource, isConnected});
  }

  #happened(event: DopdEvent): void {
    if (this.#isOver) return;
    const {state, effects} = stepDopd(this.#state, event, monotonicMs());
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    clearTimeout(this.#timer);
    const wakeAt = dopdWakeAt(this.#state);
    if (wakeAt !== undefined)
      this.#timer = setTimeout(() => this.#happened({type: 'woke'}), Math.max(1, wakeAt - monotonicMs()));
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
      case 'want-stonith':
        return this.#wantStonith(effect.node, effect.oldMs);
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
      const wanted = () => wantedOf(this.#state, resource);
      const result = await outdateHere(resource, requester, {...this.#outdating(), wanted}).catch((error: unknown) => ({
        value: 20 as const,
        why: String(error),
        reconnected: Promise.resolve(),
      }));
      this.#happened({type: 'outdate-ended', resource, value: result.value, why: result.why});
      await result.reconnected;
      if (this.#busy.get(resource) === ended) this.#busy.delete(resource);
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
    const seen = {node, nodeType, status: (status && fieldOf(status, 'st')) ?? ''};
    const resetMs = parseDecimal(status && fieldOf(status, 'reset_ms'));
    this.#happened({type: 'node-seen', ...seen, stonith: status && fieldOf(status, 'stonith'), resetMs});
  }

  #wantStonith(node: string, oldMs: number | undefined): void {
    const old = oldMs === undefined ? undefined : String(oldMs);
    this.#member?.send(messageOf({t: 'want_stonith', node, reset_ms: old, dest: this.#state.node}));
  }

  /** A refusal alone may mean a daemon that is going down; the list of nodes is the proof. */
  async #nodeMissing(node: string): Promise<void> {
    const count = await this.#member?.ask('numnodes');
    if (count !== undefined) this.#happened({type: 'node-unknown', node});
  }

  #outdating(): OutdateOptions {
    const watch = this.#watch;
    return {
      tools: this.#tools,
      notesDir: `${paths().runDir}/dopd`,
      log: this.#log,
      guess: (resource) => watch?.state(resource),
      show: (resource) => this.#configured?.show(resource),
      isNewer: (resource) => this.#splits?.isNewerHere(resource) === true,
      ...(watch && {changed: (timeoutMs: number) => watch.changed(timeoutMs)}),
    };
  }

  #stop(): void {
    clearTimeout(this.#timer);
    void this.#splits?.stop();
    this.#watch?.close();
    this.#configured?.close();
    this.#server?.close();
    this.#member?.signOff();
  }
}

function isConnectedTo(state: ResourceState, peer: string): boolean {
  const named = state.peers.find((each) => each.name.toLowerCase() === peer.toLowerCase());
  return (named ?? (state.peers.length === 1 ? state.peers[0] : undefined))?.connection === 'Connected';
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
    // What was begun must not keep the process: nobody would start it again.
    process.exit(error instanceof Exit ? error.status : EXIT.usage);
  }
  const reason = await dopd.ended;
  throw new Exit(reason === 'SIGTERM' ? 0 : 1);
});

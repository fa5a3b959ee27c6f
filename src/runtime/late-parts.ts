// Parts of the manager that many nodes never need, loaded when they are first used: the fencer, asked every hour whether its device
// still answers, and the administrator's hooks.

import type {ClusterConfig} from '../model/config.js';
import type {LogRecord} from '../model/log.js';
import type {Message} from '../model/message.js';
import type {Paths} from '../model/paths.js';
import type {Fencer} from './fencing.js';
import type {Hooks} from './hooks.js';
import type {ScriptEnv} from './script-env.js';

const CHECK_MS = 3_600_000;

export interface LatePartsOptions {
  readonly paths: Paths;
  readonly config: () => ClusterConfig;
  readonly env: () => ScriptEnv;
  readonly log: (record: LogRecord) => void;
  readonly ownStatus: () => 'up' | 'active';
}

export class LateParts {
  private loading: Promise<Fencer> | undefined;
  private hooks: Hooks | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: LatePartsOptions) {}

  fencer(): Promise<Fencer> {
    const {config, env, log} = this.options;
    this.loading ??= import('./fencing.js').then(({createFencer}) =>
      createFencer({device: config().ha.stonith, env: env(), log}),
    );
    return this.loading;
  }

  /** Another device; a reset that is under way goes on with the old one. */
  forgetFencer(): void {
    this.loading = undefined;
  }

  /** Now, and from now on. */
  checkFencing(): void {
    clearInterval(this.timer);
    if (this.options.config().ha.stonith === undefined) return;
    const check = (): void => void this.fencer().then((fencer) => fencer.check());
    this.timer = setInterval(check, CHECK_MS);
    check();
  }

  async offerToHooks(message: Message): Promise<void> {
    const {createHooks} = await import('./hooks.js');
    const {paths, config, env, log, ownStatus} = this.options;
    this.hooks ??= createHooks({
      haDir: paths.haDir,
      harcDirs: paths.agentDirs.slice(-1).map((dir) => `${dir}/../bin`),
      env,
      log,
      niceFailback: () => config().ha.autoFailback !== 'legacy',
      ownStatus,
    });
    this.hooks.offer(message);
  }

  close(): void {
    clearInterval(this.timer);
  }
}

// Stories: what is too long or too different for a case (case.ts), each with a lab of its own. A story runs once, judges
// itself and leaves in the given folder what explains a failure.

import {rollingUpgradeStory} from './rolling-upgrade.js';

export interface StoryOutcome {
  /** undefined: it held. */
  readonly problem: string | undefined;
  /** What the real daemons logged, to recognise their own defects. */
  readonly logs: readonly string[];
}

export interface Story {
  readonly name: string;
  run(resultsDirectory: string): Promise<StoryOutcome>;
}

/** First, because the longest. */
export const stories: readonly Story[] = [rollingUpgradeStory];

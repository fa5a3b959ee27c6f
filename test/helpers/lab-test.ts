// A test that needs the namespace lab. Without root or namespaces it is skipped, and the reason is in its name, so that
// nobody takes a skipped run for a green one.

import {test} from '@jest/globals';
import {labObstacle} from '../../src/lab/host.js';

export function labTest(
  name: string,
  body: () => Promise<void>,
  programs: readonly string[] = [],
  timeoutMs = 60_000,
): void {
  const obstacle = labObstacle(programs);
  if (obstacle) {
    process.stderr.write(`skipped: ${name}: ${obstacle}\n`);
    test.skip(`${name} [skipped: ${obstacle}]`, () => {});
  } else test(name, body, timeoutMs);
}
